import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from './bundle.ts'

const PACKAGE = join(import.meta.dirname, '../..')
let dir: string

/** A package as npm would install it: the bin folder, the bundle, no sources. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tsbuild-bundle-'))
  await cp(join(PACKAGE, 'bin'), join(dir, 'bin'), { recursive: true })
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  await bundle(join(dir, 'dist'))
  await mkdir(join(dir, 'node_modules'))
  await symlink(join(PACKAGE, '../builder/node_modules/koffi'), join(dir, 'node_modules/koffi'))
  await mkdir(join(dir, 'context'))
  await writeFile(join(dir, 'context/file'), 'content')
  await writeFile(join(dir, 'context/Dockerfile'), 'FROM scratch\nCOPY file /file\n')
})

afterAll(() => rm(dir, { recursive: true }))

const run = (bin: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, [join(bin, 'bin/tsbuild.js'), ...args], {
    env: { PATH: process.env.PATH, HOME: dir, SOURCE_DATE_EPOCH: '0' },
  })

describe('the bundle', () => {
  it('starts', async () => {
    expect((await run(dir, 'version')).stdout).toBe((await run(PACKAGE, 'version')).stdout)
  })

  it('builds what the sources build', async () => {
    const context = join(dir, 'context')
    const bundled = await run(dir, '-q', '--root', join(dir, 'root-1'), context)
    const sources = await run(PACKAGE, '-q', '--root', join(dir, 'root-2'), context)
    expect(bundled.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    expect(bundled.stdout).toBe(sources.stdout)
  })

  it('keeps compiled code from one build to the next, and does without what is damaged', async () => {
    const cache = join(dir, '.cache/tsbuild/node')
    const kept = async () => (await readdir(cache).catch(() => [])).filter((name) => name.endsWith('.code')).sort()
    // The worker makes the files of a tar output.
    const outputs = ['-o', `type=oci,dest=${join(dir, 'oci.tar')}`, '-o', `type=tar,dest=${join(dir, 'files.tar')}`]
    const build = async (root: string) =>
      (await run(dir, '-q', '--root', join(dir, root), ...outputs, join(dir, 'context'))).stdout
    await rm(cache, { recursive: true, force: true })
    await run(dir, 'version')
    expect(await kept()).toEqual([])

    const digest = await build('root-3')
    const names = await kept()
    expect(names.map((name) => name.split('-v')[0])).toEqual(['main-build', 'worker-main-files'])
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(cache, name))).size))
    for (const damaged of ['', 'no code', Buffer.alloc(sizes[0]!)]) {
      for (const name of names) await writeFile(join(cache, name), damaged)
      expect(await build(`root-${randomUUID()}`)).toBe(digest)
      for (const name of names) expect((await stat(join(cache, name))).size).toBeGreaterThan(10_000)
    }

    await rm(cache, { recursive: true })
    await writeFile(cache, 'not a directory')
    expect(await build('root-4')).toBe(digest)
  })
})
