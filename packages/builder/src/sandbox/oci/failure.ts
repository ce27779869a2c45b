/** Puts the different words of runtimes for a process that does not start into those of the reference. */
import fs from 'node:fs'
import type { BuildError } from '../../errors.ts'
import { sandboxErrors } from '../errors.ts'
import type { ProcessSpec } from '../executor.ts'
import { AT_FDCWD, O_DIRECTORY, O_PATH, openAt } from '../native/files.ts'
import { resolveInRoot } from '../native/resolve.ts'

/** The error for what a runtime has said. */
export function explainFailure(spec: ProcessSpec, rootfs: string, said: string): BuildError {
  const name = spec.args[0] ?? ''
  const quoted = JSON.stringify(name)
  const ulimits = spec.ulimits.map(({ name, soft, hard }) => `${name}=${soft}:${hard}`).join(' ')
  if (ulimits !== '' && /rlimit/i.test(said))
    return sandboxErrors.badLimit([`ulimit ${ulimits} is above what this machine permits`])
  if (ulimits !== '' && /too many open files|cannot allocate memory|already dead/i.test(said))
    return sandboxErrors.badLimit([`ulimit ${ulimits} leaves the OCI runtime too little to start a process: ${said}`])
  if (/chdir|cwd/i.test(said)) {
    const reason = /not a directory/i.test(said) ? 'not a directory' : /denied/i.test(said) ? 'permission denied' : said
    return sandboxErrors.setupFailed([`chdir to cwd (${JSON.stringify(spec.cwd)}) failed: ${reason}`])
  }
  if (/exec format error/i.test(said))
    return sandboxErrors.execFailed([`exec ${name}: exec format error`], { exitCode: 126 })
  if (/not found in \$PATH/i.test(said))
    return sandboxErrors.execFailed([`exec: ${quoted}: executable file not found in $PATH`], { exitCode: 127 })
  if (/is a directory/i.test(said))
    return sandboxErrors.execFailed([`exec: ${quoted}: is a directory`], { exitCode: 126 })
  if (/permission denied/i.test(said) && /exec/i.test(said)) {
    const reason = isDirectory(rootfs, name) ? 'is a directory' : 'permission denied'
    return sandboxErrors.execFailed([`exec: ${quoted}: ${reason}`], { exitCode: 126 })
  }
  if (/no such file/i.test(said) && /exec/i.test(said)) {
    const there = name.includes('/') && entryMode(rootfs, name) !== undefined
    const reason = there
      ? `exec ${name}: no such file or directory`
      : `exec: ${quoted}: stat ${name}: no such file or directory`
    return sandboxErrors.execFailed([reason], { exitCode: 127 })
  }
  return sandboxErrors.setupFailed([said])
}

function isDirectory(rootfs: string, path: string): boolean {
  return ((entryMode(rootfs, path) ?? 0) & fs.constants.S_IFMT) === fs.constants.S_IFDIR
}

function entryMode(rootfs: string, path: string): number | undefined {
  const root = openAt(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY)
  try {
    const { fd, mode } = resolveInRoot(root, path)
    fs.closeSync(fd)
    return mode
  } catch {
    return undefined
  } finally {
    fs.closeSync(root)
  }
}
