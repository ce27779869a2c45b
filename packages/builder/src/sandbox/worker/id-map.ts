/** Which ids a user namespace gets: the caller's own as root, and the caller's subordinate ranges after it. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { promisify } from 'node:util'

/** Ids from `start` on, `count` of them, as in /etc/subuid. */
export interface IdRange {
  readonly start: number
  readonly count: number
}

export interface SubordinateRanges {
  readonly uids: readonly IdRange[]
  readonly gids: readonly IdRange[]
}

/** Fewer ids than this leave out users that images have, such as nobody (65534). */
export const usefulCount = 65_535

/** Lines of /etc/subuid or /etc/subgid that belong to a user, named or by number. */
export function parseRanges(text: string, user: string, uid: number): IdRange[] {
  const ranges: IdRange[] = []
  for (const line of text.split('\n')) {
    const [name, start, count] = line.trim().split(':')
    if (name !== user && name !== String(uid)) continue
    const range = { start: Number(start), count: Number(count) }
    if (Number.isSafeInteger(range.start) && Number.isSafeInteger(range.count) && range.count > 0) ranges.push(range)
  }
  return ranges
}

/** The caller's subordinate ids; undefined when there are none or the helpers to map them are missing. */
export async function subordinateRanges(
  env: Readonly<Record<string, string | undefined>>,
): Promise<SubordinateRanges | undefined> {
  const uid = process.getuid?.() ?? 0
  const name = userName(uid)
  const [uids, gids] = await Promise.all(
    ['/etc/subuid', '/etc/subgid'].map(async (file) =>
      parseRanges(await readFile(file, 'utf8').catch(() => ''), name, uid),
    ),
  )
  if (!uids?.length || !gids?.length) return undefined
  const found = await Promise.all(['newuidmap', 'newgidmap'].map((tool) => onPath(tool, env.PATH)))
  return found.every(Boolean) ? { uids, gids } : undefined
}

/**
 * Whether root filesystems will have one id only: an ordinary user without subordinate ids cannot give files to others, so
 * what RUNs and COPYs see and make is not what it is for everybody else.
 */
export async function hasOneId(env: Readonly<Record<string, string | undefined>> = process.env): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() === 0) return false
  return (await subordinateRanges(env)) === undefined
}

function userName(uid: number): string {
  try {
    return userInfo().username
  } catch {
    // No entry in the machine's passwd file.
    return String(uid)
  }
}

async function onPath(tool: string, path: string | undefined): Promise<boolean> {
  const { access, constants } = await import('node:fs/promises')
  for (const dir of (path ?? '').split(':')) {
    if (
      await access(`${dir}/${tool}`, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true
  }
  return false
}

/** Arguments of newuidmap: inside, outside, count; id 0 is the caller. */
export function mapArguments(own: number, ranges: readonly IdRange[]): string[] {
  const args = ['0', String(own), '1']
  let inside = 1
  for (const { start, count } of ranges) {
    args.push(String(inside), String(start), String(count))
    inside += count
  }
  return args
}

/** Gives the process's user namespace its ids; to be called while it waits for them. */
export async function mapIds(
  pid: number,
  mode: 'subids' | 'single',
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const uid = process.getuid!()
  const gid = process.getgid!()
  if (mode === 'single') {
    // Without this the kernel refuses an unprivileged map of groups.
    await writeFile(`/proc/${pid}/setgroups`, 'deny')
    await writeFile(`/proc/${pid}/uid_map`, `0 ${uid} 1`)
    await writeFile(`/proc/${pid}/gid_map`, `0 ${gid} 1`)
    return
  }
  const ranges = await subordinateRanges(env)
  if (ranges === undefined) throw new Error('no subordinate ids for this user, or newuidmap and newgidmap are missing')
  const run = promisify(execFile)
  const options = { env: { PATH: env.PATH } }
  await Promise.all([
    run('newuidmap', [String(pid), ...mapArguments(uid, ranges.uids)], options),
    run('newgidmap', [String(pid), ...mapArguments(gid, ranges.gids)], options),
  ])
}
