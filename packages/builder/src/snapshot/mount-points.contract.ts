/** Mount points that are no part of what is committed: the cases of every snapshotter. */
import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { type ContractCase, changesOf, layer, sh } from './testing/contract-case.ts'

export const mountPointCases: readonly ContractCase[] = [
  {
    name: 'shows mount points only where the stack has nothing, and commits none',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'base', sh('mkdir etc; echo own > etc/hosts'))
      const points = ['/etc/hosts', '/etc/resolv.conf', '/srv/point']
      for (const [stack, id] of [
        [['base'], 'one'],
        [[], 'two'],
      ] as const) {
        await using active = await s.prepare(stack, undefined, points)
        const shown = (path: string) => {
          const file = join(active.root, path)
          return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined
        }
        assert.equal(shown('etc/hosts') || undefined, stack.length > 0 ? 'own\n' : undefined)
        const seen = s.kind === 'overlay' ? '' : undefined
        assert.deepEqual([shown('etc/resolv.conf'), shown('srv/point')], [seen, seen])
        if (seen !== undefined) assert.equal(fs.statSync(join(active.root, 'srv')).mode & 0o777, 0o755)
        await active.commit(id)
        assert.deepEqual(await changesOf(s, id), [])
      }
      await using active = await s.prepare(['base'], undefined, points)
      fs.mkdirSync(join(active.root, 'srv'), { recursive: true })
      fs.writeFileSync(join(active.root, 'srv/new'), '')
      await active.commit('three')
      assert.deepEqual(await changesOf(s, 'three'), ['+srv/', '+srv/new'])
      await using view = await s.view(['base', 'three'])
      assert.deepEqual(
        [fs.readdirSync(join(view.root, 'srv')), fs.readdirSync(join(view.root, 'etc'))],
        [['new'], ['hosts']],
      )
    },
  },
]
