import { describe, expect, it } from 'vitest'
import { encodeHeader, type TarEntry } from './tar-header.ts'
import { TarReader } from './tar-reader.ts'
import { dir, END, file, hard, padded, pax, rawHeader, stream, sym, tar } from './testing/tar.ts'

async function read(data: Buffer, piece?: number): Promise<(TarEntry & { content: string })[]> {
  const reader = new TarReader(stream(data, piece))
  const found: (TarEntry & { content: string })[] = []
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const parts: Buffer[] = []
    for (let part = await reader.read(); part; part = await reader.read()) parts.push(Buffer.from(part))
    found.push({ ...entry, content: Buffer.concat(parts).toString('latin1') })
  }
  await reader.drain()
  return found
}

const plain: TarEntry = {
  path: 'f',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  linkname: undefined,
  device: undefined,
  xattrs: undefined,
}
const long = (length: number) => `${`${'d'.repeat(60)}/`.repeat(Math.ceil(length / 61)).slice(0, length - 1)}x`

describe('what is written is read back', () => {
  it.each<[string, Partial<TarEntry>]>([
    ['an empty file', {}],
    ['all mode bits', { mode: 0o7777 }],
    ['the largest ids of a header', { uid: 0o7777777, gid: 0o7777777 }],
    ['larger ids', { uid: 0o7777777 + 1, gid: 2 ** 32 - 2 }],
    ['the largest time of a header', { mtime: 0o77777777777 }],
    ['a later time', { mtime: 0o77777777777 + 1 }],
    ['a time before 1970', { mtime: -5 }],
    ['a name of 100 bytes', { path: 'n'.repeat(100) }],
    ['a name of 101 bytes', { path: long(101) }],
    ['a name of 4000 bytes', { path: long(4000) }],
    ['a name beyond ASCII', { path: 'häß/日本/𝒳' }],
    ['a name that is not UTF-8', { path: 'a\udcff/\udcfeb' }],
    ['a directory', { type: 'directory', mode: 0o755 }],
    ['a directory whose slash does not fit', { type: 'directory', path: 'n'.repeat(100) }],
    ['a symlink', { type: 'symlink', linkname: '../t', mode: 0o777 }],
    ['a long symlink beyond ASCII', { type: 'symlink', linkname: `${long(300)}ü` }],
    ['a hard link', { type: 'hardlink', linkname: 'other' }],
    ['a fifo', { type: 'fifo' }],
    ['a character device', { type: 'char', device: { major: 4095, minor: 1048575 } }],
    ['a block device', { type: 'block', device: { major: 8, minor: 1 } }],
    [
      'extended attributes',
      {
        xattrs: [
          ['security.capability', Buffer.from([1, 0, 0, 2, 10, 61])],
          ['user.empty', Buffer.from('x')],
        ],
      },
    ],
    [
      'records of lengths around a digit',
      {
        xattrs: [
          ['user.a', Buffer.alloc(71)],
          ['user.b', Buffer.alloc(72)],
          ['user.c', Buffer.alloc(970)],
          ['user.d', Buffer.alloc(971)],
        ],
      },
    ],
  ])('%s', async (_name, change) => {
    const entry = { ...plain, ...change }
    for (const piece of [undefined, 1, 511, 513]) {
      const [found] = await read(Buffer.concat([encodeHeader(entry), END]), piece)
      expect(found).toEqual({ ...entry, content: '' })
    }
  })

  it('sizes beyond 8 GiB', async () => {
    const entry = { ...plain, size: 2 ** 33 + 7 }
    expect(await new TarReader(stream(encodeHeader(entry))).next()).toEqual(entry)
  })

  it('fractions of seconds are dropped', async () => {
    expect((await read(Buffer.concat([encodeHeader({ ...plain, mtime: 5.9 }), END])))[0]!.mtime).toBe(5)
  })
})

describe('other archivers', () => {
  it.each<[string, Buffer, Partial<TarEntry> & { content?: string }]>([
    ['V7 files', file('f', 'x', { magic: '', type: '\0' }), { path: 'f', type: 'file', content: 'x' }],
    ['V7 directories', rawHeader({ name: 'd/', magic: '', type: '\0' }), { path: 'd', type: 'directory' }],
    ['ustar prefixes', rawHeader({ name: 'b', prefix: 'a/long' }), { path: 'a/long/b' }],
    [
      'GNU long names',
      Buffer.concat([rawHeader({ type: 'L', size: 201 }), padded(`${'n'.repeat(200)}\0`), file('n'.repeat(100), 'x')]),
      { path: 'n'.repeat(200), content: 'x' },
    ],
    [
      'GNU long links',
      Buffer.concat([rawHeader({ type: 'K', size: 151 }), padded(`${'l'.repeat(150)}\0`), sym('s', 'l'.repeat(100))]),
      { path: 's', linkname: 'l'.repeat(150) },
    ],
    [
      'GNU headers, which have no prefix',
      rawHeader({ name: 'f', magic: 'ustar  \0', prefix: 'no prefix' }),
      { path: 'f' },
    ],
    [
      'base 256 numbers',
      rawHeader({ uid: Buffer.from([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]) }),
      { uid: 2 ** 31 - 1 },
    ],
    ['numbers without an end mark', rawHeader({ size: Buffer.from('000000000000') }), { size: 0 }],
    ['numbers with blanks', rawHeader({ uid: Buffer.from('    17 \0') }), { uid: 0o17 }],
    ['contiguous files', file('f', 'x', { type: '7' }), { type: 'file', content: 'x' }],
    ['fractions of seconds', Buffer.concat([pax({ mtime: '12.25' }), file('f')]), { mtime: 12.25 }],
    [
      'an empty pax value, which takes a record back',
      Buffer.concat([pax({ path: 'no' }), pax({ path: '' }), file('f')]),
      { path: 'f' },
    ],
    [
      'the last of equal pax records',
      Buffer.concat([pax({ path: 'a' }), pax({ path: 'b' }), file('f')]),
      { path: 'b' },
    ],
    [
      'names that are dangerous in JavaScript',
      Buffer.concat([pax({ __proto__x: '1', 'constructor.prototype': 'x' }), file('__proto__', 'x')]),
      { path: '__proto__', content: 'x' },
    ],
    [
      'global pax headers, which are passed over',
      Buffer.concat([rawHeader({ type: 'g', size: 13 }), padded('13 comment=x\n'), file('f')]),
      { path: 'f' },
    ],
    [
      'links with a size but no content',
      Buffer.concat([hard('h', 'f', { size: 5 })]),
      { type: 'hardlink', size: 0, linkname: 'f' },
    ],
  ])('%s', async (_name, data, expected) => {
    expect((await read(tar(data)))[0]).toMatchObject(expected)
    expect((await read(tar(data), 7))[0]).toMatchObject(expected)
  })

  it('an archive without an end mark, or with one block', async () => {
    expect(await read(file('f', 'x'))).toHaveLength(1)
    expect(await read(Buffer.concat([file('f', 'x'), Buffer.alloc(512)]))).toHaveLength(1)
    expect(await read(Buffer.alloc(0))).toEqual([])
  })

  it('content that is not read is passed over', async () => {
    const reader = new TarReader(stream(tar(file('a', 'x'.repeat(5000)), file('b', 'y'), dir('c')), 100))
    const names = [(await reader.next())?.path]
    await reader.read()
    for (let entry = await reader.next(); entry; entry = await reader.next()) names.push(entry.path)
    expect(names).toEqual(['a', 'b', 'c'])
  })
})

describe('refuses', () => {
  const record = (text: string) => Buffer.concat([rawHeader({ type: 'x', size: text.length }), padded(text), file('f')])
  it.each<[string, Buffer, string]>([
    ['a bad checksum', rawHeader({ badChecksum: true }), 'TAR_INVALID'],
    ['garbage', Buffer.alloc(4096, 0x41), 'TAR_INVALID'],
    ['a size that is no number', rawHeader({ size: Buffer.from('0000000089x\0') }), 'TAR_INVALID'],
    ['a negative size', rawHeader({ size: Buffer.alloc(12, 0xff) }), 'TAR_INVALID'],
    [
      'a size beyond what can be counted',
      rawHeader({ size: Buffer.from([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) }),
      'TAR_INVALID',
    ],
    ['uid -1', rawHeader({ uid: Buffer.alloc(8, 0xff) }), 'TAR_INVALID'],
    ['uid 2^32', rawHeader({ uid: Buffer.from([0x80, 0, 0, 1, 0, 0, 0, 0]) }), 'TAR_INVALID'],
    ['gid 2^32-1', Buffer.concat([pax({ gid: '4294967295' }), file('f')]), 'TAR_INVALID'],
    ['a pax header of 8 GiB', rawHeader({ type: 'x', size: 2 ** 33 - 1 }), 'TAR_INVALID'],
    [
      'a long name of 2 MiB',
      Buffer.concat([rawHeader({ type: 'L', size: 2 << 20 }), Buffer.alloc(2 << 20, 'a'), file('f')]),
      'TAR_INVALID',
    ],
    ['a pax record longer than its header', record('999 path=x\n'), 'TAR_INVALID'],
    ['a pax record of length 0', record('0 path=x\n'), 'TAR_INVALID'],
    ['a pax record without a line end', record('8 path=x'), 'TAR_INVALID'],
    ['a pax record without a key', record('5 =x\n'), 'TAR_INVALID'],
    ['a pax record without a value', record('7 path\n'), 'TAR_INVALID'],
    ['a pax record of a huge length', record('99999999999999999999 path=x\n'), 'TAR_INVALID'],
    ['a pax path with NUL', Buffer.concat([pax({ path: 'a\0/../../etc' }), file('f')]), 'TAR_INVALID'],
    [
      'a pax size beyond counting',
      Buffer.concat([pax({ size: '99999999999999999999' }), file('f', 'abc')]),
      'TAR_INVALID',
    ],
    ['a pax size that is no integer', Buffer.concat([pax({ size: '1e9' }), file('f', 'abc')]), 'TAR_INVALID'],
    ['a pax uid in hexadecimal', Buffer.concat([pax({ uid: '0x10' }), file('f')]), 'TAR_INVALID'],
    ['a pax time that is no number', Buffer.concat([pax({ mtime: 'NaN' }), file('f')]), 'TAR_INVALID'],
    ['an impossible device', rawHeader({ type: '3', major: 4096 }), 'TAR_INVALID'],
    ['a GNU sparse file', rawHeader({ type: 'S', magic: 'ustar  \0' }), 'TAR_ENTRY_UNSUPPORTED'],
    ['a pax sparse file', Buffer.concat([pax({ 'GNU.sparse.major': '1' }), file('f')]), 'TAR_ENTRY_UNSUPPORTED'],
    ['a multi-volume archive', rawHeader({ type: 'M' }), 'TAR_ENTRY_UNSUPPORTED'],
  ])('%s', async (_name, data, code) => {
    for (const piece of [undefined, 1000])
      await expect(read(Buffer.concat([data, END]), piece)).rejects.toMatchObject({ code })
  })

  it.each([
    ['a header', 100],
    ['content', 512 + 100],
    ['padding', 512 + 1024 - 1],
  ])('an archive cut off in %s', async (_name, length) => {
    await expect(read(file('f', 'x'.repeat(600)).subarray(0, length))).rejects.toMatchObject({ code: 'TAR_TRUNCATED' })
  })

  it('an extended header with nothing after it', async () => {
    await expect(read(pax({ path: 'x' }))).rejects.toMatchObject({ code: 'TAR_TRUNCATED' })
    await expect(read(tar(pax({ path: 'x' })))).rejects.toMatchObject({ code: 'TAR_TRUNCATED' })
  })
})
