import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ImageArchive, lockFile, makeDirectory, parsePlatform, parseReference, RegistryError } from '../index.ts'

it('what is written fails with errors of this package, whatever is in the way', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tsbuild-writing-'))
  try {
    const at = (name: string) => join(directory, name)
    await writeFile(at('file'), '')
    await mkdir(at('directory'))
    await symlink('loop', at('loop'))
    const before = await readdir(directory)
    const bad = [at('file/x'), at('loop/x'), '/proc/none/x', at('n'.repeat(300)), at('a\0b')]
    const calls = [
      ...[...bad, at('file'), at('loop'), ''].map((path) => () => makeDirectory(path)),
      ...[...bad, at('none/x')].map((path) => () => ImageArchive.create(path, { format: 'oci' })),
      ...[...bad, at('none/x'), at('directory')].map((path) => () => lockFile(path)),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error, String(call)).toBeInstanceOf(RegistryError)
      expect((error as RegistryError).code).toBe('ARCHIVE_FAILED')
    }
    expect(await readdir(directory)).toEqual(before)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

it.each([undefined, null, 5, {}, Symbol('x')])('%s is no name and no platform', (value) => {
  expect(() => parseReference(value as string)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID' }))
  expect(() => parsePlatform(value as string)).toThrow(expect.objectContaining({ code: 'PLATFORM_INVALID' }))
})
