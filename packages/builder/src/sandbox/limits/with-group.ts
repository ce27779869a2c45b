/** Runs something in a control group with limits. */
import fs from 'node:fs'
import type { ProcessExit, ProcessSpec } from '../executor.ts'
import { ControlGroup } from './group.ts'
import { groupName } from './sweep.ts'

/** Calls `run` with the groups that the process has to join (none without limits) and adds what they know to its exit. */
export async function withGroup(
  spec: ProcessSpec,
  run: (directories: readonly string[]) => Promise<ProcessExit>,
): Promise<ProcessExit> {
  const limited = Object.values(spec.resources).some((value) => value !== undefined)
  if (!limited && spec.cgroupParent === undefined) return await run([])
  const group = await ControlGroup.open({
    limits: spec.resources,
    parent: spec.cgroupParent,
    name: groupName(),
    cgroup: fs.readFileSync('/proc/self/cgroup', 'utf8'),
    mountinfo: fs.readFileSync('/proc/self/mountinfo', 'utf8'),
  })
  if (group === undefined) return await run([])
  try {
    const exit = await run(group.directories)
    const { oomKilled, peakMemory } = group.memoryUse()
    const usage = peakMemory === undefined ? exit.usage : { ...exit.usage, peakMemory }
    return { ...exit, ...(usage === undefined ? {} : { usage }), oomKilled: oomKilled && exit.exitCode !== 0 }
  } finally {
    await group.remove()
  }
}
