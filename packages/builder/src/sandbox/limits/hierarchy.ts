/** Where this process stands in the machine's control groups, from /proc/self. */

/** Controllers that limits need. */
export type Controller = 'memory' | 'cpu' | 'cpuset' | 'pids'

/** Our own group of a controller. */
export interface GroupPlace {
  readonly version: 1 | 2
  /** Directory of the group this process is in, as it can be reached here. */
  readonly own: string
  /** Directory that the hierarchy is mounted on. */
  readonly mount: string
}

interface CgroupMount {
  readonly version: 1 | 2
  readonly mount: string
  /** Path of the group that is mounted; not `/` in containers that see a part of the tree. */
  readonly root: string
  readonly controllers: ReadonlySet<string>
}

const wanted: readonly Controller[] = ['memory', 'cpu', 'cpuset', 'pids']

function parseMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = []
  for (const line of mountinfo.split('\n')) {
    const words = line.split(' ')
    const separator = words.indexOf('-')
    const type = words[separator + 1]
    if (separator < 0 || (type !== 'cgroup' && type !== 'cgroup2')) continue
    const [root, mount] = [words[3] ?? '/', words[4] ?? '']
    mounts.push({
      version: type === 'cgroup' ? 1 : 2,
      mount,
      root,
      controllers: new Set(words[separator + 3]?.split(',')),
    })
  }
  return mounts
}

/** `controller → place`; a controller of version 1 wins, as it is then not available to version 2. */
export function findPlaces(cgroup: string, mountinfo: string): Map<Controller, GroupPlace> {
  const mounts = parseMounts(mountinfo)
  const places = new Map<Controller, GroupPlace>()
  for (const line of cgroup.split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (names === undefined || path === undefined) continue
    const version = names === '' ? 2 : 1
    for (const controller of wanted) {
      if (version === 1 ? !names.split(',').includes(controller) : places.has(controller)) continue
      const found = mounts.find((m) => m.version === version && (version === 2 || m.controllers.has(controller)))
      if (found === undefined) continue
      places.set(controller, { version, mount: found.mount, own: found.mount + below(path, found.root) })
    }
  }
  return places
}

function below(path: string, root: string): string {
  if (root === '/') return path === '/' ? '' : path
  return path.startsWith(`${root}/`) ? path.slice(root.length) : ''
}
