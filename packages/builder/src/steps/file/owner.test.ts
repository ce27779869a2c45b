import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { makeTree, temporaryDirectory } from '../../context/fixture.test-support.ts'
import { resolveOwner } from './owner.ts'
import { readAccountsIn } from './root-accounts.ts'

const directory = temporaryDirectory()
afterAll(() => directory[Symbol.dispose]())

let root: string
let count = 0
beforeEach(() => {
  root = `${directory.path}/${count++}/root`
  mkdirSync(root, { recursive: true })
})

const passwd =
  'root:x:0:0::/:\n# comment\n\napp:x:1000:1001::/:\napp:x:1:1::/:\nbad:x:-5:99999999999::/:\n1and1:x:7:8::/:\n'
const group = 'root:x:0:\nstaff:x:50:app\n'

describe('resolveOwner', () => {
  it.each<[string, string | undefined, string]>([
    ['app', undefined, '1000:1001'],
    ['app', 'staff', '1000:50'],
    ['app', '7', '1000:7'],
    ['app', '', '1000:0'],
    ['', 'staff', '0:50'],
    ['', '', '0:0'],
    ['', undefined, '0:0'],
    ['12', undefined, '12:12'],
    ['12', 'staff', '12:50'],
    ['007', undefined, '7:7'],
    ['4294967294', undefined, '4294967294:4294967294'],
    ['unknown', undefined, '0:0'],
    ['unknown', 'unknown', '0:0'],
    ['bad', undefined, '0:0'],
    ['1and1', undefined, '7:8'],
  ])('%s:%s is %s', (user, groupName, want) => {
    makeTree(root, { 'etc/passwd': passwd, 'etc/group': group })
    const { uid, gid } = resolveOwner(readAccountsIn(root), { user, group: groupName })
    expect(`${uid}:${gid}`).toBe(want)
  })

  it.each(['4294967295', '4294967296', '18446744073709551616', '-1', '+1', '0x0'])('%s is out of range', (id) => {
    const refused = expect.objectContaining({ code: 'CHOWN_ID_RANGE' })
    expect(() => resolveOwner(readAccountsIn(root), { user: id, group: undefined })).toThrow(refused)
    expect(() => resolveOwner(readAccountsIn(root), { user: '0', group: id })).toThrow(refused)
  })

  it('needs no account files', () => {
    expect(resolveOwner(readAccountsIn(root), { user: 'app', group: 'staff' })).toEqual({ uid: 0, gid: 0 })
    makeTree(root, { etc: 'a file' })
    expect(resolveOwner(readAccountsIn(root), { user: 'app', group: 'staff' })).toEqual({ uid: 0, gid: 0 })
  })

  it('follows links inside of the root only', () => {
    makeTree(`${root}/../out`, { passwd })
    makeTree(root, {
      'etc/passwd': { link: '../../out/passwd' },
      'etc/group': { link: '/usr/group' },
      'usr/group': group,
    })
    expect(resolveOwner(readAccountsIn(root), { user: 'app', group: 'staff' })).toEqual({ uid: 0, gid: 50 })
  })

  it.each<[string, () => void]>([
    ['a directory', () => mkdirSync(`${root}/etc/passwd`, { recursive: true })],
    [
      'a fifo',
      () => {
        mkdirSync(`${root}/etc`)
        execFileSync('mkfifo', [`${root}/etc/passwd`])
      },
    ],
    ['a huge file', () => makeTree(root, { 'etc/passwd': '#'.repeat(1024 * 1024 + 1) })],
    ['an endless link', () => makeTree(root, { 'etc/passwd': { link: 'passwd' } })],
  ])('refuses %s', (_, make) => {
    make()
    const refused = expect.objectContaining({ code: 'CHOWN_ACCOUNTS_UNREADABLE' })
    expect(() => resolveOwner(readAccountsIn(root), { user: 'app', group: undefined })).toThrow(refused)
    expect(resolveOwner(readAccountsIn(root), { user: '5', group: undefined })).toEqual({ uid: 5, gid: 5 })
  })
})
