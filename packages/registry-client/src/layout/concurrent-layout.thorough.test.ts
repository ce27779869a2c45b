import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { mediaTypes } from '../model/media-types.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { lockFile } from './directory-lock.ts'
import { OciLayout } from './oci-layout.ts'

const writer = fileURLToPath(new URL('../testing/write-layout.ts', import.meta.url))

const start = (path: string, name: string, count: number) =>
  fork(writer, [path, name, String(count)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })

async function names(path: string): Promise<string[]> {
  const layout = await OciLayout.open(path)
  for (const { digest, size } of (await layout.index()).manifests)
    expect((await layout.fetchManifest(digest)).bytes.length).toBe(size)
  return (await Array.fromAsync(layout.tags())).sort()
}

describe('one layout, many writers', { timeout: 600_000 }, () => {
  it('that begin together in a new directory all find their images in it', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'new', 'layout')
    const children = Array.from({ length: 4 }, (_, n) => start(path, `p${n}`, 10))
    // Several openings within one process, too.
    const own = Array.from({ length: 4 }, async (_, n) => {
      const layout = await OciLayout.create(path)
      for (let i = 0; i < 10; i++) {
        const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { n: `${n} ${i}` } }))
        await layout.pushManifest(index, mediaTypes.ociIndex, { tags: [`own${n}-${i}`] })
      }
    })
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
    await Promise.all(own)
    expect(codes).toEqual([0, 0, 0, 0])
    expect(await names(path)).toHaveLength(80)
    expect((await readdir(path)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
  })

  it('that are killed leave the index whole and the way free', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'layout')
    const said = new Set<string>()
    for (let round = 0; round < 12; round++) {
      const children = [0, 1].map((n) => start(path, `r${round}-${n}`, 1_000_000))
      // Each is killed at another number of images that it has written; what it said is written stays.
      await Promise.all(
        children.map(async (child, n) => {
          let left = 1 + ((round * 5 + n * 3) % 7)
          const exit = once(child, 'exit')
          child.on('message', (name: string) => {
            said.add(name)
            if (--left === 0) child.kill('SIGKILL')
          })
          await exit
        }),
      )
      JSON.parse(await readFile(join(path, 'index.json'), 'utf8'))
    }
    const last = start(path, 'last', 1)
    expect((await once(last, 'exit'))[0]).toBe(0)
    const found = new Set(await names(path))
    expect([...said].filter((name) => !found.has(name))).toEqual([])
    expect(found.has('last-0')).toBe(true)
    expect(await readdir(path)).not.toContain('index.json.lock')
  })
})

describe('the lock of a directory', { timeout: 600_000 }, () => {
  const dead = { token: '0123456789abcdef', pid: 2 ** 22 + 1, started: '1' }

  it('of a dead owner goes to one of all that wait', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'lock')
    let holders = 0
    let most = 0
    for (let round = 0; round < 20; round++) {
      const { realm } = await (async () => {
        await using _held = await lockFile(path)
        return JSON.parse(await readFile(path, 'utf8')) as { realm: string }
      })()
      await writeFile(path, JSON.stringify({ ...dead, realm }))
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          await using _held = await lockFile(path)
          most = Math.max(most, ++holders)
          await new Promise((resolve) => setImmediate(resolve))
          holders--
        }),
      )
    }
    expect(most).toBe(1)
    expect(await readdir(folder.path)).toEqual([])
  })

  it('of a process number that another process has by now is no hindrance', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'lock')
    {
      await using _held = await lockFile(path)
      const owner = JSON.parse(await readFile(path, 'utf8'))
      await writeFile(path, JSON.stringify({ ...owner, token: dead.token, started: '1' }))
    }
    await using _held = await lockFile(path)
  })

  it('of somebody who lives is waited for, until the caller gives up', async () => {
    await using folder = await temporaryDirectory()
    const path = join(folder.path, 'lock')
    await using _held = await lockFile(path)
    await expect(lockFile(path, AbortSignal.timeout(50))).rejects.toThrow('timeout')
    expect(await readdir(folder.path)).toEqual(['lock'])
  })
})
