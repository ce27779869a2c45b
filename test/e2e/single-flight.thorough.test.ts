/** Builds in several processes that want the same RUN of one store at the same time. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { type Running, until } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root', 'docker-registry', 'busybox')
const timeout = 600_000
const LONG = 120_000
const WAITING = /waiting for another build, which is running this step/

/** What steps ask for, which counts how often they run and holds them until they are answered. */
class Steps implements AsyncDisposable {
  readonly asked: string[] = []
  readonly #held: ServerResponse[] = []
  readonly #server = createServer(({ url }, response) => {
    this.asked.push(url!)
    if (url === '/held') this.#held.push(response)
    else response.end('ok')
  })

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  count(url: string): number {
    return this.asked.filter((one) => one === url).length
  }

  /** Ends the steps that are held. */
  answer(status = 200): void {
    for (const response of this.#held.splice(0)) {
      response.statusCode = status
      response.end('ok')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.answer()
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

describe.skipIf(needs.skip)(`a RUN that another build is running${needs.note}`, () => {
  let place: Workspace
  let steps: Steps
  let dockerfile: string
  beforeEach(async () => {
    place = await openWorkspace()
    steps = new Steps()
    const url = await steps.listen()
    dockerfile = `
      FROM ${inject('registry')}/busybox
      RUN wget -q -O /held ${url}/held && cat /proc/sys/kernel/random/uuid > /id
      RUN wget -q -O /next ${url}/next
    `
    await place.files({ Dockerfile: dockerfile })
  })
  afterEach(async () => {
    await steps[Symbol.asyncDispose]()
    await place[Symbol.asyncDispose]()
  })

  const build = (name: string, ...args: string[]): Running =>
    place.start(['--progress=plain', '-o', `type=oci,dest=${place.join(name)}`, ...args, place.join('context')], {
      timeout,
    })

  /** One build in its first RUN, and another one that waits for it. */
  async function holderAndWaiter(): Promise<readonly [Running, Running]> {
    const first = build('first.tar')
    await until('the first build', () => steps.count('/held') === 1, LONG)
    const second = build('second.tar')
    await until('the second build', () => WAITING.test(second.stderr()), LONG)
    return [first, second]
  }

  it('is run once', { timeout }, async () => {
    const [first, second] = await holderAndWaiter()
    steps.answer()
    for (const { code, stderr } of await Promise.all([first.finished, second.finished])) expect(code, stderr).toBe(0)
    expect(steps.asked).toEqual(['/held', '/next'])
    expect(first.stderr()).not.toMatch(WAITING)
    expect(second.stderr()).toMatch(/CACHED/)
  })

  it('is run by the one who waits when the other is killed', { timeout }, async () => {
    const [first, second] = await holderAndWaiter()
    first.child.kill('SIGKILL')
    await first.finished
    await until('another run', () => steps.count('/held') === 2, LONG)
    steps.answer()
    const { code, stderr } = await second.finished
    expect(code, stderr).toBe(0)
    expect(steps.asked).toEqual(['/held', '/held', '/next'])
  })

  it('is run by the one who waits when the other fails', { timeout }, async () => {
    const [first, second] = await holderAndWaiter()
    steps.answer(500)
    expect((await first.finished).code).not.toBe(0)
    await until('another run', () => steps.count('/held') === 2, LONG)
    steps.answer()
    const { code, stderr } = await second.finished
    expect(code, stderr).toBe(0)
  })

  it('need not be waited for', { timeout }, async () => {
    const [first, second] = await holderAndWaiter()
    second.child.kill('SIGINT')
    expect((await second.finished).code).not.toBe(0)
    const anew = build('anew.tar', '--no-cache')
    await until('another run', () => steps.count('/held') === 2, LONG)
    steps.answer()
    for (const { code, stderr } of await Promise.all([first.finished, anew.finished])) expect(code, stderr).toBe(0)
  })
})
