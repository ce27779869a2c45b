/**
 * File trees that builds read from: build contexts in the main process, root filesystems in the worker.
 *
 * A tree only reads, never follows a link and never leaves its root: whoever follows links does so component by
 * component with {@link Tree.lstat}. The calls are synchronous, because asynchronous ones cost several times as much for
 * tens of thousands of files; callers give way to other work in between.
 */

import type { Content } from '../util/content.ts'

export type NodeType = 'file' | 'directory' | 'symlink' | 'fifo' | 'char' | 'block' | 'socket'

/** One entry of a tree, as it was when it was looked at. */
export interface TreeNode {
  /** Last component of its path, '' for the root. */
  readonly name: string
  readonly type: NodeType
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly nlink: number
  readonly dev: bigint
  readonly ino: bigint
  readonly rdev: bigint
  /** Text of a symbolic link. */
  readonly linkname?: string
}

/**
 * What tells that an opened file is still the one that was looked at. Of the times it is the inode's that counts: the
 * content's can be set to what it was.
 */
export type NodeIdentity = Pick<TreeNode, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

export type Xattr = readonly [name: string, value: Buffer]

export interface Tree {
  /** Absolute path of the root directory. */
  readonly root: string
  /** Unix sockets of a context are copied as empty files; in root filesystems they are nothing that a layer can hold. */
  readonly sockets: 'empty-files' | 'skipped'
  /** The entry at a path relative to the root ('' is the root); no link is followed, undefined if nothing is there. */
  lstat(path: string): TreeNode | undefined
  /** The entries of a directory that {@link lstat} or {@link list} gave, in byte order of their names. */
  list(path: string, directory: TreeNode): TreeNode[]
  /** The content of a regular file. Reading it throws CONTEXT_CHANGED if it is no longer the file that was looked at. */
  content(path: string, expected: NodeIdentity): Content
  /** sha256 of a regular file's content (hexadecimal), where it is known without reading it. */
  digest?(path: string): string | undefined
  /**
   * Extended attributes of an entry, sorted by name. A context has none: what is set on files of the caller's machine,
   * capabilities among it, is for that machine and does not become part of an image.
   */
  xattrs(path: string): readonly Xattr[]
  /** The line of an ignore file that hides a path: `.dockerignore line 3`. */
  hiddenBy(path: string): string | undefined
}
