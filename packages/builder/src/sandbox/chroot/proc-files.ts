/** What programs read in /proc that is the same for all processes; the rest of /proc would show those of the machine. */
import fs from 'node:fs'

const NAMES = ['cpuinfo', 'filesystems', 'loadavg', 'meminfo', 'stat', 'uptime', 'version']

/** The files by name. */
export function procFiles(): [name: string, content: Buffer][] {
  return NAMES.map((name) => [name, fs.readFileSync(`/proc/${name}`)])
}
