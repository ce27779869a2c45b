import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findLoader, openLoad } from './load-image.ts'

const signal = new AbortController().signal
let bin: string
let path: string | undefined

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'tsbuild-load-'))
  path = process.env.PATH
  process.env.PATH = bin
})

afterEach(() => {
  process.env.PATH = path
  rmSync(bin, { recursive: true })
})

function tool(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\nPATH=/bin:/usr/bin\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
}

describe('findLoader', () => {
  it('takes docker when it answers', async () => {
    tool('docker', 'exit 0')
    tool('podman', 'exit 0')
    expect((await findLoader(signal)).name).toBe('docker')
  })

  it('takes podman when docker has no daemon', async () => {
    tool('docker', 'echo "Cannot connect to the Docker daemon" >&2; exit 1')
    tool('podman', 'exit 0')
    expect((await findLoader(signal)).name).toBe('podman')
  })

  it('says of each one why it cannot be used', async () => {
    tool('docker', 'echo details >&2; echo "Cannot connect to the Docker daemon" >&2; exit 1')
    await expect(findLoader(signal)).rejects.toMatchObject({
      name: 'CommandError',
      message:
        '--load needs a running docker or podman (docker: Cannot connect to the Docker daemon; podman: not installed)',
    })
  })
})

describe('openLoad', () => {
  const loader = { name: 'docker', probe: [] } as const

  it('feeds the archive to the tool and returns what it said', async () => {
    tool('docker', `cat > ${bin}/got; echo "Loaded image: x"`)
    const sink = openLoad(loader, signal)
    const data = Buffer.alloc(3 << 20, 'ab')
    await pipeline([data, Buffer.from('end')], sink.stream, { end: false })
    expect(await sink.finish()).toBe('Loaded image: x')
    expect(readFileSync(join(bin, 'got')).equals(Buffer.concat([data, Buffer.from('end')]))).toBe(true)
  })

  it('works when the stream was ended already', async () => {
    tool('docker', `cat > ${bin}/got; echo ok`)
    const sink = openLoad(loader, signal)
    await pipeline([Buffer.from('abc')], sink.stream)
    expect(await sink.finish()).toBe('ok')
    expect(readFileSync(join(bin, 'got'), 'utf8')).toBe('abc')
  })

  it('does not start the tool before there is something to load', async () => {
    tool('docker', `touch ${bin}/started`)
    openLoad(loader, signal)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(existsSync(join(bin, 'started'))).toBe(false)
  })

  it('fails in the words of the tool, also when it reads nothing', async () => {
    tool('docker', 'echo "no space left on device" >&2; exit 3')
    const sink = openLoad(loader, signal)
    await pipeline([Buffer.alloc(4 << 20)], sink.stream, { end: false })
    await expect(sink.finish()).rejects.toThrow('docker load failed: no space left on device')
  })
})
