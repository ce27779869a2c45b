import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { resolveUser } from './user.ts'

const root = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-user-'))
afterAll(() => fs.rmSync(root, { recursive: true }))

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/usr/sbin:/bin/false
# a comment
alice:x:1000:1000::/home/alice:/bin/sh
1234:x:50:50::/odd:/bin/sh
nohome:x:60:61
broken:x:abc:1::/x
`
const group = `root:x:0:alice
daemon:x:1:
alice:x:1000:
staff:x:2000:bob,alice
docker:x:3000:root
5555:x:77:
`

beforeEach(() => {
  fs.rmSync(join(root, 'etc'), { recursive: true, force: true })
  fs.mkdirSync(join(root, 'etc'))
  fs.writeFileSync(join(root, 'etc/passwd'), passwd)
  fs.writeFileSync(join(root, 'etc/group'), group)
})

describe.skipIf(process.platform !== 'linux')('a user (needs Linux)', () => {
  it.each<[string, number, number, number[], string]>([
    ['', 0, 0, [0, 3000], '/root'],
    ['root', 0, 0, [0, 3000], '/root'],
    ['0', 0, 0, [0, 3000], '/root'],
    ['alice', 1000, 1000, [1000, 0, 2000], '/home/alice'],
    ['1000', 1000, 1000, [1000, 0, 2000], '/home/alice'],
    ['alice:staff', 1000, 2000, [2000], '/home/alice'],
    ['alice:4000', 1000, 4000, [4000], '/home/alice'],
    ['alice:0', 1000, 0, [0], '/home/alice'],
    [':staff', 0, 2000, [2000], '/root'],
    ['1000:1000', 1000, 1000, [1000], '/home/alice'],
    ['4242', 4242, 0, [0], '/'],
    ['4242:4343', 4242, 4343, [4343], '/'],
    ['1234', 50, 50, [50], '/odd'],
    ['alice:5555', 1000, 77, [77], '/home/alice'],
    ['nohome', 60, 61, [61], '/'],
    ['alice:', 1000, 1000, [1000, 0, 2000], '/home/alice'],
  ])('%j', (text, uid, gid, additionalGids, home) => {
    expect(resolveUser(root, text)).toEqual({ uid, gid, additionalGids, home })
  })

  it.each([
    ['bob', 'RUN_UNKNOWN_USER', 'unable to find user bob: no matching entries in passwd file'],
    ['broken', 'RUN_UNKNOWN_USER', 'unable to find user broken'],
    ['alice:nogroup', 'RUN_UNKNOWN_GROUP', 'unable to find group nogroup: no matching entries in group file'],
    ['4294967296', 'RUN_BAD_USER', 'must be in range'],
    ['1:2147483648', 'RUN_BAD_USER', 'must be in range'],
    ['-1', 'RUN_UNKNOWN_USER', 'unable to find user -1'],
  ])('%j is refused', (text, code, message) => {
    expect(() => resolveUser(root, text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })

  it('needs no files when it is a number, and names root by number only', () => {
    fs.rmSync(join(root, 'etc'), { recursive: true })
    expect(resolveUser(root, '')).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: '/' })
    expect(resolveUser(root, '7:8')).toEqual({ uid: 7, gid: 8, additionalGids: [8], home: '/' })
    expect(() => resolveUser(root, 'root')).toThrow('unable to find user root')
  })

  it('is looked up inside the root only', () => {
    const outside = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-outside-'))
    fs.writeFileSync(join(outside, 'passwd'), 'evil:x:666:666::/:/bin/sh\n')
    fs.rmSync(join(root, 'etc/passwd'))
    fs.symlinkSync(join(outside, 'passwd'), join(root, 'etc/passwd'))
    expect(() => resolveUser(root, 'evil')).toThrow('unable to find user evil')
    fs.rmSync(join(root, 'etc/passwd'))
    fs.writeFileSync(join(root, 'real'), 'inside:x:9:9::/in:/bin/sh\n')
    fs.symlinkSync('/../real', join(root, 'etc/passwd'))
    expect(resolveUser(root, 'inside').uid).toBe(9)
    fs.rmSync(outside, { recursive: true })
  })

  it('is not looked up in what is no regular file', () => {
    fs.rmSync(join(root, 'etc/passwd'))
    fs.mkdirSync(join(root, 'etc/passwd'))
    expect(() => resolveUser(root, 'alice')).toThrow('not a regular file')
    fs.rmdirSync(join(root, 'etc/passwd'))
    fs.symlinkSync('passwd', join(root, 'etc/passwd'))
    expect(() => resolveUser(root, 'alice')).toThrow(expect.objectContaining({ code: 'ELOOP' }))
  })
})
