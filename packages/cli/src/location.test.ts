import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OciLayout, RegistryClient } from '@tsbuild/registry-client'
import { afterAll, describe, expect, it } from 'vitest'
import type { CommandContext } from './command.ts'
import { openSource, openTarget, parseLocation } from './location.ts'
import { UsageError } from './usage-error.ts'

const dir = mkdtempSync(join(tmpdir(), 'tsbuild-location-'))
afterAll(() => rmSync(dir, { recursive: true }))

describe('parseLocation', () => {
  it.each<[string, object]>([
    ['alpine', { kind: 'registry', reference: 'alpine' }],
    ['localhost:5000/a:1', { kind: 'registry', reference: 'localhost:5000/a:1' }],
    ['docker://alpine:3', { kind: 'registry', reference: 'alpine:3' }],
    ['store:a:1', { kind: 'store', reference: 'a:1' }],
    ['oci:dir', { kind: 'oci', path: 'dir', name: undefined }],
    ['oci:/a/b:v1', { kind: 'oci', path: '/a/b', name: 'v1' }],
    ['oci:dir:host:5000/a:1', { kind: 'oci', path: 'dir', name: 'host:5000/a:1' }],
    ['oci-archive:a.tar', { kind: 'oci-archive', path: 'a.tar', name: undefined }],
  ])('%s', (text, location) => expect(parseLocation(text)).toEqual(location))

  it.each(['oci:', 'oci::x', 'ftp://x', 'dokcer://x'])('refuses %s', (text) => {
    expect(() => parseLocation(text)).toThrow(UsageError)
  })
})

describe('locations', () => {
  const io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: {}, cwd: dir }
  const { signal } = new AbortController()
  const context: CommandContext = { io, signal, global: { root: join(dir, 'root'), debug: false }, commands: [] }

  it('name the tag of a target: its own, the source’s, latest', async () => {
    await using client = new RegistryClient({ credentials: false })
    const tags = async (text: string, tag?: string) =>
      (await openTarget(parseLocation(text), client, tag, context)).tags
    expect(await tags('r.example/a:1', '2')).toEqual(['1'])
    expect(await tags('r.example/a', '2')).toEqual(['2'])
    expect(await tags('r.example/a')).toEqual(['latest'])
    expect(await tags(`r.example/a@sha256:${'0'.repeat(64)}`, '2')).toEqual([])
    expect(await tags(`oci:${dir}/new`, '2')).toEqual(['2'])
    expect(await tags('store:a', '2')).toEqual(['a'])
  })

  it('make a layout that is not there, but only to write to it', async () => {
    await using client = new RegistryClient({ credentials: false })
    await expect(openSource(parseLocation(`oci:${dir}/nowhere`), client, context)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await openTarget(parseLocation(`oci:${dir}/made:x`), client, undefined, context)
    expect(existsSync(join(dir, 'made/oci-layout'))).toBe(true)
    expect(readFileSync(join(dir, 'made/index.json'), 'utf8')).toContain('"manifests":[]')
    await OciLayout.open(join(dir, 'made'))
  })

  it('put archives in their place only when they are finished', async () => {
    await using client = new RegistryClient({ credentials: false })
    {
      await using given = await openTarget(parseLocation(`oci-archive:${dir}/up.tar`), client, 'x', context)
      expect(given.tags).toEqual(['x'])
    }
    expect(existsSync(join(dir, 'up.tar'))).toBe(false)
    await using target = await openTarget(parseLocation(`docker-archive:${dir}/d.tar:a:1`), client, 'x', context)
    expect(target.tags).toEqual(['a:1'])
    await target.finish?.()
    expect(existsSync(join(dir, 'd.tar'))).toBe(true)
  })

  it('want a name for a docker archive', async () => {
    await using client = new RegistryClient({ credentials: false })
    await expect(openTarget(parseLocation(`docker-archive:${dir}/a.tar`), client, 'x', context)).rejects.toThrow(
      UsageError,
    )
  })
})
