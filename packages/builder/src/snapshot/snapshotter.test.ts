import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { snapshotterContract } from './snapshotter.contract.ts'

const main = new URL('testing/contract-main.ts', import.meta.url).pathname
const isRoot = process.getuid?.() === 0
/** An ordinary user to become as root; any id will do. */
const USER = 12345

interface Place {
  readonly name: string
  /** Command that starts the cases in the right namespaces. */
  readonly command: readonly string[]
  readonly owner: number | undefined
}

const asUser = isRoot ? ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'] : []
const places: readonly Place[] = [
  { name: 'as root', command: ['unshare', '-m'], owner: undefined },
  {
    name: 'as an ordinary user in a user namespace',
    command: [...asUser, 'unshare', '-r', '-m'],
    owner: isRoot ? USER : undefined,
  },
]

/** Why the cases cannot run at a place; undefined when they can. */
function obstacle(place: Place): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux'
  if (place.command[0] === 'unshare' && place.command.length === 2 && !isRoot) return 'needs root'
  for (const tool of ['setfattr', 'unshare']) if (spawnSync(tool, ['--version']).error) return `needs ${tool}`
  const [command, ...args] = [...place.command, process.execPath, '-e', '0']
  const { status, stderr } = spawnSync(command!, args)
  return status === 0 ? undefined : `needs namespaces: ${stderr}`
}

for (const kind of ['overlay', 'copy'] as const) {
  for (const place of places) {
    const why = obstacle(place)
    describe.skipIf(why)(`${kind} snapshots ${place.name}${why ? ` (${why.trim()})` : ''}`, () => {
      let directory = ''
      const results = new Map<string, { error?: string }>()

      beforeAll(() => {
        directory = mkdtempSync(join(tmpdir(), 'snapshotter-'))
        if (place.owner !== undefined) chownSync(directory, place.owner, place.owner)
        const [command, ...args] = [...place.command, process.execPath, main, kind, directory]
        const { stdout, stderr } = spawnSync(command!, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
        for (const line of stdout.split('\n').filter(Boolean)) {
          const result = JSON.parse(line) as { name: string; error?: string }
          results.set(result.name, result)
        }
        if (results.size === 0) throw new Error(stderr)
      }, 120_000)

      // Files of other ids can only be removed from where they were made.
      afterAll(() => {
        if (directory) execFileSync('rm', ['-rf', directory])
      })

      it.each(snapshotterContract.map(({ name }) => name))('%s', (name) => {
        expect(results.get(name), 'the process ended before this case').toBeDefined()
        expect(results.get(name)?.error).toBeUndefined()
      })
    })
  }
}
