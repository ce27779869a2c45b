import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { mediaTypes } from '@tsbuild/registry-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dir, END, file, hard, pax, rawHeader, sha256, stream, sym, tar } from './testing/tar.ts'
import { type UnpackOptions, unpackLayer } from './unpack.ts'

let outside: string
let root: string

beforeEach(() => {
  outside = fs.mkdtempSync(join(tmpdir(), 'unpack-'))
  root = join(outside, 'in', 'root')
  fs.mkdirSync(root, { recursive: true })
  fs.writeFileSync(join(outside, 'secret'), 'secret')
})

afterEach(() => fs.rmSync(outside, { recursive: true, force: true }))

const unpack = (data: Buffer, options: Partial<UnpackOptions> = {}, mediaType: string = mediaTypes.ociLayer) =>
  unpackLayer(stream(data, 1000), mediaType, { diffID: undefined, root, ...options })

/** Every path in the root with what it is. */
function tree(at = ''): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of fs.readdirSync(join(root, at), { withFileTypes: true })) {
    const path = join(at, entry.name)
    if (entry.isDirectory()) Object.assign(found, { [`${path}/`]: '' }, tree(path))
    else if (entry.isSymbolicLink()) found[path] = `-> ${fs.readlinkSync(join(root, path))}`
    else found[path] = entry.isFile() ? fs.readFileSync(join(root, path), 'utf8') : 'special'
  }
  return found
}

/** The layers below. */
const below = tar(
  dir('d'),
  file('d/1', '1'),
  file('d/2', '2'),
  dir('d/sub'),
  file('d/sub/s', 's'),
  file('f', 'f'),
  sym('l', 'd'),
  sym('abs', '/d/sub'),
  dir('e'),
  file('e/x', 'x'),
)

describe('layers on top of others', () => {
  it.each<[string, Buffer[], Record<string, string | undefined>]>([
    [
      'a file after the directory that it replaces',
      [dir('n'), dir('n/s'), file('n', 'n')],
      { n: 'n', 'n/s/': undefined },
    ],
    ['a whiteout of a file', [file('d/.wh.1')], { 'd/1': undefined, 'd/2': '2' }],
    ['a whiteout of a directory', [file('.wh.d')], { 'd/': undefined, 'd/1': undefined, f: 'f' }],
    ['a whiteout of nothing', [file('.wh.none'), file('none/.wh.x')], { none: undefined, 'none/': undefined }],
    ['a whiteout of a link, not its target', [file('.wh.l')], { l: undefined, 'd/1': '1' }],
    [
      'an opaque directory',
      [dir('d'), file('d/new', 'n'), file('d/.wh..wh..opq')],
      { 'd/new': 'n', 'd/1': undefined, 'd/sub/': undefined },
    ],
    [
      'an opaque mark before the entries',
      [file('d/.wh..wh..opq'), dir('d'), file('d/new', 'n')],
      { 'd/new': 'n', 'd/1': undefined },
    ],
    [
      'an opaque mark after an entry deeper down',
      [file('d/sub/new', 'n'), file('d/.wh..wh..opq')],
      { 'd/sub/new': 'n', 'd/sub/s': undefined, 'd/1': undefined },
    ],
    ['a whiteout after the entry that replaces', [file('f', 'new'), file('.wh.f')], { f: 'new' }],
    [
      'a whiteout after the directory that replaces',
      [dir('d'), file('d/new', 'n'), file('.wh.d')],
      { 'd/new': 'n', 'd/1': undefined },
    ],
    ['a whiteout and a directory', [file('.wh.d'), dir('d'), file('d/new', 'n')], { 'd/new': 'n', 'd/1': undefined }],
    ['an opaque mark through a link', [file('l/.wh..wh..opq')], { 'd/1': undefined }],
    [
      'marks of AUFS',
      [dir('.wh..wh.plnk'), file('.wh..wh.aufs')],
      { '.wh..wh.plnk/': undefined, '.wh..wh.aufs': undefined },
    ],
    ['a file over a directory', [file('d', 'now a file')], { d: 'now a file', 'd/': undefined }],
    ['a directory over a file', [dir('f'), file('f/in', 'in')], { 'f/in': 'in', f: undefined }],
    ['a directory over a link', [dir('l'), file('l/in', 'in')], { 'l/': '', 'l/in': 'in', 'd/in': undefined }],
    ['a link over a directory', [sym('d', 'e')], { d: '-> e', 'd/': undefined }],
    ['a file over a link, not through it', [sym('s', 'f'), file('s', 'new')], { s: 'new', f: 'f' }],
    ['files below a link of a lower layer', [file('l/in', 'in')], { 'd/in': 'in', l: '-> d' }],
    ['files below an absolute link', [file('abs/in', 'in')], { 'd/sub/in': 'in' }],
    [
      'files below a link to what is not there',
      [sym('new', 'made/here'), file('new/in', 'in')],
      { 'made/here/in': 'in' },
    ],
    ['a directory again', [dir('d', { mode: 0o700 })], { 'd/1': '1' }],
    ['the same entry twice', [file('t', '1'), file('t', '2')], { t: '2' }],
    ['missing parents', [file('a/b/c', 'c')], { 'a/b/c': 'c' }],
    ['a hard link to a lower layer', [hard('h', 'f')], { h: 'f', f: 'f' }],
    ['a hard link through a link', [hard('h', 'l/1')], { h: '1' }],
    ['a hard link to itself', [hard('f', './f')], { f: 'f' }],
    [
      'a hard link over a file, then a file over the link',
      [hard('e/x', 'f'), file('e/x', 'new')],
      { 'e/x': 'new', f: 'f' },
    ],
    ['a hard link to a link', [hard('h', 'l')], { h: '-> d' }],
    ['odd but harmless names', [file('./a//b/./c', 'c'), file('/abs2', 'x')], { 'a/b/c': 'c', abs2: 'x' }],
  ])('%s', async (_name, entries, expected) => {
    await unpack(below)
    await unpack(tar(...entries))
    const found = tree()
    for (const [path, content] of Object.entries(expected)) expect([path, found[path]]).toEqual([path, content])
  })
})

describe('nothing gets out of the root', () => {
  const up = '../'.repeat(12)
  it.each<[string, (secret: string) => Buffer[]]>([
    ['names with ..', () => [file(`${up}tmp/pwn`), file('a/../../../pwn'), file('/../../pwn')]],
    ['a link that leads out', (secret) => [sym('out', join(secret, '..')), file('out/pwn', 'x')]],
    ['a relative link that leads out', () => [sym('out', '../..'), file('out/pwn', 'x')]],
    [
      'links of links',
      () => [
        dir('a'),
        sym('a/b', '..'),
        sym('a/c', 'b/..'),
        sym('x', up),
        file('x/pwn', 'x'),
        file('a/c/../../pwn', 'x'),
      ],
    ],
    [
      'a link that replaces a directory in use',
      () => [dir('a/b'), file('a/b/1'), sym('a/b', '../../..'), file('a/b/pwn', 'x')],
    ],
    [
      'a parent that becomes a link',
      () => [dir('a'), dir('a/b'), file('a/b/1'), sym('a', '../..'), file('a/b/pwn', 'x')],
    ],
    ['a whiteout with ..', () => [file(`${up}.wh.secret`)]],
    ['a whiteout through a link', (secret) => [sym('out', join(secret, '..')), file('out/.wh.secret')]],
    ['an opaque mark through a link', (secret) => [sym('out', join(secret, '..')), file('out/.wh..wh..opq')]],
    ['a file over a link to outside', (secret) => [sym('s', secret), file('s', 'OVERWRITTEN')]],
  ])('%s', async (_name, entries) => {
    const secret = join(outside, 'secret')
    await unpack(tar(...entries(secret))).catch((error) => expect(error.code).toMatch(/^(UNPACK_FAILED|TAR_INVALID)$/))
    expect(fs.readdirSync(outside).sort()).toEqual(['in', 'secret'])
    expect(fs.readdirSync(join(outside, 'in'))).toEqual(['root'])
    expect(fs.readFileSync(secret, 'utf8')).toBe('secret')
    expect(fs.existsSync('/tmp/pwn')).toBe(false)
  })

  it.each<[string, (secret: string) => Buffer[]]>([
    ['by its path', (secret) => [hard('h', secret)]],
    ['with ..', (secret) => [hard('h', up + secret)]],
    ['through a link', (secret) => [sym('out', join(secret, '..')), hard('h', 'out/secret')]],
    ['through a chain of links', (secret) => [sym('x', up), sym('y', `x${secret}`), hard('h', 'y')]],
  ])('hard links to the outside %s', async (_name, entries) => {
    const error = await unpack(tar(...entries(join(outside, 'secret')), file('after'))).catch((e) => e)
    if (error instanceof Error) expect(error).toMatchObject({ code: 'UNPACK_FAILED' })
    const stat = fs.lstatSync(join(root, 'h'), { throwIfNoEntry: false })
    expect(stat?.isFile() ?? false).toBe(false)
    expect(fs.statSync(join(outside, 'secret')).nlink).toBe(1)
  })
})

describe('refuses', () => {
  it.each<[string, Buffer[], string]>([
    ['a whiteout of .', [dir('d'), file('d/.wh..')], 'TAR_INVALID'],
    ['a whiteout of ..', [dir('d'), file('d/.wh...')], 'TAR_INVALID'],
    ['a whiteout of nothing', [file('.wh.')], 'TAR_INVALID'],
    ['entries below a whiteout', [file('.wh.d/x')], 'TAR_INVALID'],
    ['a file with the name of the root', [file('..', 'x')], 'TAR_INVALID'],
    ['a name with NUL', [pax({ path: 'x' }), pax({ linkpath: 'a\0b' }), sym('s', 'x')], 'TAR_INVALID'],
    ['a file below a file', [file('f', 'x'), file('f/g', 'x')], 'UNPACK_FAILED'],
    ['links in a circle', [sym('a', 'b'), sym('b', 'a'), file('a/x')], 'UNPACK_FAILED'],
    ['a hard link to nothing', [hard('h', 'none')], 'UNPACK_FAILED'],
    ['a hard link to a directory', [dir('d'), hard('h', 'd')], 'UNPACK_FAILED'],
    ['a name that is too long', [pax({ path: 'n'.repeat(300) }), file('x')], 'UNPACK_FAILED'],
  ])('%s', async (_name, entries, code) => {
    await expect(unpack(tar(...entries))).rejects.toMatchObject({ code })
  })

  it('another diffID', async () => {
    const data = tar(file('f', 'x'))
    await expect(unpack(data, { diffID: sha256('other') })).rejects.toMatchObject({ code: 'DIFF_ID_MISMATCH' })
    expect(await unpack(data, { diffID: sha256(data) })).toEqual({
      diffID: sha256(data),
      uncompressedSize: data.length,
      entries: 1,
    })
  })

  it('a diffID that leaves out what follows the end mark', async () => {
    const data = tar(file('f', 'x'))
    const more = Buffer.concat([data, Buffer.from('more')])
    await expect(unpack(more, { diffID: sha256(data) })).rejects.toMatchObject({ code: 'DIFF_ID_MISMATCH' })
    await unpack(more, { diffID: sha256(more) })
  })

  it('media types that are no layers', async () => {
    await expect(unpack(END, {}, 'application/vnd.oci.image.config.v1+json')).rejects.toMatchObject({
      code: 'LAYER_TYPE_UNKNOWN',
    })
  })

  it('when aborted', async () => {
    await expect(unpack(tar(file('f')), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describe('compressed layers', () => {
  const data = tar(file('f', 'x'.repeat(100_000)), file('g', 'y'))
  const gz = zlib.gzipSync(data)
  const zst = zlib.zstdCompressSync(data)
  it.each([
    ['gzip', gz, mediaTypes.ociLayerGzip],
    ['gzip with Docker’s type', gz, mediaTypes.dockerLayerGzip],
    [
      'gzip of several members',
      Buffer.concat([zlib.gzipSync(data.subarray(0, 777)), zlib.gzipSync(data.subarray(777))]),
      mediaTypes.ociLayerGzip,
    ],
    ['zstd', zst, mediaTypes.ociLayerZstd],
    [
      'zstd of several frames',
      Buffer.concat(
        [0, 1, 2].map((i) => zlib.zstdCompressSync(data.subarray(i * 40_000, i === 2 ? undefined : (i + 1) * 40_000))),
      ),
      mediaTypes.ociLayerZstd,
    ],
    ['nothing', data, mediaTypes.ociLayer],
    ['the wrong type', gz, mediaTypes.ociLayer],
  ])('%s', async (_name, blob, mediaType) => {
    await unpack(blob, { diffID: sha256(data) }, mediaType)
    expect(tree()).toEqual({ f: 'x'.repeat(100_000), g: 'y' })
  })

  const flipped = Buffer.from(gz)
  flipped[gz.length - 6]! ^= 0xff
  it.each([
    ['truncated gzip', gz.subarray(0, 30), 'COMPRESSION_INVALID'],
    ['a wrong checksum', flipped, 'COMPRESSION_INVALID'],
    ['truncated zstd', zst.subarray(0, zst.length - 3), 'COMPRESSION_INVALID'],
    [
      'a zstd window of 2 GiB',
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 0x29, 0, 0, 1, 2, 3, 4, 5]),
      'COMPRESSION_INVALID',
    ],
    ['text', Buffer.from('not gzip at all'), 'TAR_TRUNCATED'],
  ])('refused: %s', async (_name, blob, code) => {
    await expect(unpack(blob, {}, mediaTypes.ociLayerGzip)).rejects.toMatchObject({ code })
  })

  it('passes failures of the source on', async () => {
    const failing = async function* () {
      yield gz.subarray(0, 50)
      throw new Error('connection lost')
    }
    await expect(unpackLayer(failing(), mediaTypes.ociLayerGzip, { diffID: undefined, root })).rejects.toThrow(
      'connection lost',
    )
  })
})

const isRoot = process.getuid?.() === 0

describe('attributes', () => {
  it('sets modes and times, of directories last', async () => {
    await unpack(
      tar(
        dir('d', { mode: 0o1751, mtime: 1000 }),
        file('d/f', 'x', { mode: 0o640, mtime: 2000 }),
        sym('d/s', 'f', { mtime: 3000 }),
      ),
    )
    const stat = (path: string) => fs.lstatSync(join(root, path))
    expect([stat('d').mode & 0o7777, stat('d').mtimeMs]).toEqual([0o1751, 1_000_000])
    expect([stat('d/f').mode & 0o7777, stat('d/f').mtimeMs]).toEqual([0o640, 2_000_000])
    expect(stat('d/s').mtimeMs).toBe(3_000_000)
  })

  it('keeps the times of directories that it only passes through', async () => {
    await unpack(tar(dir('d', { mtime: 1000 }), dir('d/e', { mtime: 2000 })))
    await unpack(tar(file('d/e/f')))
    expect(fs.statSync(join(root, 'd/e')).mtimeMs).toBe(2_000_000)
  })

  it('gives directories that it only implies a time that is the same everywhere', async () => {
    await unpack(tar(file('a/b/f', 'f'), dir('c/d')))
    for (const path of ['a', 'a/b', 'c']) expect(fs.statSync(join(root, path)).mtimeMs, path).toBe(0)
    expect(fs.statSync(join(root, 'c/d')).mtimeMs).not.toBe(0)
  })

  it('sets those of the root', async () => {
    await unpack(tar(rawHeader({ name: './', type: '5', mode: 0o700, mtime: 5000 }), file('f')))
    expect([fs.statSync(root).mode & 0o7777, fs.statSync(root).mtimeMs]).toEqual([0o700, 5_000_000])
  })

  it.skipIf(!isRoot)('sets owners, set-id bits after them, capabilities and devices (needs root)', async () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
    const data = tar(
      file('s', 'x', { mode: 0o6755, uid: 5, gid: 6 }),
      pax({ 'SCHILY.xattr.security.capability': capability, 'SCHILY.xattr.user.n': 'v' }),
      file('c', 'x', { uid: 7 }),
      rawHeader({ name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 }),
      rawHeader({ name: 'p', type: '6', mode: 0o622 }),
    )
    await unpack(data)
    const { getXattr } = await import('../util/syscalls.ts')
    const s = fs.statSync(join(root, 's'))
    expect([s.mode & 0o7777, s.uid, s.gid]).toEqual([0o6755, 5, 6])
    expect(getXattr(join(root, 'c'), 'security.capability')).toEqual(capability)
    expect(getXattr(join(root, 'c'), 'user.n')?.toString()).toBe('v')
    const device = fs.statSync(join(root, 'null'))
    expect([device.isCharacterDevice(), device.rdev, device.mode & 0o777]).toEqual([true, 0x103, 0o666])
    expect(fs.statSync(join(root, 'p')).mode).toBe(0o10622)
  })

  const noUser = spawnSync('unshare', ['-r', 'true']).status !== 0
  it.skipIf(noUser)(`keeps to the one id of its user namespace${noUser ? ' (needs user namespaces)' : ''}`, () => {
    const layer = join(outside, 'layer.tar')
    fs.writeFileSync(
      layer,
      tar(
        file('s', 'x', { mode: 0o6755, uid: 5, gid: 6 }),
        sym('l', 's', { uid: 7 }),
        file('r', 'x', { mode: 0o4711, uid: 0, gid: 0 }),
      ),
    )
    const script = `
      import { unpackLayer } from ${JSON.stringify(new URL('unpack.ts', import.meta.url).pathname)}
      import { createReadStream, statSync } from 'node:fs'
      const run = (squashOwners) => unpackLayer(createReadStream(${JSON.stringify(layer)}), ${JSON.stringify(mediaTypes.ociLayer)}, {
        diffID: undefined, root: ${JSON.stringify(root)}, squashOwners, onSkipped: (path, why) => console.log(path, why),
      })
      await run()
      for (const name of ['s', 'r']) console.log(statSync(${JSON.stringify(root)} + '/' + name).mode.toString(8))
      await run(false).catch((error) => console.log(error.message))`
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-r', process.execPath, '--input-type=module-typescript', '-e', script],
      { encoding: 'utf8' },
    )
    expect((stderr + stdout).split('\n')).toEqual([
      's its owner 5:6 does not exist in this user namespace',
      'l its owner 7:0 does not exist in this user namespace',
      '100755',
      '104711',
      'cannot unpack "s": its owner is not mapped in this user namespace (more subordinate ids are needed)',
      '',
    ])
  })

  it('takes no marks of overlay mounts from a layer', async () => {
    const skipped: string[] = []
    const forged = {
      'SCHILY.xattr.trusted.overlay.opaque': 'y',
      'SCHILY.xattr.user.overlay.opaque': 'y',
      'SCHILY.xattr.user.ok': 'y',
    }
    const data = tar(pax(forged), dir('d'), rawHeader({ name: 'w', type: '3' }))
    await unpack(data, { onSkipped: (path) => skipped.push(path) })
    const { listXattrs } = await import('../util/syscalls.ts')
    expect(listXattrs(join(root, 'd')).filter((name) => name !== 'security.selinux')).toEqual(['user.ok'])
    expect([skipped, fs.existsSync(join(root, 'w'))]).toEqual([['w'], false])
  })

  it('keeps names exactly', async () => {
    await unpack(tar(file(Buffer.from([0x61, 0xff, 0x62]), 'x')))
    expect(fs.readdirSync(root, { encoding: 'buffer' })[0]).toEqual(Buffer.from([0x61, 0xff, 0x62]))
  })

  it('handles deep paths and many whiteouts in reasonable time', async () => {
    const deep = Array.from({ length: 400 }, (_, i) => `d${i % 10}`).join('/')
    const named = (name: string) => Buffer.concat([pax({ path: `${deep}/${name}` }), file('x')])
    await unpack(tar(...Array.from({ length: 2000 }, (_, i) => named(String(i)))))
    const start = performance.now()
    await unpack(tar(...Array.from({ length: 2000 }, (_, i) => named(`.wh.${i}`))))
    expect(fs.readdirSync(join(root, deep))).toEqual([])
    expect(performance.now() - start).toBeLessThan(20_000)
  })
})
