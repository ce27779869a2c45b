/**
 * Directories of this machine as trees: build contexts with their ignore rules, and root filesystems.
 *
 * Directories are entered through descriptors that were opened with no-follow and compared with what was seen from
 * above, so swapping a directory for a link while a build reads it leads to an error, never to a file outside.
 */

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { ContentFile } from '../util/content.ts'
import { type IgnoreMatcher, IgnoreSyntaxError, parseIgnore } from '../util/ignore.ts'
import { compareNames, decodeName, fsPath } from '../util/raw-path.ts'
import { getXattr, listXattrs } from '../util/syscalls.ts'
import { contextErrors } from './errors.ts'
import type { NodeIdentity, NodeType, Tree, TreeNode, Xattr } from './tree.ts'

export interface LocalContextOptions {
  /** Text of the ignore file, undefined for none. */
  readonly ignore?: string | undefined
  /** What messages call the ignore file. */
  readonly ignoreName?: string | undefined
  /** Modes and owners that the file system could not keep, by path; for contexts that came as an archive. */
  readonly attributes?: ReadonlyMap<string, NodeAttributes> | undefined
  /** A directory that is never part of it, where it lies in there: the builder's own. */
  readonly without?: string | undefined
}

/** What {@link LocalContextOptions.attributes} tells of a path. */
export type NodeAttributes = Pick<TreeNode, 'mode' | 'uid' | 'gid'>

/** What makes a tree differ from the directory it is in. */
interface View {
  readonly sockets: Tree['sockets']
  /** Whether everything belongs to root. */
  readonly rootOwned: boolean
  readonly xattrs: boolean
  readonly attributes: ReadonlyMap<string, NodeAttributes> | undefined
  readonly ignore: IgnoreMatcher | undefined
  readonly ignoreName: string
  /** Path in the tree of what is there for nobody; undefined: nothing. */
  readonly without: string | undefined
}

/** A directory seen through its ignore rules: what is excluded is not there. */
export interface LocalTree extends Tree {
  readonly ignore: IgnoreMatcher | undefined
}

const LINUX = process.platform === 'linux'
const { O_RDONLY, O_NONBLOCK = 0 } = constants
const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0
const O_DIRECTORY = constants.O_DIRECTORY ?? 0
/** Linux's O_PATH: a descriptor to walk on from, for which search permission is enough. */
const O_PATH = 0o10000000

/**
 * Opens a build context. Everything in it belongs to root, whoever it belongs to here; only an archive knows owners.
 *
 * @throws BuildError CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY, DOCKERIGNORE_INVALID
 */
export function openLocalContext(dir: string, options: LocalContextOptions = {}): LocalTree {
  const { ignore: text, ignoreName = '.dockerignore', attributes, without } = options
  const ignore = text === undefined ? undefined : parseIgnoreFile(text, ignoreName)
  const root = openRoot(dir)
  return openTree(root, {
    sockets: 'empty-files',
    rootOwned: true,
    xattrs: false,
    attributes,
    ignore,
    ignoreName,
    without: without === undefined ? undefined : pathBelow(root, without),
  })
}

/** The path of a directory in a tree; undefined where it is not in there, or is the tree. */
function pathBelow(root: string, directory: string): string | undefined {
  let path: string
  try {
    path = relative(root, realpathSync(directory))
  } catch {
    return undefined
  }
  const isBelow = path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path)
  return isBelow ? path.split(sep).join('/') : undefined
}

/** Opens a root filesystem (or any other directory) as it is; `root` is an absolute path without links. */
export function openRootTree(root: string): LocalTree {
  const view = {
    sockets: 'skipped',
    rootOwned: false,
    xattrs: true,
    attributes: undefined,
    ignore: undefined,
    ignoreName: '',
    without: undefined,
  } as const
  return openTree(root, view)
}

/** {@link parseIgnore} with the errors of the library. */
function parseIgnoreFile(text: string, name: string): IgnoreMatcher {
  try {
    return parseIgnore(text)
  } catch (error) {
    if (!(error instanceof IgnoreSyntaxError)) throw error
    throw contextErrors.badIgnore([`${error.message} (${name} line ${error.line})`])
  }
}

/** @throws BuildError CONTEXT_NOT_FOUND, CONTEXT_NOT_DIRECTORY */
export function requireDirectory(dir: string): void {
  const stat = statSync(dir, { throwIfNoEntry: false })
  if (stat === undefined) throw contextErrors.contextNotFound([dir])
  if (!stat.isDirectory()) throw contextErrors.contextNotDirectory([dir])
}

function openRoot(dir: string): string {
  requireDirectory(dir)
  return realpathSync(resolve(dir))
}

function openTree(root: string, view: View): LocalTree {
  const { ignore, without } = view
  const base = root === '/' ? '' : root
  const hostPath = (path: string) => fsPath(path === '' ? root : `${base}/${path}`)
  /** Whether an excluded directory is there all the same, because something below it is re-included. */
  const reincluded = new Map<string, boolean>()

  const excluded = (path: string) => ignore?.matches(path) === true
  const hasVisible = (path: string, node: TreeNode): boolean => {
    if (node.type !== 'directory' || ignore?.mayReinclude(path) !== true) return false
    let visible = reincluded.get(path)
    if (visible === undefined) {
      visible = list(path, node).length > 0
      reincluded.set(path, visible)
    }
    return visible
  }

  const list = (path: string, directory: TreeNode): TreeNode[] => {
    const fd = guarded(path, () => openSync(hostPath(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    try {
      const opened = fstatSync(fd, { bigint: true })
      if (opened.ino !== directory.ino || opened.dev !== directory.dev) throw contextErrors.changed([path])
      // Through the descriptor, so that the names belong to the directory that was checked.
      const through = LINUX ? `/proc/self/fd/${fd}` : (hostPath(path) as string)
      const prefix = path === '' ? '' : `${path}/`
      const nodes: TreeNode[] = []
      for (const name of guarded(path, () => readNames(through))) {
        const child = prefix + name
        if (child === without) continue
        const hidden = excluded(child)
        if (hidden && ignore?.mayReinclude(child) !== true) continue
        const node = guarded(child, () => readNode(`${through}/${name}`, child, view))
        if (node === undefined || (hidden && !hasVisible(child, node))) continue
        nodes.push(node)
      }
      return nodes
    } finally {
      closeSync(fd)
    }
  }

  const lookUp = (path: string): TreeNode | undefined => {
    if (path === '') return readNode(root, '', view)
    const parts = path.split('/')
    const name = parts.pop()!
    if (!LINUX) return readNode(`${base}/${path}`, path, view)
    let fd = openSync(root, O_PATH | O_DIRECTORY)
    try {
      for (const part of parts) {
        const next = openSync(fsPath(`/proc/self/fd/${fd}/${part}`), O_PATH | O_DIRECTORY | O_NOFOLLOW)
        closeSync(fd)
        fd = next
      }
      return readNode(`/proc/self/fd/${fd}/${name}`, path, view)
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw error
    } finally {
      closeSync(fd)
    }
  }

  const open = (path: string, expected: NodeIdentity, asks: boolean): number => {
    let fd: number
    try {
      // Not blocking: should a fifo stand there by now, opening it must not wait for its writer.
      fd = openSync(hostPath(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    } catch (error) {
      if (isAbsence(error)) throw contextErrors.changed([path], { cause: error })
      throw unreadable(path, error)
    }
    if (asks || isSame(fd, expected)) return fd
    closeSync(fd)
    throw contextErrors.changed([path])
  }

  return {
    root,
    sockets: view.sockets,
    ignore,
    list,
    lstat(path) {
      if (without !== undefined && `${path}/`.startsWith(`${without}/`)) return undefined
      const hidden = path !== '' && excluded(path)
      if (hidden && ignore?.mayReinclude(path) !== true) return undefined
      const node = guarded(path, () => lookUp(path))
      return node === undefined || (hidden && !hasVisible(path, node)) ? undefined : node
    },
    content: (path, expected) => new LocalContent(path, expected, open),
    xattrs: (path) => (view.xattrs ? guarded(path, () => readXattrs(hostPath(path))) : NO_XATTRS),
    hiddenBy(path) {
      const rule = ignore?.decidingRule(path)
      return rule === undefined || rule.negated ? undefined : `${view.ignoreName} line ${rule.line}`
    },
  }
}

type Open = (path: string, expected: NodeIdentity, asks: boolean) => number

/** A class, as there are as many as files. */
class LocalContent implements ContentFile {
  readonly #path: string
  readonly #expected: NodeIdentity
  readonly #open: Open

  constructor(path: string, expected: NodeIdentity, open: Open) {
    this.#path = path
    this.#expected = expected
    this.#open = open
  }

  open(asks = false): number {
    return this.#open(this.#path, this.#expected, asks)
  }

  isSame(fd: number): boolean {
    return isSame(fd, this.#expected)
  }

  changed(): Error {
    return contextErrors.changed([this.#path])
  }
}

const NO_XATTRS: readonly Xattr[] = []

function readXattrs(path: string | Buffer): readonly Xattr[] {
  const names = listXattrs(path)
  if (names.length === 0) return NO_XATTRS
  return names.flatMap((name) => {
    const value = getXattr(path, name)
    return value === undefined ? [] : [[name, value] as const]
  })
}

/** Whether an open file is still what it was when it was looked at. */
function isSame(fd: number, expected: NodeIdentity): boolean {
  const stat = fstatSync(fd, { bigint: true })
  return (
    stat.ino === expected.ino &&
    stat.dev === expected.dev &&
    stat.mtimeNs === expected.mtimeNs &&
    stat.ctimeNs === expected.ctimeNs &&
    stat.size === BigInt(expected.size)
  )
}

function readNames(directory: string): string[] {
  const names = readdirSync(directory)
  if (names.some((name) => name.includes('\ufffd'))) {
    return readdirSync(directory, 'buffer').map(decodeName).sort(compareNames)
  }
  // The order of UTF-16 is that of bytes, but for surrogates.
  return names.some((name) => /[\ud800-\uffff]/.test(name)) ? names.sort(compareNames) : names.sort()
}

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK } = constants
const TYPES: ReadonlyMap<number, NodeType> = new Map([
  [S_IFREG, 'file'],
  [S_IFDIR, 'directory'],
  [S_IFLNK, 'symlink'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFCHR, 'char'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFSOCK, 'socket'],
])

/** @param path where to look; `inTree` is its path in the tree */
function readNode(path: string, inTree: string, view: View): TreeNode | undefined {
  const raw = fsPath(path)
  const stat = lstatSync(raw, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return undefined
  const mode = Number(stat.mode)
  const type = TYPES.get(mode & S_IFMT) ?? 'file'
  const given = view.attributes?.get(inTree)
  const node = {
    name: inTree.slice(inTree.lastIndexOf('/') + 1),
    type,
    mode: given?.mode ?? mode & 0o7777,
    uid: given?.uid ?? (view.rootOwned ? 0 : Number(stat.uid)),
    gid: given?.gid ?? (view.rootOwned ? 0 : Number(stat.gid)),
    size: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
    nlink: Number(stat.nlink),
    dev: stat.dev,
    ino: stat.ino,
    rdev: stat.rdev,
  }
  return type === 'symlink' ? { ...node, linkname: decodeName(readlinkSync(raw, 'buffer')) } : node
}

function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP'
}

function unreadable(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException
  const reasons: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    EPERM: 'operation not permitted',
    ENAMETOOLONG: 'the path is too long',
  }
  return contextErrors.unreadable([path, (code && reasons[code]) || message], { cause: error })
}

/** Runs a call on the tree's own files and puts its error into words. */
function guarded<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    if (isAbsence(error)) throw contextErrors.changed([path], { cause: error })
    throw unreadable(path, error)
  }
}
