/** Ends what a process without a pid namespace has left, also when it has killed its supervisor. */
import fs from 'node:fs'

/**
 * Kills every process whose root directory is `rootfs`, whoever its parent is by now, until there is none. Synchronous, so
 * that none is forked faster than they are found by a builder that waits in between.
 */
export function killInside(rootfs: string): void {
  const { dev, ino } = fs.statSync(rootfs, { bigint: true })
  const isInside = (pid: string): boolean => {
    try {
      const root = fs.statSync(`/proc/${pid}/root`, { bigint: true })
      return root.dev === dev && root.ino === ino
    } catch {
      // Gone, a zombie, or not ours to look at.
      return false
    }
  }
  for (let left = true; left; ) {
    const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isInside(name))
    left = pids.length > 0
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // Gone meanwhile.
      }
    }
  }
}
