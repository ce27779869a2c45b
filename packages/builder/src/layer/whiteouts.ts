/** What entries of a layer mean (image-spec layer.md "Whiteouts"). */
import { layerErrors } from './errors.ts'
import { components } from './rooted-paths.ts'
import type { TarEntry } from './tar-header.ts'

/** Before the name of what is gone. */
const WHITEOUT = '.wh.'
/** Of all that lies below in the directory. */
const OPAQUE = '.wh..wh..opq'
/** AUFS keeps its own files under such names; no part of the image. */
const AUFS_META = '.wh..wh.'

/** No system call takes a longer path. */
const LONGEST_PATH = 4095

export type Meaning =
  | { readonly kind: 'nothing' | 'root' }
  /** `above` leads to the directory that it is about. */
  | { readonly kind: 'opaque'; readonly above: readonly string[] }
  | { readonly kind: 'gone' | 'file'; readonly above: readonly string[]; readonly name: string }

/** @throws TAR_INVALID, UNPACK_FAILED */
export function meaningOf({ path, type }: TarEntry): Meaning {
  if (path.includes('\0')) throw layerErrors.tarInvalid(['NUL in a name', path])
  if (path.length > LONGEST_PATH) throw layerErrors.unpackFailed([path, 'file name too long'])
  const parts = components(path)
  if (parts.some((part) => part.startsWith(AUFS_META) && part !== OPAQUE)) return { kind: 'nothing' }
  const name = parts.pop()
  if (parts.some((part) => part.startsWith(WHITEOUT)))
    throw layerErrors.tarInvalid(['a .wh. name is not a directory', path])
  if (name === undefined) {
    if (type === 'directory') return { kind: 'root' }
    throw layerErrors.tarInvalid(['an entry that is not a directory has the name of the root', path])
  }
  if (name === OPAQUE) return { kind: 'opaque', above: parts }
  if (!name.startsWith(WHITEOUT)) return { kind: 'file', above: parts, name }
  const gone = name.slice(WHITEOUT.length)
  if (gone === '' || gone === '.' || gone === '..') throw layerErrors.tarInvalid([`bad whiteout .wh.${gone}`])
  return { kind: 'gone', above: parts, name: gone }
}
