import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
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
})
