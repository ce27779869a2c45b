/**
 * The git command, run so that nothing but its arguments decides what it does: no configuration of the machine or user,
 * no hooks, no prompts, no protocols but those that the reference knows.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { throwIfAborted } from '../errors.ts'
import { contextErrors } from './errors.ts'
import type { GitRemote } from './git-remote.ts'

export interface GitOptions {
  readonly signal: AbortSignal
  /** Where PATH, proxies and certificates are taken from. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd?: string | undefined
  /** How the repository is reached. */
  readonly remote?: Pick<GitRemote, 'config' | 'env'> | undefined
}

export interface GitResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What the command may know of the caller's environment. */
const PASSED = [
  'PATH',
  'TMPDIR',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'http_proxy',
  'https_proxy',
  'HTTPS_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
]

const ENVIRONMENT: Readonly<Record<string, string>> = {
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  SSH_ASKPASS: '/bin/false',
  GIT_ALLOW_PROTOCOL: 'http:https:git:ssh',
  GIT_PROTOCOL_FROM_USER: '0',
  GIT_LFS_SKIP_SMUDGE: '1',
  GIT_SSH_COMMAND: '/bin/false',
}

const CONFIG = [
  'protocol.file.allow=never',
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.symlinks=true',
  'core.autocrlf=false',
  'credential.helper=',
  'init.templateDir=',
  'init.defaultBranch=main',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'advice.detachedHead=false',
  'gc.auto=0',
  'maintenance.auto=false',
]

/** What a shell ends with if there is no such command. */
const NOT_FOUND = 127
const MAX_OUTPUT = 16 * 1024 * 1024

const SHELL = '/bin/sh'
/** What the shell does, for containers that have none. */
const LIKE_SHELL = `
process.umask(0o022)
for (const directory of process.env.PATH.split(':')) {
  const file = directory + '/git'
  try { require('node:fs').accessSync(file, 1) } catch { continue }
  process.execve(file, ['git', ...process.argv.slice(1)], process.env)
}
process.exit(${NOT_FOUND})`

/** The command to which git's arguments are added. It sets the umask, which decides the modes of a checkout. */
export function startsGit(shell = SHELL): readonly string[] {
  if (existsSync(shell)) return [shell, '-c', 'umask 022 && exec git "$@"', 'git']
  return [process.execPath, '-e', LIKE_SHELL, '--']
}

/**
 * Runs git to its end; a failure is a normal result. An abort kills it with everything it started.
 *
 * @throws BuildError GIT_MISSING, CANCELLED
 */
export async function git(args: readonly string[], { signal, env, cwd, remote }: GitOptions): Promise<GitResult> {
  throwIfAborted(signal)
  const environment: Record<string, string> = { ...ENVIRONMENT }
  for (const name of PASSED) {
    const value = env[name]
    if (value !== undefined) environment[name] = value
  }
  Object.assign(environment, remote?.env)
  const config = [...CONFIG, ...(remote?.config ?? [])].flatMap((entry) => ['-c', entry])
  // In a process group of its own, so that git's helpers end with it.
  const [program, ...before] = startsGit()
  const child = spawn(program!, [...before, ...config, ...args], {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended already.
    }
  }
  signal.addEventListener('abort', kill, { once: true })
  try {
    return await new Promise<GitResult>((resolve, reject) => {
      const stdout = new Collector(kill)
      const stderr = new Collector(kill)
      child.stdout.on('data', (chunk: Buffer) => stdout.add(chunk))
      child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk))
      child.on('error', reject)
      child.on('close', (code) => {
        if (signal.aborted) return reject(signal.reason)
        if (code === NOT_FOUND) return reject(contextErrors.gitMissing([]))
        resolve({ code: code ?? 128, stdout: stdout.text(), stderr: stderr.text() })
      })
    })
  } catch (error) {
    throwIfAborted(signal)
    throw error
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

/** Output up to a bound, after which the command is killed. */
class Collector {
  readonly #chunks: Buffer[] = []
  readonly #overflow: () => void
  #size = 0

  constructor(overflow: () => void) {
    this.#overflow = overflow
  }

  add(chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > MAX_OUTPUT) this.#overflow()
    else this.#chunks.push(chunk)
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8')
  }
}
