/** The flags of `tsbuild run` that mean more than their text. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { getSystemErrorMessage } from 'node:util'
import { type Resources, resource } from '../flags/build/limits.ts'
import { parseInteger } from '../flags/values.ts'
import type { Environment } from '../io.ts'
import { UsageError } from '../usage-error.ts'

/** Variables of files, then of flags: `NAME=value`, or `NAME` for the caller's own, which is left out when unset. */
export function parseVariables(flags: readonly string[], files: readonly string[], env: Environment): string[] {
  const lines = files.flatMap((file) =>
    readVariableFile(file)
      .split(/\r?\n/)
      .map((line) => line.trimStart())
      .filter((line) => line !== '' && !line.startsWith('#')),
  )
  return [...lines, ...flags].flatMap((text) => {
    const equals = text.indexOf('=')
    const name = equals < 0 ? text : text.slice(0, equals)
    if (name === '' || /\s/.test(name)) throw new UsageError(`invalid environment variable: ${JSON.stringify(text)}`)
    if (equals >= 0) return [text]
    return env[name] === undefined ? [] : [`${name}=${env[name]}`]
  })
}

function readVariableFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException
    const reason = errno === undefined ? message : getSystemErrorMessage(errno)
    throw new UsageError(`cannot read --env-file ${file}: ${reason}`)
  }
}

/** Flags of limits by name, as docker run has them. */
export const LIMIT_FLAGS = [
  { name: 'memory', alias: 'm', type: 'string', value: 'SIZE', help: 'Memory the processes may use, such as 512m' },
  { name: 'memory-swap', type: 'string', value: 'SIZE', help: 'Memory and swap together, -1 for no limit of swap' },
  { name: 'cpus', type: 'string', value: 'N', help: 'CPUs the processes may use, such as 1.5' },
  { name: 'cpu-shares', type: 'string', value: 'N', help: 'Weight against other groups' },
  { name: 'cpu-period', type: 'string', value: 'µS', help: 'Period of --cpu-quota' },
  { name: 'cpu-quota', type: 'string', value: 'µS', help: 'CPU time in each period' },
  { name: 'cpuset-cpus', type: 'string', value: 'LIST', help: 'CPUs to run on, such as 0-3' },
  { name: 'cpuset-mems', type: 'string', value: 'LIST', help: 'Memory nodes to use, such as 0,1' },
  { name: 'pids-limit', type: 'string', value: 'N', help: 'Processes and threads there may be, -1 for no limit' },
] as const

type LimitValues = { readonly [N in (typeof LIMIT_FLAGS)[number]['name']]?: string }

/** Period (µs) that a number of CPUs is counted in. */
const PERIOD = 100_000

export function parseLimits(values: LimitValues): Resources {
  const other = (['cpu-period', 'cpu-quota'] as const).find((name) => values[name] !== undefined)
  if (values.cpus !== undefined && other !== undefined)
    throw new UsageError(`conflicting options: --cpus and --${other} cannot both be set`)
  let resources: Resources = {}
  for (const { name } of LIMIT_FLAGS) {
    const value = values[name]
    if (value === undefined) continue
    if (name === 'pids-limit') resources = { ...resources, pids: parseInteger(value, name, -1) }
    else if (name === 'cpus') resources = { ...resources, ...parseCpus(value) }
    else resources = { ...resources, ...resource(name, value, name) }
  }
  return resources
}

/** As docker takes it: 0 is no limit. */
function parseCpus(text: string): Resources {
  const cpus = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : -1
  if (cpus === 0) return {}
  const most = availableParallelism()
  if (cpus < 0.01) throw new UsageError(`invalid argument ${JSON.stringify(text)} for --cpus`, 'write it as 1.5')
  if (cpus > most)
    throw new UsageError(
      `range of CPUs is from 0.01 to ${most}.00, as there are only ${most} CPUs available, not ${text}`,
    )
  return { cpuPeriod: PERIOD, cpuQuota: Math.round(cpus * PERIOD) }
}
