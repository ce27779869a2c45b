import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type Descriptor, digestOf, mediaTypes, RegistryError } from '@tsbuild/registry-client'
import { expect, it } from 'vitest'
import { BuildError } from '../errors.ts'
import { debug, keptRootfs } from './debug.ts'
import { openImages } from './images.ts'
import { diskUsage, prune } from './storage.ts'

const INDEX = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }))

/** What a call throws, or what ends the stream that it gives. */
async function thrown(call: () => unknown): Promise<unknown> {
  try {
    const value: unknown = await call()
    if (typeof value === 'object' && value !== null && Symbol.asyncIterator in value)
      for await (const _ of value as AsyncIterable<unknown>);
    return undefined
  } catch (error) {
    return error
  }
}

/** @returns how many calls failed */
async function expectTyped(calls: Readonly<Record<string, () => unknown>>, story: string): Promise<number> {
  let failed = 0
  for (const [name, call] of Object.entries(calls)) {
    const error = await thrown(call)
    if (error === undefined) continue
    failed++
    expect(error instanceof BuildError || error instanceof RegistryError, `${name}, ${story}: ${error}`).toBe(true)
    expect((error as BuildError).code, `${name}, ${story}: ${error}`).not.toBe('INTERNAL')
  }
  return failed
}

it('every method of opened images throws errors of the library only, whatever becomes of the store', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tsbuild-typed-'))
  try {
    const root = join(directory, 'store')
    const opened = await openImages({ root, env: {} })
    const { images } = opened
    const pushed = await images.pushManifest(INDEX, mediaTypes.ociIndex, { tags: ['n:1'] })
    const content = { mediaType: 'text/plain', digest: digestOf(Buffer.from('abc')), size: 3 }
    const calls = {
      list: () => images.list(),
      resolve: () => images.resolve('n:1'),
      'resolve an id': () => images.resolve(pushed.digest.slice(0, 20)),
      'resolve a number': () => images.resolve(5 as unknown as string),
      tag: () => images.tag('n:1', 'm:1'),
      untag: () => images.untag('m:1'),
      fetchManifest: () => images.fetchManifest(pushed),
      referrers: () => images.referrers(pushed),
      companions: () => images.companions(pushed),
      openBlob: () => images.openBlob(pushed),
      'openBlob from a place': () => images.openBlob(pushed, { offset: 5 }),
      'openBlob of none': () => images.openBlob({ ...pushed, digest: `sha256:${'a'.repeat(64)}` } as Descriptor),
      hasBlob: () => images.hasBlob(pushed),
      pushBlob: () =>
        images.pushBlob(content, async function* () {
          yield Buffer.from('abc')
        }),
      pushManifest: () => images.pushManifest(INDEX, mediaTypes.ociIndex, { tags: ['n:1'] }),
    }
    const blob = join(root, 'blobs/sha256', pushed.digest.slice('sha256:'.length))
    const index = join(root, 'index.json')
    expect(await expectTyped(calls, 'whole')).toBe(2)
    for (const [story, harm] of Object.entries({
      'a blob is a directory': async () => {
        await rm(blob)
        await mkdir(blob)
      },
      'a blob is a link': async () => {
        await rm(blob, { recursive: true })
        await symlink('/nowhere', blob)
      },
      'the index is a directory': async () => {
        await rm(index)
        await mkdir(index)
      },
      'the store is a file': async () => {
        await rm(root, { recursive: true })
        await writeFile(root, '')
      },
    })) {
      await harm()
      expect(await expectTyped(calls, story), story).toBeGreaterThan(2)
    }
    const { signal } = new AbortController()
    const console = { stdout: new PassThrough(), stderr: new PassThrough(), tty: false }
    const all = {
      openImages: () => openImages({ root, env: {} }),
      keptRootfs: () => keptRootfs({ root, env: {} }),
      diskUsage: () => diskUsage({ root, env: {}, signal }),
      prune: () => prune({ root, env: {} }),
      debug: () => debug({ root, env: {}, name: 'x', console }),
      'the end': () => opened[Symbol.asyncDispose](),
    }
    await expectTyped(all, 'the store is a file')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

it('a call that was aborted is rejected with the reason', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tsbuild-typed-'))
  try {
    await using opened = await openImages({ root: directory, env: {} })
    const pushed = await opened.images.pushManifest(INDEX, mediaTypes.ociIndex)
    const reason = new Error('enough')
    const error = await thrown(() => opened.images.openBlob(pushed, { signal: AbortSignal.abort(reason) }))
    expect((error as Error).cause ?? error).toBe(reason)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
