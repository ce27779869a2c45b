/** Arguments that are there before the first FROM: the platform's, the target's, and the file's own global ARGs. */

import { EnvList } from '../graph/env-list.ts'
import { type PlatformArgs, predefinedEntries } from '../graph/predefined-args.ts'
import type { ArgNode } from '../instructions/nodes.ts'
import type { Expander } from './expander.ts'

/** The predefined global arguments; `--build-arg` overrides each of them. */
export function predefinedArgs(args: PlatformArgs, buildArgs: ReadonlyMap<string, string>): EnvList {
  return new EnvList(predefinedEntries(args, buildArgs))
}

/** Adds the ARGs that stand before the first FROM; `--build-arg` wins over their defaults. */
export function addGlobalArgs(
  args: EnvList,
  nodes: readonly ArgNode[],
  buildArgs: ReadonlyMap<string, string>,
  expander: Expander,
): EnvList {
  const result = args.clone()
  for (const node of nodes) {
    for (const { key, value } of node.args) {
      const given = buildArgs.get(key)
      if (given !== undefined) result.set(key, given)
      else if (value !== undefined) result.set(key, expander.word(value, result, node.raw))
    }
  }
  return result
}

const PROXY_ARGS = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy', 'all_proxy']

/** Proxy variables given as build arguments, in both cases: for RUN's environment, never for history or cache keys. */
export function proxyEnvironment(buildArgs: ReadonlyMap<string, string>): string[] {
  const found = new Map<string, string>()
  for (const [name, value] of [...buildArgs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const lower = name.toLowerCase()
    if (PROXY_ARGS.includes(lower)) found.set(lower, value)
  }
  return [...found].flatMap(([name, value]) => [`${name.toUpperCase()}=${value}`, `${name}=${value}`])
}
