/** `--ulimit`, `--resource` and the flags of the same meaning that older docker versions had. */
import type { BuildOptions } from '@tsbuild/builder'
import { UsageError } from '../../usage-error.ts'
import { keyValue } from '../csv.ts'
import { suggest } from '../suggest.ts'
import { parseInteger, parseSize } from '../values.ts'

export type Ulimit = NonNullable<BuildOptions['ulimits']>[number]
export type Resources = NonNullable<BuildOptions['resources']>

/** One `--ulimit NAME=SOFT[:HARD]`; -1 is unlimited. The library says which names and values there can be. */
export function parseUlimit(text: string): Ulimit {
  const pair = keyValue(text)
  if (!pair) throw new UsageError(`invalid ulimit argument: ${text}`, 'write it as --ulimit nofile=1024:2048')
  const [name, limits] = pair
  const values = limits.split(':')
  if (values.length > 2) {
    throw new UsageError(`too many limit values - ${limits}, can only have up to two, \`soft[:hard]\``)
  }
  const soft = parseInteger(values[0]!, 'ulimit', -1)
  const hard = values[1] === undefined ? soft : parseInteger(values[1], 'ulimit', -1)
  return { name, soft, hard }
}

const RESOURCES: Readonly<Record<string, (value: string, flag: string) => Resources>> = {
  memory: (value, flag) => ({ memory: parseSize(value, flag) }),
  'memory-swap': (value, flag) => ({ memorySwap: value === '-1' ? -1 : parseSize(value, flag) }),
  'cpu-shares': (value, flag) => ({ cpuShares: parseInteger(value, flag) }),
  'cpu-period': (value, flag) => ({ cpuPeriod: parseInteger(value, flag) }),
  'cpu-quota': (value, flag) => ({ cpuQuota: parseInteger(value, flag, -1) }),
  'cpuset-cpus': (value, flag) => ({ cpusetCpus: cpuSet(value, flag) }),
  'cpuset-mems': (value, flag) => ({ cpusetMems: cpuSet(value, flag) }),
  pids: (value, flag) => ({ pids: parseInteger(value, flag, -1) }),
}

/** `--resource KEY=VALUE[,KEY=VALUE]`, many times; a later value wins. */
export function parseResources(values: readonly string[]): Resources {
  let resources: Resources = {}
  for (const text of values) {
    for (const field of resourceFields(text)) {
      const pair = keyValue(field)
      if (!pair) throw new UsageError(`invalid resource ${JSON.stringify(field)}, expected key=value`)
      resources = { ...resources, ...resource(pair[0], pair[1], 'resource') }
    }
  }
  return resources
}

/** What limits of zero come to, for those who expected another thing. */
export function limitNotices(flag: string, resources: Resources): string[] {
  return Object.entries(resources).flatMap(([name, amount]) =>
    amount === 0 ? [`--${flag}: ${name} 0 sets no limit`] : [],
  )
}

/** One limit by its docker name. */
export function resource(key: string, value: string, flag: string): Resources {
  const parse = Object.hasOwn(RESOURCES, key) ? RESOURCES[key] : undefined
  if (parse) return parse(value, flag)
  const close = suggest(key, Object.keys(RESOURCES))
  throw new UsageError(`unknown resources key ${key}`, close && `did you mean ${close}?`)
}

/** Commas separate limits, but also the parts of a CPU list: a part without `=` belongs to the one before. */
function resourceFields(text: string): string[] {
  const fields: string[] = []
  for (const part of text.split(',')) {
    if (fields.length > 0 && !part.includes('=') && fields.at(-1)!.startsWith('cpuset-'))
      fields.push(`${fields.pop()},${part}`)
    else fields.push(part)
  }
  return fields
}

function cpuSet(value: string, flag: string): string {
  if (/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(value)) return value
  throw new UsageError(`invalid value ${JSON.stringify(value)} for --${flag}`, 'write a list such as 0-3 or 0,2')
}
