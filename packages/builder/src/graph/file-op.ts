/**
 * What COPY, ADD and WORKDIR do to a root filesystem, as plain data. The engine that does it stands in steps/file/.
 */

/** A user or group as written after `--chown=`, resolved in the target's /etc/passwd and /etc/group when applied. */
export interface ChownSpec {
  readonly user: string
  /** undefined: the user's primary group (a bare number: the same number). */
  readonly group: string | undefined
}

/** `make directory` of WORKDIR: missing parts are made with `owner`, existing ones are left as they are. */
export interface MkdirOp {
  readonly op: 'mkdir'
  /** Absolute path in the root filesystem. */
  readonly path: string
  /** Mode of what is made. */
  readonly mode: number
  /** As in USER; undefined: 0:0. */
  readonly owner: ChownSpec | undefined
  /** Seconds; undefined: now. SOURCE_DATE_EPOCH where it is set. */
  readonly mtime: number | undefined
}

/** Which entries of a source tree COPY takes. */
export interface Selection {
  /** Paths or patterns, relative to the tree's root (a leading `/` is ignored); Go's filepath.Match syntax. */
  readonly patterns: readonly string[]
  readonly parents: boolean
  /** --exclude patterns in .dockerignore syntax, relative to each matched source. */
  readonly exclude: readonly string[]
}

/** How selected entries are written. */
export interface CopyOp {
  readonly op: 'copy'
  /** Absolute destination path, with its trailing slash if it was written with one. */
  readonly dest: string
  readonly selection: Selection
  readonly chown: ChownSpec | undefined
  /** Octal digits or symbolic modes (`u=rwX,go=rX`). */
  readonly chmod: string | undefined
  /** Owners of the source are kept (--from); otherwise everything becomes 0:0 unless chown says so. */
  readonly keepOwner: boolean
  /** The parent directories are made anew (0755, 0:0) and no link of the destination is followed. */
  readonly link: boolean
  /** Local archives among the sources are unpacked (ADD); `auto` looks at the content. */
  readonly unpack: 'never' | 'auto' | 'always'
  /** Time of directories that are made on the way to the destination, seconds; undefined: now. */
  readonly mtime: number | undefined
}

/** Copies what a path is, with its owners and modes, as no flag of COPY asks for anything else. */
export function plainCopy(source: string, dest: string): CopyOp {
  return {
    op: 'copy',
    dest,
    selection: { patterns: [source], parents: false, exclude: [] },
    chown: undefined,
    chmod: undefined,
    keepOwner: true,
    link: false,
    unpack: 'never',
    mtime: undefined,
  }
}

/** A file that stands in the Dockerfile itself (heredoc) or was downloaded (ADD of a URL). */
export interface WriteOp {
  readonly op: 'write'
  readonly dest: string
  readonly name: string
  /** Path of the worker that holds the content, or the content itself. */
  readonly content: { readonly path: string } | { readonly data: string }
  readonly mode: number
  readonly chown: ChownSpec | undefined
  readonly chmod: string | undefined
  readonly link: boolean
  readonly unpack: 'never' | 'auto' | 'always'
  /** Seconds; undefined: now. */
  readonly mtime: number | undefined
}

export type FileOp = MkdirOp | CopyOp | WriteOp
