/** The order of mounts, the places none may take, and the files that every process gets. */
import type { ProcessSpec, SandboxMount } from '../executor.ts'

const STANDARD = new Set(['', '/proc', '/dev', '/sys'])

/** Parents before what is mounted below them, else in the order given. */
function inMountOrder<M extends { readonly target: string }>(mounts: readonly M[]): M[] {
  const depth = (path: string): number => path.split('/').filter((part) => part !== '' && part !== '.').length
  return mounts.toSorted((a, b) => depth(a.target) - depth(b.target))
}

/** Throws for targets that the standard mounts have. */
export function checkTarget(target: string): void {
  if (STANDARD.has(target.replace(/\/+$/, ''))) throw new Error('this place is taken')
}

/** Files that are mounted for every process. */
export const RUN_FILES = { hosts: '/etc/hosts', resolvConf: '/etc/resolv.conf' } as const

/** All mounts of a process beside the standard ones, in order: hosts, resolv.conf, and its own. */
export function allMounts(spec: ProcessSpec): SandboxMount[] {
  const readable = { type: 'file', mode: 0o644, uid: 0, gid: 0 } as const
  const files: SandboxMount[] = []
  if (spec.hosts !== undefined) files.push({ ...readable, target: RUN_FILES.hosts, content: Buffer.from(spec.hosts) })
  if (spec.resolvConf !== undefined)
    files.push({ ...readable, target: RUN_FILES.resolvConf, content: Buffer.from(spec.resolvConf) })
  return inMountOrder([...files, ...spec.mounts])
}
