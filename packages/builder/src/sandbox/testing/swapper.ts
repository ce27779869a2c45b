/** An attacker: a process that exchanges two names all the time, while others walk over them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AT_FDCWD } from '../native/files.ts'
import { raw } from '../native/libc.ts'

const RENAME_EXCHANGE = 2
const RENAMEAT2 = process.arch === 'x64' ? 316 : 276
const SELF = fileURLToPath(import.meta.url)

/** Exchanges what two paths name; whether both were there. */
export function exchange(a: string, b: string): boolean {
  return Number(raw.syscallMove(RENAMEAT2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)) === 0
}

/** Exchanges them from now on until it is disposed. @param cwd a directory that is held on to, whatever it is renamed to */
export async function startSwapper(a: string, b: string, cwd = '/'): Promise<AsyncDisposable> {
  return await attack([a, b], cwd)
}

/** Exchanges them in all directories that match a pattern now and later, until it is disposed. */
export async function startSwapperIn(pattern: string, a: string, b: string): Promise<AsyncDisposable> {
  return await attack([a, b, pattern], '/')
}

async function attack(args: readonly string[], cwd: string): Promise<AsyncDisposable> {
  const child = spawn(process.execPath, [SELF, ...args], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

if (process.argv[1] === SELF) {
  const [a, b, pattern] = process.argv.slice(2) as [string, string, string?]
  let places = ['']
  const never = new Int32Array(new SharedArrayBuffer(4))
  // It may be that a name is missing for a moment, or for ever: the attack goes on. With pauses, since the kernel lets
  // nobody walk while somebody renames.
  for (let count = 0; ; count++) {
    Atomics.wait(never, 0, 0, 0.1)
    const worked = places.filter((place) => exchange(join(place, a), join(place, b))).length > 0
    if (!worked && pattern !== undefined) places = globSync(pattern)
    if (count === 0) process.stdout.write(worked ? 'swapping\n' : 'waiting\n')
  }
}
