/** The proxies of docker's config file, which docker passes to builds as build arguments. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../io.ts'

const NAMES: Readonly<Record<string, string>> = {
  httpProxy: 'HTTP_PROXY',
  httpsProxy: 'HTTPS_PROXY',
  ftpProxy: 'FTP_PROXY',
  noProxy: 'NO_PROXY',
  allProxy: 'ALL_PROXY',
}

/**
 * Build arguments for the proxies that the config file sets by default, in upper and lower case. A file that is missing
 * or cannot be read sets none: what is wrong with it is said where its credentials are needed.
 */
export async function proxyArgs(env: Environment): Promise<Record<string, string>> {
  const directory = env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker')
  const text = await readFile(join(directory, 'config.json'), 'utf8').catch(() => '')
  return text.includes('"proxies"') ? argsOf(text) : {}
}

function argsOf(text: string): Record<string, string> {
  const proxies = field(field(parse(text), 'proxies'), 'default')
  const args: Record<string, string> = {}
  for (const [key, name] of Object.entries(NAMES)) {
    const value = field(proxies, key)
    if (typeof value !== 'string' || value === '') continue
    args[name] = value
    args[name.toLowerCase()] = value
  }
  return args
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined
}
