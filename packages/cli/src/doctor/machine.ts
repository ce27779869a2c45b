/** Reads what a machine is like: files of /proc and /sys, and programs on PATH. Tests pass their own. */
import { accessSync, constants, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Environment } from '../io.ts'

export interface Machine {
  /** The text of a file, undefined when there is none that can be read. */
  read(path: string): string | undefined
  list(path: string): readonly string[]
  writable(path: string): boolean
  /** The path of a program. */
  find(program: string): string | undefined
  /** Type (f_type) and free bytes of the file system of a path. */
  fileSystem(path: string): { readonly type: number; readonly free: number } | undefined
  readonly uid: number
  readonly user: string
}

/** This machine. */
export function thisMachine(env: Environment, user: string): Machine {
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work()
    } catch {
      return undefined
    }
  }
  const allows = (path: string, mode: number): boolean => attempt(() => accessSync(path, mode) ?? true) ?? false
  return {
    read: (path) => attempt(() => readFileSync(path, 'utf8')),
    list: (path) => attempt(() => readdirSync(path)) ?? [],
    writable: (path) => allows(path, constants.W_OK),
    find: (program) =>
      (env.PATH ?? '')
        .split(delimiter)
        .filter((directory) => directory !== '')
        .map((directory) => join(directory, program))
        .find((path) => allows(path, constants.X_OK)),
    fileSystem: (path) =>
      attempt(() => {
        const { type, bavail, bsize } = statfsSync(path)
        return { type, free: bavail * bsize }
      }),
    uid: process.geteuid?.() ?? -1,
    user,
  }
}
