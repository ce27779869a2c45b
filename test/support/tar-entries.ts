/** Reads layers as tables, in this process: properties compare thousands of them. */
import { createHash } from 'node:crypto'

/** Everything that a tar says of a file but for its name. */
export interface TarFile {
  readonly type: string
  readonly mode: number
  readonly owner: string
  readonly mtime: number
  readonly link: string
  /** Digest of the content. */
  readonly content: string
  /** Extended attributes, as records of a pax header. */
  readonly more: Readonly<Record<string, string>>
}

const BLOCK = 512
/** What headers hold of a record as well. */
const IN_HEADER = new Set(['path', 'linkpath', 'mtime', 'size', 'uid', 'gid'])

/** Entries in the order in which they stand, by their names: twice the same one is an error. */
export function tarEntries(tar: Buffer): Map<string, TarFile> {
  const entries = new Map<string, TarFile>()
  let pax: Record<string, string> = {}
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + BLOCK)
    const type = String.fromCharCode(header[156]!)
    const size = Number(pax.size ?? number(header, 124, 12))
    const content = tar.subarray(at + BLOCK, at + BLOCK + size)
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
    if (type === 'x') {
      pax = records(content)
      continue
    }
    const prefix = text(header, 345, 155)
    const name = pax.path ?? (prefix === '' ? '' : `${prefix}/`) + text(header, 0, 100)
    if (entries.has(name)) throw new Error(`${name} stands twice in a layer`)
    entries.set(name, {
      type,
      mode: number(header, 100, 8),
      owner: `${pax.uid ?? number(header, 108, 8)}:${pax.gid ?? number(header, 116, 8)}`,
      mtime: Number(pax.mtime ?? number(header, 136, 12)),
      link: pax.linkpath ?? text(header, 157, 100),
      content: createHash('sha256').update(content).digest('hex').slice(0, 16),
      more: Object.fromEntries(Object.entries(pax).filter(([key]) => !IN_HEADER.has(key))),
    })
    pax = {}
  }
  return entries
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.subarray(at, at + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? length : end)
}

function number(header: Buffer, at: number, length: number): number {
  return Number.parseInt(text(header, at, length).trim() || '0', 8)
}

function records(content: Buffer): Record<string, string> {
  const all: Record<string, string> = {}
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(' ', at)
    const end = at + Number(content.toString('latin1', at, space))
    const [, key, value] = /^([^=]*)=(.*)\n$/s.exec(content.toString('utf8', space + 1, end))!
    all[key!] = value!
    at = end
  }
  return all
}
