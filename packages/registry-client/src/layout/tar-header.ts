/**
 * Headers of tar entries (POSIX ustar, pax and GNU), as far as image archives use them.
 */

export const blockBytes = 512

/** One entry's header. */
export interface TarHeader {
  readonly name: string
  readonly size: number
  /** `0` file, `1` hard link, `2` symbolic link, `5` directory, `x` and `g` pax, `L` and `K` GNU long names … */
  readonly type: string
  readonly linkName: string
}

/** Parses a block; undefined for one of zeros, which ends an archive. @throws RangeError when it is no header */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
  let sum = 8 * 32
  for (let i = 0; i < blockBytes; i++) if (i < 148 || i >= 156) sum += block[i]!
  if (sum === 8 * 32) return undefined
  if (Number.parseInt(text(block, 148, 8).trim(), 8) !== sum) throw new RangeError('wrong checksum of a tar header')
  const ustar = block.toString('latin1', 257, 262) === 'ustar'
  const posix = ustar && block[262] === 0
  const prefix = posix ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: parseSize(block),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156]!),
    linkName: text(block, 157, 100),
  }
}

function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start)
  return block.toString('utf8', start, end < 0 || end > start + length ? start + length : end)
}

/** Octal digits, or GNU's base 256 with the top bit set. */
function parseSize(block: Buffer): number {
  if ((block[124]! & 0x80) !== 0) {
    let size = 0n
    for (let i = 124; i < 136; i++) size = (size << 8n) | BigInt(i === 124 ? block[i]! & 0x7f : block[i]!)
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('impossible size in a tar header')
    return Number(size)
  }
  const digits = text(block, 124, 12).trim()
  if (!/^[0-7]*$/.test(digits)) throw new RangeError('impossible size in a tar header')
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

/**
 * A header of a regular file, the same for the same input: mode 0644, owner 0, time 0. A name of more than 100 bytes, as of
 * a blob by its sha512, is in an extended header before it.
 */
export function formatTarHeader(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) <= 100) return formatBlock(name, size, '0')
  const record = paxRecord('path', name)
  const header = formatBlock('pax', record.length, 'x')
  return Buffer.concat([
    header,
    record,
    Buffer.alloc(tarPadding(record.length)),
    formatBlock(name.slice(0, 100), size, '0'),
  ])
}

/** `LENGTH key=value\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  let length = Buffer.byteLength(rest)
  while (String(length).length + Buffer.byteLength(rest) !== length) length++
  return Buffer.from(`${length}${rest}`)
}

function formatBlock(name: string, size: number, type: '0' | 'x'): Buffer {
  const block = Buffer.alloc(blockBytes)
  block.write(name, 0)
  block.write('0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  else {
    block.writeBigUInt64BE(BigInt(size), 128)
    block[124] = 0x80
  }
  block.write('00000000000\0', 136)
  block.write(`        ${type}`, 148)
  block.write('ustar\x0000', 257)
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** Bytes that fill up the last block of content. */
export function tarPadding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes
}
