/** Resolves the text of USER and --chown in a root filesystem's /etc/passwd and /etc/group, as the reference does. */
import { readAccountFile } from './account-file.ts'
import { sandboxErrors } from './errors.ts'
import type { ProcessUser } from './executor.ts'

/** A user of the image, as its process gets it. */
export interface ResolvedUser extends ProcessUser {
  /** Home directory of the passwd entry; `/` where there is none. */
  readonly home: string
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/** Larger files than this are not account files. */
const FILE_LIMIT = 16 * 1024 * 1024
const MAX_ID = 2 ** 31 - 1

/**
 * Resolves `name`, `uid`, `name:group`, `uid:gid` (any mixture); '' is root. Names are looked up before numbers, as the
 * files may hold numeric names. Without a group: the passwd entry's group and the groups that list the user; a number
 * without an entry gets gid 0. With a group: only that one.
 *
 * @param rootfs path of the root filesystem; links in it are followed inside it only
 * @throws RUN_UNKNOWN_USER, RUN_UNKNOWN_GROUP, RUN_BAD_USER
 */
export function resolveUser(rootfs: string, text: string): ResolvedUser {
  const colon = text.indexOf(':')
  const userText = colon < 0 ? text : text.slice(0, colon)
  const groupText = colon < 0 ? '' : text.slice(colon + 1)
  const entry = findUser(parsePasswd(accounts(rootfs, '/etc/passwd')), userText === '' ? '0' : userText)
  const { uid, home } = entry
  if (groupText !== '') {
    const gid = findGroup(parseGroup(accounts(rootfs, '/etc/group')), groupText)
    return { uid, gid, additionalGids: [gid], home }
  }
  const { gid, name } = entry
  const listed =
    name === undefined
      ? []
      : parseGroup(accounts(rootfs, '/etc/group'))
          .filter((group) => group.members.includes(name))
          .map((group) => group.gid)
  return { uid, gid, additionalGids: [...new Set([gid, ...listed])], home }
}

/** Further groups of a process by name or number. @throws RUN_UNKNOWN_GROUP */
export function resolveGroups(rootfs: string, texts: readonly string[]): number[] {
  if (texts.length === 0) return []
  const groups = parseGroup(accounts(rootfs, '/etc/group'))
  return texts.map((text) => findGroup(groups, text))
}

function findUser(
  entries: readonly PasswdEntry[],
  text: string,
): { uid: number; gid: number; home: string; name: string | undefined } {
  const number = wantedId(text)
  const entry = entries.find((e) => e.name === text) ?? entries.find((e) => e.uid === number)
  if (entry !== undefined) return { ...entry, home: entry.home || '/' }
  if (number === undefined) throw sandboxErrors.unknownUser([text])
  return { uid: number, gid: 0, home: '/', name: undefined }
}

function findGroup(entries: readonly GroupEntry[], text: string): number {
  const number = wantedId(text)
  const entry = entries.find((e) => e.name === text) ?? entries.find((e) => e.gid === number)
  if (entry !== undefined) return entry.gid
  if (number === undefined) throw sandboxErrors.unknownGroup([text])
  return number
}

/** Decimal digits as a number; undefined for anything else. */
function parseId(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** An id that was asked for. Digits beyond the range are never looked up as a name: an image could give it to root. */
function wantedId(text: string): number | undefined {
  if (/^\d+$/.test(text) && Number(text) > MAX_ID)
    throw sandboxErrors.badUser([`uids and gids must be in range 0-${MAX_ID}`])
  return parseId(text)
}

/** Lines of a passwd file; malformed ones are skipped. */
function parsePasswd(text: string): PasswdEntry[] {
  const entries: PasswdEntry[] = []
  for (const line of text.split('\n')) {
    const [name, , uidText, gidText, , home] = line.trim().split(':')
    const uid = parseId(uidText ?? '')
    const gid = parseId(gidText ?? '')
    if (!name || uid === undefined || gid === undefined) continue
    entries.push({ name, uid, gid, home: home ?? '' })
  }
  return entries
}

/** Lines of a group file; malformed ones are skipped. */
function parseGroup(text: string): GroupEntry[] {
  const entries: GroupEntry[] = []
  for (const line of text.split('\n')) {
    const [name, , gidText, members] = line.trim().split(':')
    const gid = parseId(gidText ?? '')
    if (!name || gid === undefined) continue
    entries.push({ name, gid, members: (members ?? '').split(',').filter((member) => member !== '') })
  }
  return entries
}

function accounts(rootfs: string, path: string): string {
  return readAccountFile(rootfs, path, FILE_LIMIT, (why) => sandboxErrors.badUser([`${path} ${why}`]))
}
