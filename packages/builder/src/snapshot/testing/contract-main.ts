/**
 * Runs the contract cases for one kind of snapshotter in this process, inside whatever namespaces it was started in, and
 * prints a line of JSON per case. Started by snapshotter.test.ts.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSnapshotter } from '../index.ts'
import { roomOf } from '../kinds.ts'
import { snapshotterContract } from '../snapshotter.contract.ts'

const [kind, directory] = process.argv.slice(2) as ['overlay' | 'copy', string]
const manyIds = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/)[2] !== '1'

for (const [i, { name, run }] of snapshotterContract.entries()) {
  const own = join(directory, String(i))
  mkdirSync(own)
  const context = {
    open: () => openSnapshotter(own, kind).snapshotter,
    directory: join(own, roomOf(kind)),
    manyIds,
    manyLayers: kind === 'overlay' ? 200 : 40,
  }
  try {
    await run(context)
    console.log(JSON.stringify({ name }))
  } catch (error) {
    console.log(JSON.stringify({ name, error: (error as Error).stack }))
  }
}
