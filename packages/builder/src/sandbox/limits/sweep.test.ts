import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { currentOwner } from '../../util/life.ts'
import { groupName, groupPrefix, sweepGroups } from './sweep.ts'

const above = fs.mkdtempSync(join(tmpdir(), 'tsbuild-sweep-'))
afterEach(() => fs.rmSync(above, { recursive: true, force: true }))

it('removes the groups of processes that are gone, and no others', () => {
  const [pid, started, namespace, boot, random] = currentOwner().split('-')
  const named = (...owner: unknown[]): string => `${groupPrefix}${owner.join('-')}.x`
  const gone = named(pid, Number(started) + 1, namespace, boot, random)
  // Their processes cannot be looked up from here.
  const hidden = named(pid, started, `${namespace}1`, boot, random)
  const nameless = `${groupPrefix}nobody`
  const kept = [groupName(), hidden, nameless, 'others']
  for (const name of [gone, ...kept]) fs.mkdirSync(join(above, name))
  sweepGroups(above)
  expect(fs.readdirSync(above).sort()).toEqual(kept.toSorted())

  const longAgo = Date.now() / 1000 - 2 * 24 * 60 * 60
  for (const name of kept) fs.utimesSync(join(above, name), longAgo, longAgo)
  sweepGroups(above)
  expect(fs.readdirSync(above).sort()).toEqual([kept[0], 'others'].toSorted())
})
