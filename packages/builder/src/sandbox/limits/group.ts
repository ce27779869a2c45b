/** A control group for one process: made with its limits, asked about memory at the end, removed. */
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { hasCode } from '../../util/has-code.ts'
import { makeDirectorySync } from '../../util/make-directory.ts'
import { isSystemError, systemReason } from '../../util/system-error.ts'
import { sandboxErrors } from '../errors.ts'
import type { ResourceLimits } from '../executor.ts'
import { type Controller, findPlaces, type GroupPlace } from './hierarchy.ts'
import { type Setting, settingsOf } from './settings.ts'
import { removeGroup, removeGroupSoon, sweepGroups } from './sweep.ts'

export interface GroupOptions {
  readonly limits: ResourceLimits
  /** `--cgroup-parent`: absolute from the hierarchy's root, else below our own group. */
  readonly parent: string | undefined
  /** Unique among the groups of this machine; see `groupName`. */
  readonly name: string
  /** Contents of /proc/self/cgroup and /proc/self/mountinfo. */
  readonly cgroup: string
  readonly mountinfo: string
}

export interface MemoryUse {
  readonly oomKilled: boolean
  readonly peakMemory: number | undefined
}

/** A group across the hierarchies it needs. */
export class ControlGroup {
  /** To be joined by the process: its id goes into `cgroup.procs` of each. */
  readonly directories: readonly string[]
  /** Made above the groups, outer first; removed unless another run has a group in them. */
  readonly #parents: readonly string[]
  readonly #memory: { readonly version: 1 | 2; readonly directory: string } | undefined

  private constructor(
    directories: readonly string[],
    parents: readonly string[],
    memory: { version: 1 | 2; directory: string } | undefined,
  ) {
    this.directories = directories
    this.#parents = parents
    this.#memory = memory
  }

  /**
   * Makes the group: in the hierarchies that the limits need, with a parent in all. undefined when there is neither.
   * Throws LIMIT_UNAVAILABLE, BAD_LIMIT.
   */
  static async open(options: GroupOptions): Promise<ControlGroup | undefined> {
    const places = findPlaces(options.cgroup, options.mountinfo)
    const versions = [1, 2] as const
    const settings = new Map(
      versions.flatMap((version) =>
        [...settingsOf(options.limits, version)].filter(([c]) => (places.get(c)?.version ?? 1) === version),
      ),
    )
    if (settings.size === 0 && options.parent === undefined) return undefined
    const made = new Set<string>()
    const parents = new Set<string>()
    const unavailable: string[] = []
    const refused: string[] = []
    let reason: string | undefined
    let memory: { version: 1 | 2; directory: string } | undefined
    for (const [controller, values] of settings) {
      const place = places.get(controller)
      try {
        if (place === undefined) throw new Error('no such controller')
        const directory = makeGroup(place, options, parents, controller)
        made.add(directory)
        writeSettings(directory, values)
        if (controller === 'memory') memory = { version: place.version, directory }
      } catch (error) {
        if (error instanceof RefusedValue) refused.push(error.message)
        else unavailable.push(`${controller} (${systemReason(error)})`)
      }
    }
    if (options.parent !== undefined)
      for (const place of places.values()) {
        try {
          made.add(makeGroup(place, options, parents))
        } catch (error) {
          reason ??= systemReason(error)
        }
      }
    const group = new ControlGroup([...made], [...parents], memory)
    if (unavailable.length + refused.length === 0 && made.size > 0) return group
    await group.remove()
    if (refused.length > 0) throw sandboxErrors.badLimit([refused.join(', ')])
    if (unavailable.length > 0) throw sandboxErrors.limitUnavailable([`limit ${unavailable.join(', ')}`])
    const why = reason === undefined ? '' : ` (${reason})`
    throw sandboxErrors.limitUnavailable([`make groups below --cgroup-parent ${options.parent}${why}`])
  }

  /** Asked after the process has ended and before {@link remove}. */
  memoryUse(): MemoryUse {
    if (this.#memory === undefined) return { oomKilled: false, peakMemory: undefined }
    const { version, directory } = this.#memory
    const [events, peak] =
      version === 1 ? ['memory.oom_control', 'memory.max_usage_in_bytes'] : ['memory.events', 'memory.peak']
    const kills = /^oom_kill (\d+)$/m.exec(read(join(directory, events)))?.[1]
    const bytes = Number.parseInt(read(join(directory, peak)), 10)
    return { oomKilled: Number(kills ?? 0) > 0, peakMemory: Number.isNaN(bytes) ? undefined : bytes }
  }

  /** Removes the group; its processes are gone, though the kernel may need a moment to see it. */
  async remove(): Promise<void> {
    for (const directory of this.directories) await removeGroupSoon(directory)
    for (const directory of this.#parents.toReversed()) removeGroup(directory)
  }
}

function read(path: string): string {
  try {
    return fs.readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/**
 * Makes the group's directory; `parents` is told of directories above it that had to be made.
 *
 * @param controller what it is to limit; without one it is only there to be joined
 */
function makeGroup(
  place: GroupPlace,
  { parent, name }: GroupOptions,
  parents: Set<string>,
  controller?: Controller,
): string {
  const above =
    parent === undefined ? place.own : parent.startsWith('/') ? join(place.mount, parent) : join(place.own, parent)
  const directory = join(above, name)
  for (let attempt = 0; ; attempt++) {
    try {
      makeBelow(above, place, controller, (made) => parents.add(made))
      sweepGroups(above)
      makeBelow(directory, place, controller, () => {})
      return directory
    } catch (error) {
      // Another run that ends takes the parents away that it has made.
      if (attempt === 20 || !hasCode(error, 'ENOENT', 'ENODEV')) throw error
    }
  }
}

function makeBelow(
  directory: string,
  place: GroupPlace,
  controller: Controller | undefined,
  onMade: (path: string) => void,
): void {
  const above = dirname(directory)
  if (fs.existsSync(directory)) return
  makeBelow(above, place, controller, onMade)
  if (place.version === 2 && controller !== undefined) delegate(above, controller)
  try {
    fs.mkdirSync(directory)
    onMade(directory)
  } catch (error) {
    // Another run has been faster.
    if (!hasCode(error, 'EEXIST')) throw error
  }
  if (place.version === 1) {
    // Empty in a new group, and nothing can join it then. Only the hierarchy of cpuset has them.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (fs.existsSync(join(directory, file))) fs.writeFileSync(join(directory, file), read(join(above, file)))
  }
}

/** Version 2 hands a controller down only from groups without processes: ours move into a group of their own. */
function delegate(above: string, controller: Controller): void {
  const file = join(above, 'cgroup.subtree_control')
  if (read(file).split(/\s+/).includes(controller)) return
  try {
    fs.writeFileSync(file, `+${controller}`)
  } catch (error) {
    if (!hasCode(error, 'EBUSY')) throw error
    const aside = join(above, 'tsbuild-self')
    makeDirectorySync(aside)
    for (const pid of read(join(above, 'cgroup.procs')).split('\n'))
      if (pid !== '') fs.writeFileSync(join(aside, 'cgroup.procs'), pid)
    fs.writeFileSync(file, `+${controller}`)
  }
}

function writeSettings(directory: string, settings: readonly Setting[]): void {
  for (const [file, value] of settings) {
    // Without swap accounting there is no such file, and no swap to limit.
    if (/swap|memsw/.test(file) && !fs.existsSync(join(directory, file))) continue
    try {
      fs.writeFileSync(join(directory, file), value)
    } catch (error) {
      // What may not be opened is none of the value's fault.
      if (isSystemError(error) && error.syscall === 'write') throw new RefusedValue(file, value, error)
      throw error
    }
  }
}

/** The file of a limit could be opened, but the kernel does not take this value. */
class RefusedValue extends Error {
  constructor(file: string, value: string, cause: unknown) {
    super(`the kernel refuses ${JSON.stringify(value)} for ${file}: ${systemReason(cause)}`, { cause })
  }
}
