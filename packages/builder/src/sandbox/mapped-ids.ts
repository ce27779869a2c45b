/** Which users and groups exist in this process's user namespace: the kernel refuses all others with EINVAL. */
import fs from 'node:fs'
import { sandboxErrors } from './errors.ts'

/** Somebody to whom a file or process is to belong, as the Dockerfile has it. */
export interface WantedIds {
  readonly uid: number
  readonly gid: number
  /** `the owner of --mount=type=cache on /c`. */
  readonly what: string
}

/** Throws RUN_USER_NOT_MAPPED for the first that does not exist here. */
export function checkIds(wanted: Iterable<WantedIds>): void {
  const [users, groups] = ['uid_map', 'gid_map'].map(readRanges)
  for (const { uid, gid, what } of wanted)
    if (!includes(users!, uid) || !includes(groups!, gid)) throw sandboxErrors.userNotMapped([`${what} ${uid}:${gid}`])
}

type Range = readonly [first: number, count: number]

function readRanges(file: string): Range[] {
  const lines = fs.readFileSync(`/proc/self/${file}`, 'latin1').trim().split('\n')
  return lines.map((line) => {
    const [first, , count] = line.trim().split(/\s+/).map(Number)
    return [first!, count!]
  })
}

function includes(ranges: readonly Range[], id: number): boolean {
  return ranges.some(([first, count]) => id >= first && id < first + count)
}
