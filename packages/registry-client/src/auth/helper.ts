/**
 * Docker credential helpers: programs named `docker-credential-<name>` that keep passwords (docker's
 * "credential helper protocol": a command as argument, data on stdin and stdout).
 */

import { spawn } from 'node:child_process'
import { registryErrors } from '../model/errors.ts'
import { object, parseDocument, SchemaProblem, text } from '../model/schema.ts'
import type { Credentials } from './credentials.ts'

export interface HelperCall {
  readonly command: 'get' | 'store' | 'erase'
  /** The key of the registry. */
  readonly server: string
  /** For `store`. */
  readonly credentials?: { readonly username: string; readonly password: string }
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
}

const outputLimit = 1 << 20
const helperMs = 60_000

/**
 * Runs a helper. For `get` its credentials, undefined when it has none; else undefined.
 *
 * @throws RegistryError CREDENTIAL_HELPER
 */
export async function runHelper(name: string, call: HelperCall): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw registryErrors.credentialHelper([name, 'not a valid name of a helper'])
  const { command, server, credentials } = call
  const input =
    command === 'store'
      ? JSON.stringify({ ServerURL: server, Username: credentials?.username, Secret: credentials?.password })
      : server
  const { code, stdout, stderr } = await run(name, command, input, call)
  if (code !== 0) {
    const said = `${stdout} ${stderr}`.trim()
    if (command !== 'store' && /credentials not found in native keychain/i.test(said)) return undefined
    throw registryErrors.credentialHelper([
      name,
      `${command} failed with exit code ${code}: ${command === 'get' ? said.slice(0, 300) : stderr.trim().slice(0, 300)}`,
    ])
  }
  return command === 'get' ? parseAnswer(name, stdout) : undefined
}

const answerSchema = object<{ readonly Username: string; readonly Secret: string }>({ Username: text, Secret: text })

function parseAnswer(name: string, stdout: string): Credentials | undefined {
  let answer: ReturnType<typeof answerSchema>
  try {
    answer = parseDocument(Buffer.from(stdout), answerSchema)
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error
    // Which says what is missing, and nothing of what is there.
    throw registryErrors.credentialHelper([name, `its answer cannot be used: ${error.message}`])
  }
  const { Username, Secret } = answer
  if (Username === '' && Secret === '') return undefined
  return Username === '<token>' ? { identityToken: Secret } : { username: Username, password: Secret }
}

function run(
  name: string,
  command: string,
  input: string,
  { env, signal }: HelperCall,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(helperMs)
    const child = spawn(`docker-credential-${name}`, [command], {
      env: env as NodeJS.ProcessEnv,
      stdio: ['pipe', 'pipe', 'pipe'],
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    })
    const output = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        output[stream] += text
        if (output[stream].length > outputLimit) child.kill('SIGKILL')
      })
    }
    child.on('error', (cause) => {
      if (signal?.aborted) return reject(signal.reason)
      const why =
        (cause as NodeJS.ErrnoException).code === 'ENOENT'
          ? 'the program is not in PATH'
          : limit.aborted
            ? 'no answer within 60 s'
            : cause.message
      reject(registryErrors.credentialHelper([name, why], { cause }))
    })
    child.on('close', (code) => resolve({ code, ...output }))
    // A helper that does not read its input is not at fault.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
