/** Processes of other pid namespaces, as containers are that share a volume, and clocks that are wrong. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from './index.ts'

let root: string
let store: Store
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'alive-'))
  store = await openStore(root)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const UNSHARE = ['unshare', '-rpf', '--mount-proc', '--kill-child']
const canUnshare = spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), 'true']).status === 0
const module = JSON.stringify(new URL('store.ts', import.meta.url).pathname)
/** Takes a lease and a lock, and makes temporary files, then does nothing more. */
const HOLDER = `
  import { writeFileSync } from 'node:fs'
  import { openStore } from ${module}
  const store = await openStore(process.argv[1])
  const lease = await store.lease(Date.now())
  await store.keep({ snapshots: ['wanted'] })
  await store.locks.acquire('mine')
  const directory = await store.blobs.temporary('directory')
  const file = store.blobs.temporaryFile('file')
  writeFileSync(file.path, 'half')
  console.log('holding')
  setInterval(() => [lease, directory], 1000)`

/** @param prefix a command that starts a command elsewhere */
async function startHolder(prefix: readonly string[]): Promise<ChildProcess> {
  const node = [process.execPath, '--input-type=module-typescript', '-e', HOLDER, root]
  const [command, ...args] = [...prefix, ...node]
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  return child
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}

const held = () => ['tmp', 'leases', 'alive'].map((name) => readdirSync(join(root, name)).length)

/** Every file looks as if it had not been touched for years, or as if it came from the future. */
function setTimes(years: number): void {
  const time = Date.now() / 1000 + years * 365 * 86400
  for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' })) utimesSync(join(root, path), time, time)
}

const elsewhere = canUnshare ? '' : ' (skipped: needs user namespaces)'
describe.each([
  ['this pid namespace', [], false],
  [`another pid namespace${elsewhere}`, UNSHARE, !canUnshare],
] as const)('a process of %s', (_name, prefix, skip) => {
  it.skipIf(skip).each([-3, 0, 3])('keeps what is its own when files are %i years old', async (years) => {
    const holder = await startHolder(prefix)
    try {
      setTimes(years)
      const again = await openStore(root)
      expect(held()).toEqual([2, 1, 1])
      for (const now of [0, Date.now(), Date.now() * 2])
        expect(await again.leases(now)).toMatchObject([{ refs: { snapshots: ['wanted'] } }])
      expect(await again.locks.tryAcquire('mine')).toBeUndefined()
    } finally {
      await end(holder)
    }
    setTimes(-years)
    const after = await openStore(root)
    expect(await after.leases(Date.now())).toEqual([])
    expect(held()).toEqual([0, 0, 0])
    await using lock = await after.locks.tryAcquire('mine')
    expect(lock).toBeDefined()
  })
})

it('of a machine that was started anew is gone, whatever its pid', async () => {
  const { pid } = process
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1)!.split(' ')
  const namespace = /\d+/.exec(spawnSync('readlink', ['/proc/self/ns/pid'], { encoding: 'utf8' }).stdout)![0]
  const now = join(root, 'tmp', `${pid}-${fields[19]}-${namespace}.file`)
  const before = join(root, 'tmp', `${pid}-${fields[19]}-${namespace}-00000000-0.file`)
  for (const path of [now, before]) writeFileSync(path, '')
  await openStore(root)
  expect([existsSync(now), existsSync(before)]).toEqual([true, false])
})

it('a store lets go of all that it has open', async () => {
  const open = () => readdirSync('/proc/self/fd').length
  const before = open()
  {
    await using lease = await store.lease(Date.now())
    await using _second = await store.lease(Date.now())
    await lease.keep({ blobs: ['sha256:x'] })
    await using _lock = await store.locks.acquire('x')
    await using _file = store.blobs.temporaryFile('x')
    expect(held()).toEqual([0, 2, 1])
  }
  expect([held(), open()]).toEqual([[0, 0, 0], before])
})

it('a lease whose file is deleted comes back with all that it keeps', async () => {
  await using lease = await store.lease(5)
  await lease.keep({ snapshots: ['one'] })
  rmSync(join(root, 'leases'), { recursive: true })
  rmSync(join(root, 'alive'), { recursive: true })
  await lease.keep({ snapshots: ['two'] })
  expect(await store.leases(0)).toMatchObject([{ started: 5, refs: { snapshots: ['two', 'one'] } }])
})
