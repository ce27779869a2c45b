/** Times of new layers: the cases of every snapshotter. */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { type ContractCase, changesOf, layer, sh } from './testing/contract-case.ts'

const EPOCH = 1_600_000_000

/** Seconds. */
const times = (root: string, ...paths: string[]) =>
  paths.map((path) => Math.floor(fs.lstatSync(join(root, path)).mtimeMs / 1000))

export const timesCases: readonly ContractCase[] = [
  {
    name: 'settles times before anybody sees them, for all who look',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'base', sh('mkdir -p d/kept e; echo 1 > d/1; touch -d @1000 d/1 d/kept e; touch -d @2000 d'))
      const from = Date.now()
      const written = ['f', 'hard', 'l', 'new', 'new/g']
      {
        await using active = await s.prepare(['base'])
        sh(`
          echo f > f; ln f hard; ln -s f l; mkdir new; echo g > new/g; touch -d @3000 own; touch -d @4000000000 later
          touch d/kept/gone; rm d/kept/gone; echo 2 >> d/1; chmod 640 d/1
        `)(active.root)
        await active.commit('a', { from, time: EPOCH })
      }
      await using other = open()
      for (const snapshots of [s, other]) {
        await using view = await snapshots.view(['base', 'a'])
        await using active = await snapshots.prepare(['base', 'a'])
        for (const root of [view.root, active.root]) {
          assert.deepEqual(
            times(root, ...written),
            written.map(() => EPOCH),
          )
          assert.deepEqual(times(root, 'own', 'later', 'd', 'd/1', 'd/kept', 'e'), [3000, 4e9, 2000, EPOCH, 1000, 1000])
        }
        // Setting times was no change of the next layer's.
        await active.commit(snapshots === s ? 'b' : 'c', { from: Date.now(), time: EPOCH })
      }
      assert.deepEqual(await changesOf(s, 'b'), [])
      assert.deepEqual(await changesOf(s, 'c'), [])
    },
  },
  {
    name: 'gives the root the time of a layer that holds it, and else leaves it',
    async run({ open }) {
      await using s = open()
      const rootTime = async (...stack: string[]) => {
        await using view = await s.view(stack)
        await using active = await s.prepare(stack)
        assert.deepEqual(times(active.root, ''), times(view.root, ''))
        return times(view.root, '')[0]
      }
      const made = { from: Date.now(), time: EPOCH }
      const make = async (stack: string[], id: string, script: string) => {
        await using active = await s.prepare(stack)
        sh(script)(active.root)
        await active.commit(id, made)
      }
      await layer(s, [], 'base', sh('touch f; touch -d @5000 .'))
      await make(['base'], 'files', 'touch g')
      await make(['base', 'files'], 'mode', 'chmod 750 .; touch h')
      await make([], 'alone', 'touch i')
      assert.equal(await rootTime(), 0)
      assert.equal(await rootTime('base'), 5000)
      assert.equal(await rootTime('base', 'files'), 5000)
      assert.equal(await rootTime('base', 'files', 'mode'), EPOCH)
      assert.equal(await rootTime('alone'), 0)
    },
  },
  {
    name: 'shows no attribute of a lower layer that an upper one has taken away',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'a', sh('mkdir d; setfattr -n user.a -v 1 d; setfattr -n user.b -v 1 d'))
      await layer(s, ['a'], 'b', sh('setfattr -x user.a d; touch d/f'))
      await using other = open()
      await using view = await other.view(['a', 'b'])
      sh('getfattr -n user.b d; ! getfattr -n user.a d')(view.root)
    },
  },
]
