/**
 * One writer at a time in a directory, across processes and containers, with files alone: what died while it had the lock
 * does not keep the others out.
 *
 * A lock that the kernel keeps would need no sign of life, but Node has no call for it and this package nothing native;
 * nor do all file systems that layouts lie on have such locks for all machines that share them.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, readFile, readlink, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writing } from '../util/writing.ts'

/** How often an owner shows that it lives, and how long one that cannot be looked at is given. Milliseconds. */
const heartbeatMs = 2000
const patienceMs = 30_000

/** A process that can be told from all others. */
interface Place {
  /** The processes among which `pid` means something: of one boot, in one pid namespace. */
  readonly realm: string
  readonly pid: number
  /** When the process began, in ticks since the boot, for pids are used again; '' where that is not told. */
  readonly started: string
}

/** Who has a lock. */
interface Owner extends Place {
  /** Unlike that of all other owners. */
  readonly token: string
}

/**
 * Takes a lock; disposing gives it back.
 *
 * The file is linked into place whole, so that there is one winner. It is removed by its owner, or, when that is dead, by
 * whoever has a lock of the same kind on that: of all who find a dead owner one removes it, and nobody a living one.
 *
 * @throws RegistryError ARCHIVE_FAILED
 */
export async function lockFile(path: string, signal?: AbortSignal): Promise<AsyncDisposable> {
  return await writing(path, take(path, signal))
}

async function take(path: string, signal: AbortSignal | undefined): Promise<AsyncDisposable> {
  const owner: Owner = { token: randomBytes(8).toString('hex'), ...(await ownPlace()) }
  const text = JSON.stringify(owner)
  const draft = `${path}.${owner.token}.tmp`
  const watch = new Watch(owner)
  try {
    await writeFile(draft, text, { flag: 'wx' })
    for (;;) {
      signal?.throwIfAborted()
      if (await place(draft, path, text)) return hold(path, owner)
      const other = await readOwner(path)
      if (other === undefined) continue
      if (await watch.isDead(other, path)) {
        await using _alone = await take(join(dirname(path), `.${other.token}.lock`), signal)
        if ((await readOwner(path))?.token === other.token) await unlink(path).catch(absent)
      } else await sleep(1 + Math.random() * 10)
    }
  } finally {
    // Also when there was no room to write it.
    await unlink(draft).catch(absent)
  }
}

/** @returns false when somebody else has it */
async function place(draft: string, path: string, text: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code ?? '')) throw error
  }
  // File systems without links: others may see the file before its content, and wait then.
  try {
    await writeFile(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function hold(path: string, { token }: Owner): AsyncDisposable {
  const beat = () => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }
  const timer = setInterval(beat, heartbeatMs).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      if ((await readOwner(path))?.token === token) await unlink(path).catch(absent)
    },
  }
}

/** Tells the dead from the living. Those of another realm cannot be looked at: they are watched for a sign of life. */
class Watch {
  readonly #own: Place
  #seen = ''
  #since = 0

  constructor(own: Place) {
    this.#own = own
  }

  async isDead(owner: Owner, path: string): Promise<boolean> {
    if (owner.realm === this.#own.realm) return !(await isRunning(owner))
    const modified = (await stat(path).catch(absent))?.mtimeMs
    const sign = `${owner.token} ${modified}`
    const now = performance.now()
    if (sign !== this.#seen) {
      this.#seen = sign
      this.#since = now
    }
    return now - this.#since > patienceMs
  }
}

async function isRunning({ pid, started }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return started === '' || (await startOf(String(pid))) === started
}

async function ownPlace(): Promise<Place> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(hostname)
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  return { realm: `${boot.trim()} ${namespace}`, pid: process.pid, started: await startOf('self') }
}

/** Field 22 of its stat; the name before it may hold anything. A zombie runs no more. */
async function startOf(pid: string): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? '')
}

/** undefined when there is no such file; an owner that nobody knows when it is not written yet. */
async function readOwner(path: string): Promise<Owner | undefined> {
  // A FIFO in its place is no reason to wait.
  const flag = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const text = await readFile(path, { encoding: 'utf8', flag }).catch(absent)
  if (text === undefined) return undefined
  try {
    const { token, realm, pid, started } = JSON.parse(text) as Partial<Owner>
    if (/^[0-9a-f]{16}$/.test(String(token)) && Number.isSafeInteger(pid) && pid! > 0)
      return { token: String(token), realm: String(realm), pid: pid!, started: String(started) }
  } catch {
    // Not of our making, or not yet whole.
  }
  return { token: 'unknown', realm: '', pid: 0, started: '' }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
