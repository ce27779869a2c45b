import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { build } from '../build.ts'
import type { BuildOptions } from '../options.ts'
import type { ProgressEvent } from '../progress.ts'

const directory = mkdtempSync(join(tmpdir(), 'tsbuild-inputs-'))
const file = join(directory, 'file')
writeFileSync(file, '')
afterAll(() => rmSync(directory, { recursive: true }))

const missing = join(directory, 'missing')

describe('before anything is built', () => {
  it.each<[options: BuildOptions, code: string, message: string]>([
    [
      { secrets: [{ id: 'a', src: missing }] },
      'SECRET_UNREADABLE',
      `secret a cannot be read: ${missing}: no such file or directory`,
    ],
    [
      { secrets: [{ id: 'a', src: directory }] },
      'SECRET_UNREADABLE',
      `secret a cannot be read: ${directory}: it is a directory`,
    ],
    [
      { ssh: [{ id: 'default', paths: [] }] },
      'SSH_UNAVAILABLE',
      'no SSH agent: $SSH_AUTH_SOCK is not set and no key was given',
    ],
    [
      { ssh: [{ id: 'default', paths: [missing] }] },
      'SSH_UNAVAILABLE',
      `cannot use ${missing} for SSH: no such file or directory`,
    ],
    [
      { buildContexts: { a: missing } },
      'CONTEXT_NOT_FOUND',
      `unable to prepare context: path ${JSON.stringify(missing)} not found`,
    ],
    [
      { outputs: [{ type: 'local', attrs: { dest: file } }] },
      'OUTPUT_FAILED',
      `failed to write ${file}: not a directory`,
    ],
    [
      { outputs: [{ type: 'oci', attrs: { dest: join(file, 'x') } }] },
      'OUTPUT_FAILED',
      `failed to write ${file}/x: not a directory`,
    ],
    [{ root: file }, 'STORE_FORMAT', `cannot use ${file} as the store: not a directory`],
  ])('%j is refused', async (options, code, message) => {
    const events: ProgressEvent[] = []
    const dockerfileText = 'FROM scratch\nLABEL a=b\n'
    const root = join(directory, 'root')
    const failing = build({ root, dockerfileText, env: {}, ...options, onProgress: (event) => events.push(event) })
    await expect(failing).rejects.toMatchObject({ code, message })
    expect(events).toEqual([])
  })
})
