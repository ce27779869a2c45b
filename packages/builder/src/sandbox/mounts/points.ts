/** Mount points in a root filesystem: found safely, made when missing, and remembered so that they can be removed. */
import fs from 'node:fs'
import { setTimesOf } from '../native/files.ts'
import { type Resolved, resolveInRoot } from '../native/resolve.ts'
import { checkTarget } from './order.ts'

/** An entry made as a mount point, with the times its parent directory had before. */
export interface Stub {
  readonly path: string
  readonly kind: 'directory' | 'file'
  readonly parentAtimeNs: bigint
  readonly parentMtimeNs: bigint
}

export class MountPoints {
  /** O_PATH descriptor of the root directory. */
  readonly root: number
  readonly #onStub: (stub: Stub) => void
  /** Resolved paths that something is mounted on: what is made below them is not in the root filesystem. */
  readonly #mounted: string[] = []

  constructor(root: number, onStub: (stub: Stub) => void) {
    this.root = root
    this.#onStub = onStub
  }

  /** Finds or makes `target` and calls `use` with a descriptor of it, closed afterwards, and its path without links. */
  at(target: string, kind: 'directory' | 'file', use: (fd: number, path: string) => void): void {
    let before: { readonly atimeNs: bigint; readonly mtimeNs: bigint } | undefined
    const resolved: Resolved = resolveInRoot(this.root, target, {
      create: kind,
      beforeCreate: (parent) => {
        before = fs.fstatSync(parent, { bigint: true })
      },
      onCreate: (path, parent, made) => {
        if (before === undefined || this.#isMounted(path)) return
        setTimesOf(parent, before.atimeNs, before.mtimeNs)
        this.#onStub({ path, kind: made, parentAtimeNs: before.atimeNs, parentMtimeNs: before.mtimeNs })
      },
    })
    try {
      // Links of the image, or of what is mounted already, may lead there, too.
      checkTarget(resolved.path)
      const directory = (resolved.mode & fs.constants.S_IFMT) === fs.constants.S_IFDIR
      if (directory !== (kind === 'directory'))
        throw new Error(`mount target ${target} is ${directory ? 'a directory' : 'not a directory'}`)
      use(resolved.fd, resolved.path)
      this.#mounted.push(resolved.path)
    } finally {
      fs.closeSync(resolved.fd)
    }
  }

  #isMounted(path: string): boolean {
    return this.#mounted.some((mounted) => mounted === '/' || path.startsWith(`${mounted}/`))
  }
}
