/** What snapshotters do with snapshots that something else has deleted parts of, or changed. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { type ContractCase, layer, sh } from './testing/contract-case.ts'

const write = sh('mkdir -p d/e empty; echo one > d/one; echo two > d/e/two; ln -s one d/link')

const DELETIONS: readonly ((content: string) => void)[] = [
  (content) => fs.rmSync(join(content, 'd/e/two')),
  (content) => fs.rmSync(join(content, 'd'), { recursive: true }),
  (content) => fs.rmdirSync(join(content, 'empty')),
  (content) => fs.rmSync(content, { recursive: true }),
  (content) => fs.writeFileSync(join(content, 'd/e/more'), ''),
  (content) => fs.rmSync(join(content, '../layer.json')),
  (content) => fs.rmSync(join(content, '../seal')),
  (content) => fs.writeFileSync(join(content, '../layer.json'), '{"format"'),
]

const CHANGES: readonly ((content: string) => void)[] = [
  (content) => fs.truncateSync(join(content, 'd/one'), 1),
  (content) => {
    const path = join(content, 'd/e/two')
    const { atimeMs, mtimeMs } = fs.statSync(path)
    fs.writeFileSync(path, 'twp\n')
    fs.utimesSync(path, atimeMs / 1000, mtimeMs / 1000)
  },
  (content) => fs.chmodSync(join(content, 'd/one'), 0o777),
]

export const damageCases: readonly ContractCase[] = [
  {
    name: 'does not use a snapshot whose parts were deleted',
    async run({ open, directory }) {
      for (const [i, damage] of DELETIONS.entries()) {
        const id = `layer-${i}`
        {
          await using s = open()
          await layer(s, [], id, write)
        }
        damage(join(directory, id, 'fs'))
        await using s = open()
        assert.equal(await s.has(id), false, String(damage))
        await assert.rejects(s.view([id]), { code: 'SNAPSHOT_MISSING' }, String(damage))
        await layer(s, [], id, write)
        assert.equal(await s.has(id), true)
      }
    },
  },
  {
    name: 'notices what is deleted while it is used',
    async run({ open, directory }) {
      for (const [i, damage] of DELETIONS.entries()) {
        const id = `layer-${i}`
        await using s = open()
        await layer(s, [], id, write)
        await using active = await s.prepare([id])
        await s.verify()
        damage(join(directory, id, 'fs'))
        await assert.rejects(s.verify(), { code: 'SNAPSHOT_DAMAGED' }, String(damage))
        assert.equal(await s.has(id), false)
        await active[Symbol.asyncDispose]()
      }
    },
  },
  {
    name: 'notices files that were changed, whatever their times say',
    async run({ open, directory }) {
      for (const [i, damage] of CHANGES.entries()) {
        const id = `layer-${i}`
        {
          await using s = open()
          await layer(s, [], id, write)
        }
        damage(join(directory, id, 'fs'))
        await using s = open()
        await assert.rejects(s.verify([id], 'files'), { code: 'SNAPSHOT_DAMAGED' }, String(damage))
      }
    },
  },
  {
    name: 'takes a snapshot that hides files for whole when what made it is gone',
    async run({ open }) {
      {
        await using s = open()
        await layer(s, [], 'below', write)
        await layer(s, ['below'], 'above', sh('rm d/one d/e/two'))
        await layer(s, ['below', 'above'], 'top', sh('rm -r d'))
      }
      await using s = open()
      await s.verify(['below', 'above', 'top'], 'files')
    },
  },
  {
    name: 'puts a snapshot that is made again in the place of one that was changed',
    async run({ open, directory }) {
      for (const [i, damage] of CHANGES.entries()) {
        const id = `layer-${i}`
        const content = join(directory, id, 'fs')
        {
          await using s = open()
          await layer(s, [], id, write)
        }
        damage(content)
        await using s = open()
        await layer(s, [], id, write)
        await s.verify([id], 'files')
        assert.equal(fs.readFileSync(join(content, 'd/one'), 'utf8'), 'one\n', String(damage))
        assert.equal(fs.readFileSync(join(content, 'd/e/two'), 'utf8'), 'two\n', String(damage))
        assert.equal(fs.statSync(join(content, 'd/one')).mode & 0o777, 0o644, String(damage))
      }
    },
  },
  {
    name: 'takes a snapshot out of reach at once and deletes it later',
    async run({ open, directory }) {
      await using s = open()
      await layer(s, [], 'a', write)
      await s.discard('a')
      await s.discard('unknown')
      assert.equal(await s.has('a'), false)
      assert.deepEqual(await s.purge(), [])
      assert.deepEqual(
        fs.readdirSync(directory).filter((name) => !/^\.(boot|new-.*)$/.test(name)),
        [],
      )
    },
  },
]
