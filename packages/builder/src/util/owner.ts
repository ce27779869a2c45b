/**
 * Names a process so that others can tell later whether it still lives: for locks and temporary files. A pid alone is
 * reused, so its start time and pid namespace belong to the name. Leaf module.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs'

/** `<pid>-<start time in clock ticks>-<pid namespace>`, safe in file names. */
export type Owner = string

/** How long a sign of life from a process in another pid namespace (another container) is believed, milliseconds. */
const FOREIGN_LIFE_MS = 60 * 60 * 1000

let own: Owner | undefined

/** The name of this process, which is read once. */
export function currentOwner(): Owner {
  own ??= `${process.pid}-${startTime(process.pid) ?? 0}-${pidNamespace()}`
  return own
}

/**
 * Whether the process that `owner` names is gone. `touched` is when it last gave a sign of life (milliseconds since the
 * epoch), which decides where its pid means nothing here. Text that is no owner's name counts as gone after the same time.
 */
export function isGone(owner: string, touched: number, now: number): boolean {
  const match = /^(\d+)-(\d+)-(\d+)$/.exec(owner)
  if (match && match[3] === pidNamespace()) {
    const started = startTime(Number(match[1]))
    return started === undefined ? !answers(Number(match[1])) : String(started) !== match[2]
  }
  return now - touched > FOREIGN_LIFE_MS
}

/** The owner that a temporary file's name starts with (`<owner>.<anything>`), when it was last touched, and if it is gone. */
export function isAbandoned(path: string, name: string, now: number): boolean {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return touched !== undefined && isGone(name.slice(0, name.indexOf('.')), touched, now)
}

function startTime(pid: number): string | undefined {
  try {
    // The name in field 2 may hold blanks and parentheses: count from the last one. Field 22 is the start time.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie has ended; its entry only waits for its parent.
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/** For systems without /proc, where {@link startTime} knows nothing. */
function answers(pid: number): boolean {
  if (process.platform === 'linux') return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0'
  }
}
