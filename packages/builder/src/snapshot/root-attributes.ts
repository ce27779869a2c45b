/** Mode and owner of `/`: a layer hands them on to the layers above, unless it was made on nothing and left them alone. */
import { chmodSync, chownSync, lstatSync } from 'node:fs'
import { setTimes } from '../util/syscalls.ts'
import type { LayerFacts } from './facts.ts'

export interface RootAttributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

const DEFAULT: RootAttributes = { mode: 0o755, uid: 0, gid: 0 }

/** What a directory has. */
export function currentRoot(path: string): RootAttributes {
  const { mode, uid, gid } = lstatSync(path)
  return { mode: mode & 0o7777, uid, gid }
}

/** Attributes and the time, which is that of the topmost layer below: of nothing, the oldest there is. */
export function inheritRoot(path: string, attributes: RootAttributes, top: string | undefined): bigint {
  setRoot(path, attributes)
  const time = top === undefined ? 0n : lstatSync(top, { bigint: true }).mtimeNs
  setTimes(path, time)
  return time
}

export function setRoot(path: string, { uid, gid, mode }: RootAttributes): void {
  // The mode last: a change of owner takes set-id bits away.
  chownSync(path, uid, gid)
  chmodSync(path, mode)
}

/** What `/` has on top of these layers, bottom first. */
export function inheritedRoot(
  stack: readonly { readonly facts: LayerFacts; readonly content: string }[],
): RootAttributes {
  const decisive = stack.findLast(({ facts }) => facts.based || facts.rootChanged)
  return decisive ? currentRoot(decisive.content) : DEFAULT
}

export function sameRoot(a: RootAttributes, b: RootAttributes): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}
