import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { BuildError } from '../errors.ts'
import { mapArguments, parseRanges } from './worker/id-map.ts'
import { startWorker, type WorkerMode } from './worker.ts'

const root = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-worker-'))
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))
const entry = new URL('./testing/echo-worker.ts', import.meta.url)
const isRoot = process.getuid?.() === 0
const start = (mode?: WorkerMode) => startWorker({ entry, root, mode })

async function until(what: () => boolean, ms = 5000): Promise<void> {
  for (const end = Date.now() + ms; !what(); ) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe.skipIf(process.platform !== 'linux')('the worker (needs Linux)', () => {
  it('answers calls, at the same time too, with binary data', async () => {
    await using worker = await start()
    const answers = await Promise.all(
      [1, 2, 3].map((n) => worker.call('echo', { n, data: Buffer.from([n]), big: 2n ** 60n })),
    )
    expect(answers).toEqual([1, 2, 3].map((n) => ({ n, data: Buffer.from([n]), big: 2n ** 60n })))
  })

  it('hands events on in order, before the result', async () => {
    await using worker = await start()
    const seen: number[] = []
    const onEvent = (event: unknown): void => void seen.push((event as { i: number }).i)
    expect(await worker.call('count', { to: 50 }, { onEvent })).toBe('done')
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })

  it('carries errors with what they know', async () => {
    await using worker = await start()
    const error = await worker.call('fail', {}).catch((e: unknown) => e as BuildError)
    expect(error).toMatchObject({
      name: 'BuildError',
      code: 'SOME_CODE',
      message: 'it went wrong',
      hint: 'try again',
      exitCode: 3,
      logTail: ['a', 'b'],
    })
    expect(((error as Error).cause as Error).message).toContain('deep')
    expect((((error as Error).cause as Error).cause as Error).message).toContain('deeper')
    await expect(worker.call('crash', { text: 'oops' })).rejects.toMatchObject({
      code: 'WORKER_OPERATION_FAILED',
      message: 'oops',
    })
    await expect(worker.call('nonsense', {})).rejects.toThrow('no operation nonsense')
  })

  it('aborts one call and leaves the others alone', async () => {
    await using worker = await start()
    const controller = new AbortController()
    const waiting = worker.call('wait', {}, { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED', cause: { message: 'enough' } })
    expect(await worker.call('echo', 1)).toBe(1)
    await expect(worker.call('echo', 1, { signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  it('fails calls when it ends by itself', async () => {
    await using worker = await start()
    await expect(worker.call('exit', {})).rejects.toMatchObject({
      code: 'WORKER_DIED',
      message: expect.stringContaining('status 7'),
    })
    await expect(worker.call('echo', 1)).rejects.toMatchObject({ code: 'WORKER_DIED' })
  })

  it('ends calls that still run when it is closed', async () => {
    const worker = await start()
    const waiting = worker.call('wait', {}).catch((e: unknown) => (e as BuildError).code)
    await worker[Symbol.asyncDispose]()
    expect(await waiting).toBe('CANCELLED')
    expect(runs(worker.pid)).toBe(false)
  })

  it('tidies up once and whole, whatever is asked of it meanwhile', async () => {
    const worker = await start()
    const mark = join(root, 'mark')
    await worker.call('mark', { text: mark })
    const closed = worker[Symbol.asyncDispose]()
    const late = await Promise.allSettled([worker.call('echo', 1), worker.call('fail', {}), worker.call('wait', {})])
    await closed
    expect(late.map((one) => (one as PromiseRejectedResult).reason.code)).toEqual(Array(3).fill('CANCELLED'))
    expect(fs.existsSync(mark)).toBe(true)
  })

  it.each(['idle', 'spin'])('dies with a caller that is killed, %s', async (state) => {
    const script = `
      import { startWorker } from ${JSON.stringify(new URL('./worker.ts', import.meta.url).href)}
      const worker = await startWorker({ entry: new URL(${JSON.stringify(entry.href)}), root: ${JSON.stringify(root)} })
      await worker.call('echo', 1)
      if (${state === 'spin'}) void worker.call('spin', {})
      process.stdout.write(worker.pid + '\\n')
      setInterval(() => {}, 1000)`
    const main = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pid = Number(
      await new Promise<string>((resolve) => main.stdout.once('data', (d: Buffer) => resolve(d.toString()))),
    )
    expect(runs(pid)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 150))
    main.kill('SIGKILL')
    await until(() => !runs(pid))
  })

  it.skipIf(!isRoot)('lives in a mount namespace of its own (needs root)', async () => {
    await using worker = await start()
    expect(worker).toMatchObject({ mode: 'root', reasons: [] })
    const identity = (await worker.call('identity', {})) as { mountNamespace: string }
    expect(identity.mountNamespace).not.toBe(fs.readlinkSync('/proc/self/ns/mnt'))
  })

  it('works without any namespace', async () => {
    await using worker = await start('plain')
    expect(await worker.call('echo', 'x')).toBe('x')
  })

  it('says why it cannot start', async () => {
    const broken = startWorker({ entry: new URL('file:///nowhere/worker.js'), root, mode: 'plain' })
    await expect(broken).rejects.toMatchObject({
      code: 'WORKER_START_FAILED',
      message: expect.stringContaining('/nowhere/worker.js'),
    })
  })
})

describe('subordinate ids', () => {
  const text = 'alice:100000:65536\nbob:165536:65536\n1001:300000:1000\n# x\nalice:500000:10\nalice:bad:10\n'
  it.each([
    [
      'alice',
      1000,
      [
        [100000, 65536],
        [500000, 10],
      ],
    ],
    [
      'bob',
      1001,
      [
        [165536, 65536],
        [300000, 1000],
      ],
    ],
    ['carol', 1002, []],
  ])('of %s', (user, uid, expected) => {
    expect(parseRanges(text, user, uid).map(({ start, count }) => [start, count])).toEqual(expected)
  })

  it('come after the own id, one range after the other', () => {
    expect(
      mapArguments(1000, [
        { start: 100000, count: 65536 },
        { start: 500000, count: 10 },
      ]).join(' '),
    ).toBe('0 1000 1 1 100000 65536 65537 500000 10')
  })
})
