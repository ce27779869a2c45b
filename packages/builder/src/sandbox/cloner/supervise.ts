/** Cleans up after a process that has no pid namespace: kills what it leaves behind, and everything when the worker goes. */
import fs from 'node:fs'
import type { InitStatus } from '../init-protocol.ts'
import { raw } from '../native/libc.ts'
import { adoptOrphans, type CloneableMemory, cloneProcess, openPidFd, reap, waitReadable } from '../native/process.ts'

const SIGKILL = 9
/** How often the process is looked for where the kernel cannot tell of its end by descriptor. */
const POLL_MS = 5
/** How often orphans that have ended are collected. */
const ORPHANS_MS = 100

/**
 * Clones once more and returns in that clone only, which becomes the program. This process stays as its supervisor and
 * ends with its exit code.
 *
 * @param options.orphans collect them when they end, and not only with the program
 */
export function superviseClone(
  life: number,
  memory: CloneableMemory,
  tell: (message: InitStatus) => void,
  { orphans = false }: { readonly orphans?: boolean } = {},
): void {
  adoptOrphans()
  const pid = cloneProcess(0, memory)
  if (pid === 0) return
  const pidFd = openPidFd(pid)
  for (;;) {
    const pause = pidFd === undefined ? POLL_MS : orphans ? ORPHANS_MS : -1
    const [closed] = waitReadable(pidFd === undefined ? [life] : [life, pidFd], pause)
    if (closed) raw.kill(pid, SIGKILL)
    let ended = orphans ? reap(-1, closed) : reap(pid, closed)
    while (ended !== undefined && ended.pid !== pid) ended = reap(-1, closed)
    if (ended === undefined) continue
    killDescendants()
    if (ended.signal !== undefined) tell({ type: 'signal', number: ended.signal })
    raw.exit(ended.exitCode)
  }
}

/** Kills until nothing is left: orphans become children of this process, so none gets away by forking twice. */
function killDescendants(): void {
  // Node's own process.pid was read before the clone.
  const self = raw.getpid()
  for (;;) {
    for (let found = true; found; ) {
      found = false
      for (const pid of descendants(self)) if (raw.kill(pid, SIGKILL) === 0) found = true
      while (reap(-1) !== undefined);
    }
    if (reap(-1, true) === undefined) return
  }
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'latin1')
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      // A zombie is dead already; it only waits to be collected by its parent, which is killed too or is this process.
      if (state !== 'Z') parents.set(Number(name), Number(parent))
    } catch {
      // Gone meanwhile.
    }
  }
  const below = (pid: number): boolean => {
    for (let at = parents.get(pid), steps = 0; at !== undefined && steps < parents.size; at = parents.get(at), steps++)
      if (at === root) return true
    return false
  }
  return [...parents.keys()].filter(below)
}
