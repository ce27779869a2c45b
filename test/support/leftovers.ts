/** What a build could leave behind: processes, mounts, files. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/**
 * Processes that have to do with a state directory: they name it (or the given text) in their arguments, live below
 * it, or have mounts made of it. Zombies do not count.
 *
 * @returns their ids with their command lines
 */
export function processesOf(root: string, text = root): string[] {
  const found: string[] = []
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    if (/^State:\s+Z/m.test(read(`/proc/${pid}/status`))) continue
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim()
    const inside = ['root', 'cwd'].some((name) => link(`/proc/${pid}/${name}`).startsWith(root))
    if (command.includes(text) || inside || mountsOf(root, pid).length > 0) found.push(`${pid} ${command}`)
  }
  return found
}

/** Mounts of a process (default: this one's) that are made of a directory. */
export function mountsOf(root: string, pid = 'self'): string[] {
  return read(`/proc/${pid}/mountinfo`)
    .split('\n')
    .filter((line) => line.includes(`${root}/`) || line.includes(` ${root} `))
}

/** Files and directories below a directory whose path matches. */
export function pathsBelow(directory: string, matches: (path: string) => boolean = () => true): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
      matches(join(directory, path)),
    )
  } catch {
    return []
  }
}
