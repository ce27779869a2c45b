import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareNames, decodeName, encodePath, fsPath, readDirectory } from './raw-path.ts'

describe('names', () => {
  it.each([
    ['ASCII', Buffer.from('name'), 'name'],
    ['UTF-8', Buffer.from('ü日𝒳'), 'ü日𝒳'],
    ['the replacement character itself', Buffer.from('\ufffd'), '\ufffd'],
    ['a bad byte', Buffer.from([0x61, 0xff, 0x62]), 'a\udcffb'],
    ['a sequence that is cut off', Buffer.from([0xe6, 0x97]), '\udce6\udc97'],
    ['an overlong sequence', Buffer.from([0xc0, 0xaf]), '\udcc0\udcaf'],
    ['a surrogate in UTF-8', Buffer.from([0xed, 0xb3, 0xbf]), '\udced\udcb3\udcbf'],
    ['bad and good ones', Buffer.from([0xff, 0xc3, 0xbc, 0xfe]), '\udcffü\udcfe'],
  ])('%s', (_name, bytes, text) => {
    expect(decodeName(bytes)).toBe(text)
    expect(encodePath(text)).toEqual(bytes)
    expect(Buffer.from(fsPath(text) as Buffer)).toEqual(bytes)
  })

  it('are ordered by their bytes', () => {
    const sorted = ['', 'A', 'a', 'a-', 'a.b', 'ab', 'b', 'é', '\ue000', '\uffff', '𝒳', '\udcff']
    expect([...sorted].reverse().sort(compareNames)).toEqual(sorted)
  })
})

it('reads directories with any names', () => {
  const base = fs.mkdtempSync(join(tmpdir(), 'raw-path-'))
  fs.writeFileSync(fsPath(`${base}/\udcff\udcfe`), '')
  fs.symlinkSync('..', join(base, 'up'))
  expect(readDirectory(base).map((e) => [e.name, e.isFile()])).toEqual([
    ['up', false],
    ['\udcff\udcfe', true],
  ])
  fs.rmSync(base, { recursive: true })
})
