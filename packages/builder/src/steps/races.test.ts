/** Others change a place while the worker deletes it or writes there: nothing outside is touched. */
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startSwapper } from '../sandbox/testing/swapper.ts'
import type { Snapshotter } from '../snapshot/snapshotter.ts'
import { removeTree } from '../util/remove-tree.ts'
import { CacheMounts } from './cache-mounts.ts'
import { copyRootfs } from './worker-rootfs.ts'

/** A machine may be busy with other things, and a round take long: none of the tests is about that. */
const TIMEOUT = 600_000
const NAMES = Array.from({ length: 500 }, (_, i) => `f${i}`)
const { signal } = new AbortController()

let base: string
let outside: string
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'steps-races-'))
  outside = join(base, 'outside')
  fill(outside)
})
afterEach(() => removeTree(base))

function fill(directory: string): void {
  fs.mkdirSync(directory, { recursive: true })
  for (const name of NAMES) fs.writeFileSync(join(directory, name), 'x')
}

function expectUntouched(): void {
  const contents = fs.readdirSync(outside).map((name) => fs.readFileSync(join(outside, name), 'utf8'))
  expect(contents).toEqual(NAMES.map(() => 'x'))
}

it('a cache that is emptied while it is in use', { timeout: TIMEOUT }, async () => {
  const spec = {
    type: 'cache',
    id: 'c',
    target: '/c',
    sharing: 'shared',
    readonly: false,
    seed: undefined,
    source: '/',
    mode: 0o755,
    uid: process.getuid!(),
    gid: process.getgid!(),
  } as const
  for (let round = 0; round < 2; round++) {
    // By caches that were not emptied by this process yet.
    const open = (renew: boolean) =>
      new CacheMounts(join(base, 'caches'), join(base, 'alive')).open({ ...spec, renew }, undefined, signal)
    const first = await open(false)
    const data = fs.readlinkSync(`/proc/self/fd/${first.fd}`)
    fs.closeSync(first.fd)
    fill(join(data, 'good'))
    fs.rmSync(join(base, 'evil'), { recursive: true, force: true })
    fs.symlinkSync(outside, join(base, 'evil'))
    // As a process does that has it mounted: wherever it is moved to.
    await using _attacker = await startSwapper('good', join(base, 'evil'), data)
    const renewed = await open(true)
    expect(fs.readdirSync(`/proc/self/fd/${renewed.fd}`)).toEqual([])
    fs.closeSync(renewed.fd)
    expectUntouched()
  }
})

it('a directory that files are handed out to', { timeout: TIMEOUT }, async () => {
  const root = join(base, 'root')
  fill(join(root, 'd'))
  for (const name of NAMES) fs.writeFileSync(join(root, 'd', name), 'of the image')
  const view = async () => ({ root, [Symbol.asyncDispose]: async () => undefined })
  const verify = async () => undefined
  const context = { snapshotter: { view, verify } as unknown as Snapshotter, signal, emit: async () => undefined }
  const dest = join(base, 'dest')
  await using _attacker = await startSwapper(join(dest, 'd'), join(dest, 'evil'))
  for (let round = 0; round < 10; round++) {
    fs.mkdirSync(join(dest, 'd'), { recursive: true })
    fs.symlinkSync(outside, join(dest, 'evil'))
    // It may fail, since what it is to write into is no directory at times.
    await copyRootfs(
      { parts: [{ stack: [], source: '/', directory: '', name: '', time: undefined }], dest },
      context,
    ).catch(() => undefined)
    fs.renameSync(dest, join(base, `dest-${round}`))
    expectUntouched()
  }
})
