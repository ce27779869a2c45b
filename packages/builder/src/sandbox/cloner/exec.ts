/** Finds the program of a process as runc does and replaces this process with it. */
import fs from 'node:fs'
import type { ProcessSpec } from '../executor.ts'
import { setResourceLimits } from '../limits/rlimit.ts'
import { check, raw, SystemError } from '../native/libc.ts'

/** The program cannot be run; `exitCode` as a shell would give: 127 not found, 126 not executable. */
export class ExecError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

const TEXT: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENOEXEC: 'exec format error',
  ENAMETOOLONG: 'file name too long',
  E2BIG: 'argument list too long',
  ETXTBSY: 'text file busy',
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO'
}

/** undefined when the file can be executed, else the reason in the words of Go's os/exec. */
function obstacle(path: string): { readonly text: string; readonly code: string } | undefined {
  try {
    if (fs.statSync(path).isDirectory()) return { text: TEXT.EISDIR!, code: 'EISDIR' }
  } catch (error) {
    const code = codeOf(error)
    return { text: `stat ${path}: ${TEXT[code] ?? code}`, code }
  }
  try {
    fs.accessSync(path, fs.constants.X_OK)
    return undefined
  } catch (error) {
    const code = codeOf(error)
    return { text: TEXT[code] ?? code, code }
  }
}

/** The file that `name` means: itself with a slash in it, else the first executable of that name on `path`. */
function findProgram(name: string, path: string): string {
  if (name.includes('/')) {
    const reason = obstacle(name)
    if (reason === undefined) return name
    throw new ExecError(`exec: ${JSON.stringify(name)}: ${reason.text}`, reason.code === 'ENOENT' ? 127 : 126)
  }
  for (const dir of path.split(':')) {
    const file = `${dir === '' ? '.' : dir}/${name}`
    if (obstacle(file) === undefined) return file
  }
  throw new ExecError(`exec: ${JSON.stringify(name)}: executable file not found in $PATH`, 127)
}

/** The value that a variable has for the program: the last one wins, as the C library's getenv sees it after runc. */
export function variable(env: readonly string[], name: string): string | undefined {
  return env.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)
}

/** Replaces this process; its limits are the program's, so they come last. Returns only by throwing. */
export function execProcess(wanted: ProcessSpec): never {
  const file = findProgram(wanted.args[0] ?? '', variable(wanted.env, 'PATH') ?? '')
  setResourceLimits(wanted.ulimits)
  try {
    check(raw.execve(file, [...wanted.args, null], [...wanted.env, null]), 'execve', file)
  } catch (error) {
    const code = error instanceof SystemError ? error.code : 'EIO'
    throw new ExecError(`exec ${file}: ${TEXT[code] ?? code}`, code === 'ENOENT' ? 127 : 126)
  }
  throw new ExecError(`exec ${file}: returned`, 126)
}
