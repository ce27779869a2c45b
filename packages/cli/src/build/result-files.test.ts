import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { proxyArgs } from './proxy-args.ts'
import { replaceFile } from './result-files.ts'

const dir = mkdtempSync(join(tmpdir(), 'tsbuild-files-'))
afterAll(() => rmSync(dir, { recursive: true }))

describe('replaceFile', () => {
  it('makes and replaces files and leaves nothing else behind', async () => {
    const path = join(dir, 'a')
    await replaceFile(path, 'one')
    await replaceFile(path, 'two')
    expect(readFileSync(path, 'utf8')).toBe('two')
    expect(readdirSync(dir)).toEqual(['a'])
    expect(lstatSync(path).mode & 0o777).toBe(0o644)
  })

  it('keeps a link and replaces what it leads to', async () => {
    writeFileSync(join(dir, 'target'), 'old')
    symlinkSync('target', join(dir, 'link'))
    await replaceFile(join(dir, 'link'), 'new')
    expect(lstatSync(join(dir, 'link')).isSymbolicLink()).toBe(true)
    expect(readFileSync(join(dir, 'target'), 'utf8')).toBe('new')
  })

  it('writes to devices as they are', async () => {
    await replaceFile('/dev/null', 'x')
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
  })

  it('fails for a directory that is not there', async () => {
    const path = join(dir, 'no/x')
    await expect(replaceFile(path, 'x')).rejects.toThrow(`cannot write ${path}: no such file or directory`)
  })
})

describe('proxyArgs', () => {
  const config = (text: string) => {
    mkdirSync(join(dir, 'docker'), { recursive: true })
    writeFileSync(join(dir, 'docker/config.json'), text)
    return proxyArgs({ DOCKER_CONFIG: join(dir, 'docker') })
  }

  it('takes the default proxies of the config file', async () => {
    expect(await config('{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"a,b","httpsProxy":""}}}')).toEqual({
      HTTP_PROXY: 'http://p:1',
      http_proxy: 'http://p:1',
      NO_PROXY: 'a,b',
      no_proxy: 'a,b',
    })
  })

  it.each(['{}', '{"proxies":{}}', '{"proxies":null}', '{"proxies":{"default":{"httpProxy":1}}}', '{"proxies"', ''])(
    'has none for %j',
    async (text) => expect(await config(text)).toEqual({}),
  )

  it('has none without a file', async () => {
    expect(await proxyArgs({ DOCKER_CONFIG: join(dir, 'nowhere') })).toEqual({})
  })
})
