/** What the cases of the snapshotters' contract are written with. */
import { execFileSync } from 'node:child_process'
import type { SnapshotId, Snapshotter } from '../snapshotter.ts'

/** What a case gets. */
export interface ContractContext {
  /** Opens the snapshots of `directory`, as another process would. */
  open(): Snapshotter
  /** A directory of the case's own. */
  readonly directory: string
  /** Whether more ids than 0 exist here. */
  readonly manyIds: boolean
  /** How many layers the kind should stack in reasonable time. */
  readonly manyLayers: number
}

export interface ContractCase {
  readonly name: string
  run(context: ContractContext): Promise<void>
}

export type Write = (root: string) => void

export const sh =
  (script: string): Write =>
  (root) => {
    execFileSync('sh', ['-ec', script], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
  }

export async function layer(
  s: Snapshotter,
  stack: readonly SnapshotId[],
  id: SnapshotId,
  write: Write,
): Promise<SnapshotId> {
  await using active = await s.prepare(stack)
  write(active.root)
  await active.commit(id)
  return id
}

export async function changesOf(s: Snapshotter, id: SnapshotId): Promise<string[]> {
  const found: string[] = []
  for await (const change of s.changes(id)) {
    const isDirectory = change.kind === 'upsert' && change.stat.isDirectory()
    found.push(`${change.kind === 'delete' ? '-' : '+'}${change.path}${isDirectory ? '/' : ''}`)
  }
  return found
}
