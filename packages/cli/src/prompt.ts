/** Questions on the terminal, and passwords that are never shown. */
import { text } from 'node:stream/consumers'
import type { Input, Io } from './io.ts'
import { write } from './io.ts'
import { UsageError } from './usage-error.ts'

const MAX_ANSWER = 64 * 1024

/**
 * Asks for a line on the terminal; with `secret` nothing of it is shown.
 *
 * @throws UsageError when stdin is no terminal; the signal's reason when it is aborted
 */
export async function ask(
  { stdin, stderr }: Io,
  question: string,
  options: { readonly secret: boolean; readonly signal: AbortSignal },
): Promise<string> {
  if (!stdin.isTTY || !stdin.setRawMode) throw new UsageError(`cannot ask for ${question}: stdin is no terminal`)
  await write(stderr, `${question}: `)
  stdin.setRawMode(true)
  const restore = (): void => void stdin.setRawMode?.(false)
  process.once('exit', restore)
  try {
    return await readLine(stdin, options.signal, (shown) => (options.secret ? undefined : stderr.write(shown)))
  } finally {
    restore()
    process.removeListener('exit', restore)
    stdin.pause()
    await write(stderr, '\n')
  }
}

/** Reads a password from a pipe; the newline at its end is no part of it. */
export async function readPasswordFrom(stdin: Input): Promise<string> {
  if (stdin.isTTY) throw new UsageError('--password-stdin needs a password on stdin', 'pipe it into the command')
  const password = (await text(stdin)).replace(/\r?\n$/, '')
  if (password === '') throw new UsageError('the password on stdin is empty')
  if (password.length > MAX_ANSWER) throw new UsageError('the password on stdin is too long')
  return password
}

/** A raw terminal sends keys, not lines: what they mean is up to us, Ctrl-C included. */
function readLine(stdin: Input, signal: AbortSignal, echo: (text: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = ''
    let ended = false
    const end = (settle: () => void): void => {
      ended = true
      stdin.removeListener('data', onData)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = (): void => end(() => reject(signal.reason))
    const onKey = (key: string): void => {
      if (key === '\r' || key === '\n') end(() => resolve(line))
      else if (key === '\x04' && line === '') end(() => reject(new UsageError('no answer')))
      else if (key === '\x03') process.kill(process.pid, 'SIGINT')
      else if (key === '\x7f' || key === '\b') {
        if (line !== '') echo('\b \b')
        line = [...line].slice(0, -1).join('')
      } else if (key >= ' ' && line.length < MAX_ANSWER) {
        line += key
        echo(key)
      }
    }
    const onData = (data: string | Buffer): void => {
      for (const key of data.toString('utf8')) if (!ended) onKey(key)
    }
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    signal.addEventListener('abort', onAbort)
    stdin.on('data', onData).resume()
  })
}
