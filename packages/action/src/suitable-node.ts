/** The Node that runs the action: the runner's own, else one that the job has set up. */
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'

/** What package.json's `engines` says. */
export function isSuitable(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return (major === 24 && minor >= 15) || major >= 26
}

/** The first Node of $PATH that is new enough; its directories are of the runner's and the job's own making. */
function findNode(path: string): string | undefined {
  const files = path.split(delimiter).flatMap((directory) => (directory === '' ? [] : [join(directory, 'node')]))
  return files.find((file) => {
    const { status, stdout } = spawnSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8', timeout: 20_000 })
    return status === 0 && isSuitable(stdout.trim())
  })
}

/**
 * Has a script run by another Node where this one is too old.
 *
 * @param own the version of this process's Node
 * @returns the exit code of the other process; undefined: this one will do
 */
export function runElsewhere(script: string, own: string, env: NodeJS.ProcessEnv): number | undefined {
  if (isSuitable(own)) return undefined
  const node = findNode(env.PATH ?? '')
  if (node === undefined) {
    process.stdout.write(
      `::error title=NODE_TOO_OLD::tsbuild needs Node ^24.15 or >=26, and the runner's is ${own}: update the runner, or let actions/setup-node with node-version 24 go before\n`,
    )
    return 1
  }
  const { status, signal } = spawnSync(node, [script], { stdio: 'inherit', env })
  return status ?? 128 + (signal ? constants.signals[signal] : 0)
}
