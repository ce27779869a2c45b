/**
 * How a layer's content says that a name of the layers below is gone. Overlay mounts know character devices 0/0; where
 * these cannot be made or used, an empty file `.wh.<name>` says it (names that begin so cannot be in an image).
 */
import { closeSync, type Dirent, lstatSync, openSync } from 'node:fs'
import { fsPath } from '../util/raw-path.ts'
import { makeNode, NODE_TYPE } from '../util/syscalls.ts'

export interface WhiteoutStyle {
  /** The name that an entry of `directory` says is gone, undefined when it is an ordinary entry. */
  hides(directory: string, entry: Dirent<string>): string | undefined
  /** Whether `directory` says that `name` is gone. */
  isHidden(directory: string, name: string): boolean
  /** Says that `name` is gone. */
  hide(directory: string, name: string): void
}

/** Character devices 0/0, as overlay mounts make and read them. */
export const deviceWhiteouts: WhiteoutStyle = {
  hides: (directory, entry) =>
    entry.isCharacterDevice() && isWhiteoutDevice(`${directory}/${entry.name}`) ? entry.name : undefined,
  isHidden: (directory, name) => isWhiteoutDevice(`${directory}/${name}`),
  hide: (directory, name) => makeNode(fsPath(`${directory}/${name}`), NODE_TYPE.char, { major: 0, minor: 0 }),
}

function isWhiteoutDevice(path: string): boolean {
  const stat = lstatSync(fsPath(path), { throwIfNoEntry: false })
  return stat?.isCharacterDevice() === true && stat.rdev === 0
}

const PREFIX = '.wh.'

/** Empty files `.wh.<name>`. */
export const fileWhiteouts: WhiteoutStyle = {
  hides: (_directory, entry) => (entry.name.startsWith(PREFIX) ? entry.name.slice(PREFIX.length) : undefined),
  isHidden: (directory, name) =>
    lstatSync(fsPath(`${directory}/${PREFIX}${name}`), { throwIfNoEntry: false }) !== undefined,
  hide: (directory, name) => closeSync(openSync(fsPath(`${directory}/${PREFIX}${name}`), 'wx')),
}
