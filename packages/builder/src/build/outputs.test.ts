import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { build } from '../build.ts'
import type { OutputSpec } from '../options.ts'

const directory = mkdtempSync(join(tmpdir(), 'tsbuild-outputs-'))
writeFileSync(join(directory, 'file'), 'x')
afterAll(() => rmSync(directory, { recursive: true }))

describe('where nothing can be written', () => {
  it.each<[type: OutputSpec['type'], dest: string, named: string]>([
    ['local', '/proc', '/proc/file'],
    ['local', '/proc/absent', '/proc/absent'],
    ['tar', '/proc/absent', '/proc/absent'],
    ['oci', '/proc/absent/x', '/proc/absent/x'],
    ['docker', '/proc/absent', '/proc/absent'],
  ])('type=%s,dest=%s says so of the path that the user knows', async (type, dest, named) => {
    const building = build({
      root: join(directory, 'root'),
      context: directory,
      dockerfileText: 'FROM scratch\nCOPY file /\n',
      env: {},
      outputs: [{ type, attrs: { dest } }],
    })
    await expect(building).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: `failed to write ${named}: no such file or directory`,
      hint: expect.any(String),
    })
  })
})
