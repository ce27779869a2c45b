import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mediaTypes } from '@tsbuild/registry-client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { build } from '../build.ts'
import { openStore } from '../store/index.ts'
import { check, outline, targets } from './calls.ts'

let dir: string
let root: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsbuild-calls-'))
  root = join(dir, 'root')
  await openStore(root)
})

afterEach(() => rm(dir, { recursive: true }))

/** Root may write whatever the modes say, so what has to be made stands in its own way. */
async function forbidWriting(): Promise<void> {
  for (const name of ['leases', 'alive', 'records', 'tmp', 'locks', 'gate.lock']) {
    await rm(join(root, name), { recursive: true, force: true })
    if (name === 'gate.lock') await mkdir(join(root, name))
    else await writeFile(join(root, name), '')
  }
}

it('answers questions about a Dockerfile with a store that cannot be written', async () => {
  await forbidWriting()
  const before = await readdir(dir, { recursive: true })
  const options = { root, context: dir, dockerfileText: 'FROM scratch AS one\nCOPY x /\n', env: {} }
  expect((await check(options)).warnings).toEqual([])
  expect((await outline(options)).text).toContain('one')
  expect((await targets(options)).text).toContain('one')
  expect(await readdir(dir, { recursive: true })).toEqual(before)
})

it('places what is wrong with a base image at its FROM, and says it once', async () => {
  const store = await openStore(root)
  const config = await store.blobs.put(Buffer.from('{"rootfs": 5}'))
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { ...config, mediaType: mediaTypes.ociConfig },
    layers: [],
  }
  const manifest = await store.blobs.put(Buffer.from(JSON.stringify(document)))
  const cut = await store.blobs.put(Buffer.from('{'))
  for (const [name, { digest, size }] of Object.entries({ config: manifest, manifest: cut }))
    await store.images.tag(`docker.io/library/${name}:1`, { mediaType: mediaTypes.ociManifest, digest, size }, 0)
  for (const [name, culprit] of [
    ['config', `image config ${config.digest}`],
    ['manifest', `manifest ${cut.digest}`],
  ]) {
    const options = {
      root,
      context: dir,
      dockerfileText: `FROM scratch AS a\nFROM ${name}:1\nCOPY --from=a / /\n`,
      env: {},
    }
    for (const call of [build, outline])
      await expect(call(options)).rejects.toMatchObject({
        code: 'IMAGE_INVALID',
        message: expect.stringContaining(`docker.io/library/${name}:1 is not a usable image: invalid ${culprit}: `),
        at: { range: { start: { line: 2 } } },
      })
    expect((await check(options)).json).toMatchObject({
      buildError: { location: { ranges: [{ start: { line: 2 } }] }, message: expect.stringContaining(`${name}:1`) },
    })
  }
})
