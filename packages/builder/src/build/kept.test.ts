import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mutations } from '../../../registry-client/src/model/schema.test-support.ts'
import { openStore } from '../store/store.ts'
import { findKeptRun, listKeptRuns } from './kept.ts'

const run = {
  name: 'failed-1234',
  step: 'RUN x',
  message: 'no',
  failed: 5,
  params: {
    stack: ['a'],
    args: ['x'],
    env: ['A=b'],
    cwd: '/',
    user: '',
    mounts: [{ type: 'tmpfs', target: '/t', size: 5 }],
  },
}

it('whatever stands in a record of a kept run, it is one or is left out', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'tsbuild-kept-'))
  const { records } = await openStore(directory.path)
  await records.put('kept', run.name, run)
  expect(await listKeptRuns(records)).toEqual([run])
  const other = mutations(run).filter((text) => !text.includes('1e999'))
  await fc.assert(
    fc.asyncProperty(other, async (text) => {
      await records.put('kept', 'failed-5678', JSON.parse(text))
      const found = await listKeptRuns(records)
      expect(found).toContainEqual(run)
      for (const { name, failed, params } of found) {
        expect([typeof name, typeof failed]).toEqual(['string', 'number'])
        expect([...params.stack, ...params.args, ...params.env].every((word) => typeof word === 'string')).toBe(true)
        expect(params.mounts.every(({ target }) => typeof target === 'string')).toBe(true)
      }
      await findKeptRun(records, 'failed-9').catch((error) => expect(error.code).toBe('KEPT_UNKNOWN'))
    }),
    { numRuns: 150 },
  )
})
