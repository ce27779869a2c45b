/** What the machine that runs the tests has, and the words for what it lacks. */
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

export const repository = resolve(import.meta.dirname, '../..')
/** The folder beside the checkout with the conformance corpus and the attacks. */
export const shared = resolve(repository, '../shared')
export const isRoot = process.getuid?.() === 0
/** In CI every tool is there: its lack is a failure, not a skip. */
export const inCI = process.env.CI === 'true'

/** Tools of administrators lie where an ordinary user's PATH does not look. */
export const toolPath = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter)

/** The path of a program, undefined when it is not installed. */
export function which(name: string): string | undefined {
  for (const directory of toolPath.split(delimiter)) {
    const path = join(directory || '.', name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return undefined
}

/** Programs whose package has another name. */
const PACKAGES: Readonly<Record<string, string>> = {
  busybox: 'busybox-static',
  newuidmap: 'uidmap',
  setpriv: 'util-linux',
  xz: 'xz-utils',
  sshd: 'openssh-server',
  'ssh-agent': 'openssh-client',
  docker: 'a container engine',
}

export interface Gate {
  /** For `describe.skipIf` and `it.skipIf`. */
  readonly skip: boolean
  /** What stands behind the title: why it is skipped, or nothing. */
  readonly note: string
}

/**
 * Whether tests that need these things can run here.
 *
 * @param needs names of programs, `root` for the superuser, `shared` for the folder beside the checkout
 * @throws Error in CI, when a program is missing
 */
export function gate(...needs: readonly string[]): Gate {
  const reasons = needs.flatMap((need) => {
    if (need === 'root') return isRoot ? [] : ['needs root']
    if (need === 'shared') return existsSync(join(shared, 'conformance/run.mjs')) ? [] : ['needs ../shared']
    if (which(need)) return []
    const packaged = PACKAGES[need] ?? need
    if (inCI) throw new Error(`${need} is missing; .ci/run should have installed ${packaged}`)
    return [`needs ${packaged}`]
  })
  return { skip: reasons.length > 0, note: reasons.length > 0 ? ` (skipped: ${reasons.join(', ')})` : '' }
}
