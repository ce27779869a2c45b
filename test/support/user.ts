/** An ordinary user with sub-ids, made for the time of the tests when they run as root. */
import { closeSync, openSync } from 'node:fs'
import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tryLock } from '../../packages/builder/src/util/flock.ts'
import { must, run, until } from './process.ts'
import { tempDirectory } from './temp.ts'
import { repository } from './tools.ts'

export interface OrdinaryUser extends AsyncDisposable {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** Gives it sub-ids that it did not have, or others. */
  addSubIds(): Promise<void>
}

/** Adds a user that can log in nowhere, with 65536 sub-ids or none; removed when disposed. Needs root. */
export async function addUser(options: { readonly subIds?: boolean } = {}): Promise<OrdinaryUser> {
  const name = `tsbuild${process.pid}`
  using _alone = await lockAccounts()
  const sparing = ['--key', 'SUB_UID_COUNT=0', '--key', 'SUB_GID_COUNT=0']
  await must('useradd', ['--no-create-home', '--home-dir', '/nonexistent', '--shell', '/bin/false', ...sparing, name])
  try {
    if (options.subIds !== false) await addSubIds(name)
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number(await must('id', [flag, name]))))
    const add = async () => {
      using _accounts = await lockAccounts()
      await addSubIds(name)
    }
    return { name, uid: uid!, gid: gid!, addSubIds: add, [Symbol.asyncDispose]: () => removeUser(name) }
  } catch (error) {
    await run('userdel', [name])
    throw error
  }
}

async function addSubIds(name: string): Promise<void> {
  const first = await freeSubIds()
  const range = `${first}-${first + 65535}`
  await must('usermod', ['--add-subuids', range, '--add-subgids', range, name])
}

async function removeUser(name: string): Promise<void> {
  using _alone = await lockAccounts()
  await run('userdel', [name])
}

/** Test files run side by side: the tools of accounts fail when another one has its files, and ranges must not meet. */
async function lockAccounts(): Promise<Disposable> {
  const fd = openSync('/etc', 'r')
  await until('the accounts', () => tryLock(fd, 'exclusive') !== 'held', 60_000)
  return { [Symbol.dispose]: () => closeSync(fd) }
}

/** A range behind all known ones is always free. */
async function freeSubIds(): Promise<number> {
  let next = 1_000_000
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    for (const line of (await readFile(file, 'utf8').catch(() => '')).split('\n')) {
      const [, first, count] = line.split(':')
      if (first && count) next = Math.max(next, Number(first) + Number(count))
    }
  }
  return next
}

/** How to run the command as a user: as `options` of a workspace's `run`. */
export interface OrdinaryCommand extends AsyncDisposable {
  readonly options: { readonly uid: number; readonly gid: number; readonly checkout?: string }
}

/** The checkout may lie where only root can read it; then a copy is made that everybody can. */
export async function ordinaryCommand(user: OrdinaryUser): Promise<OrdinaryCommand> {
  const { uid, gid } = user
  const readable = await run('test', ['-r', join(repository, 'packages/cli/bin/tsbuild.js')], { uid, gid })
  if (readable.code === 0) return { options: { uid, gid }, [Symbol.asyncDispose]: async () => {} }
  const copy = await tempDirectory('tsbuild-test-checkout-')
  await chmod(copy.path, 0o755)
  const parts = ['packages', 'node_modules', 'examples', 'package.json'].map((name) => join(repository, name))
  await must('cp', ['-a', '--reflink=auto', ...parts, copy.path])
  return { options: { uid, gid, checkout: copy.path }, [Symbol.asyncDispose]: () => copy[Symbol.asyncDispose]() }
}
