/** Extended attributes of what COPY and ADD write: those of the source, as far as an image may have them. */
import type { Tree, Xattr } from '../../context/tree.ts'
import { isUnpackedXattr } from '../../layer/xattrs.ts'
import { setXattr } from '../../util/syscalls.ts'

/** What is copied of an entry's attributes; so this is what its fingerprint covers. */
export function copiedXattrs(tree: Tree, path: string): readonly Xattr[] {
  const all = tree.xattrs(path)
  return all.length === 0 ? all : all.filter(([name]) => isUnpackedXattr(name))
}

/** What a directory has when more is set. */
export function mergeXattrs(has: readonly Xattr[], set: readonly Xattr[]): readonly Xattr[] {
  if (has.length === 0 || set.length === 0) return has.length === 0 ? set : has
  return [...new Map([...has, ...set])].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Sets attributes; as in the reference, those stay behind that are not allowed here or unknown to the file system. */
export function setXattrs(path: string | Buffer, xattrs: readonly Xattr[]): void {
  for (const [name, value] of xattrs) {
    if (!isUnpackedXattr(name)) continue
    try {
      setXattr(path, name, value)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOTSUP' && code !== 'EPERM') throw error
    }
  }
}
