/** What the parts of the executors' contract suite work with. */
import fs from 'node:fs'
import { join } from 'node:path'
import type { BuildError } from '../../errors.ts'
import type { ProcessExit, ProcessSpec } from '../executor.ts'
import type { SelectOptions } from '../select.ts'
import type { Driver } from '../testing/driver.ts'
import type { RunRequest } from '../testing/executor-worker.ts'
import { makeRootfs } from '../testing/small-rootfs.ts'

/** What an executor, as some user, can and cannot do. */
export interface Traits {
  /** The process sees only its own mounts, processes and queues. */
  readonly isolated: boolean
  /** A process can get an init process above it. */
  readonly initProcess: boolean
  /** What is mounted is mounted, not copied. */
  readonly mounts: boolean
  /** Other users than root exist. */
  readonly users: boolean
  /** A network namespace of its own is possible. */
  readonly network: boolean
  /** A helper for isolated outbound network is there. */
  readonly outbound: boolean
  /** Control groups can be made. */
  readonly limits: boolean
  /** A kill for want of memory is told, with the peak. */
  readonly reportsOom: boolean
  /** What the kernel says at exec is told apart from the exit code of the process. */
  readonly execErrors: boolean
  /** The working directory is entered as it was found, not found again by a runtime. */
  readonly entersDirectory: boolean
  /** A filter of system calls is loaded. */
  readonly seccomp: boolean
  /** The owner of the root filesystem as the machine sees it. */
  readonly uid: number
}

export interface ContractOptions {
  readonly select: Omit<SelectOptions, 'root'>
  readonly traits: Traits
  /** A new directory for the suite. */
  readonly directory: () => string
  readonly start: (root: string) => Promise<Driver>
}

export interface Ran extends ProcessExit {
  readonly out: string
  readonly err: string
  readonly bytes: number
  readonly memory: number
}

/** One executor under test: a worker, a directory of its own, and a root filesystem that tests may replace. */
export class Contract {
  readonly traits: Traits
  readonly #options: ContractOptions
  #driver: Driver | undefined
  #directory = ''
  #rootfs = ''
  #count = 0

  constructor(options: ContractOptions) {
    this.#options = options
    this.traits = options.traits
  }

  async open(): Promise<void> {
    this.#directory = this.#options.directory()
    this.#driver = await this.#options.start(this.#directory)
    this.useNewRootfs()
  }

  async close(): Promise<void> {
    await this.#driver?.[Symbol.asyncDispose]()
  }

  get directory(): string {
    return this.#directory
  }

  get rootfs(): string {
    return this.#rootfs
  }

  unique(): number {
    return this.#count++
  }

  useNewRootfs(): void {
    this.#rootfs = makeRootfs(join(this.#directory, `rootfs-${this.unique()}`), this.traits.uid)
  }

  /** Another directory for a worker of its own. */
  newDirectory(): string {
    return this.#options.directory()
  }

  start(root: string): Promise<Driver> {
    return this.#options.start(root)
  }

  readonly request = (spec: Partial<ProcessSpec>, more: Partial<RunRequest> = {}): RunRequest => ({
    select: { ...this.#options.select, root: this.#directory },
    spec: { ...plain, ...spec },
    rootfs: this.#rootfs,
    stdin: undefined,
    terminal: undefined,
    count: false,
    ...more,
  })

  readonly run = async (
    spec: Partial<ProcessSpec>,
    more: Partial<RunRequest> = {},
    signal?: AbortSignal,
  ): Promise<Ran> => {
    const text = { stdout: '', stderr: '' }
    const onEvent = (event: unknown): void => {
      const { stream, data } = event as { stream: 'stdout' | 'stderr'; data: Uint8Array }
      text[stream] += Buffer.from(data).toString()
    }
    const options = { onEvent, ...(signal ? { signal } : {}) }
    const exit = (await this.#driver!.call('run', this.request(spec, more), options)) as Ran
    return { ...exit, out: text.stdout, err: text.stderr }
  }

  readonly sh = (script: string, spec: Partial<ProcessSpec> = {}, more: Partial<RunRequest> = {}): Promise<Ran> =>
    this.run({ args: ['sh', '-c', script], ...spec }, more)

  /** The error of a process that cannot be started. */
  readonly failure = (spec: Partial<ProcessSpec>): Promise<BuildError> =>
    this.run(spec).then(
      () => Promise.reject(new Error('it did not fail')),
      (error: BuildError) => error,
    )

  /** Looks at a running process from outside. */
  readonly look = async <T>(use: (pid: string) => T): Promise<T> => {
    const mark = newMark()
    const controller = new AbortController()
    const running = this.run({ args: ['sleep', mark] }, {}, controller.signal)
    running.catch(() => {})
    try {
      await until(() => sleepers(mark).length === 1)
      return use(sleepers(mark)[0]!)
    } finally {
      controller.abort()
      await running.catch(() => {})
    }
  }
}

const plain: ProcessSpec = {
  args: ['true'],
  env: ['PATH=/usr/bin:/bin'],
  cwd: '/',
  user: { uid: 0, gid: 0, additionalGids: [0] },
  hostname: 'buildkitsandbox',
  network: 'host',
  hosts: undefined,
  resolvConf: undefined,
  mounts: [],
  security: 'sandbox',
  ulimits: [],
  resources: {},
}

/** A number of seconds that no other process sleeps for. */
export function newMark(): string {
  return String(100_000 + Math.floor(Math.random() * 1e9))
}

export async function until(what: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !what(); ) {
    if (Date.now() > end) throw new Error('it does not happen')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Processes that sleep for this number of seconds. */
export function sleepers(seconds: string): string[] {
  const wanted = Buffer.from(`sleep\0${seconds}\0`)
  return fs.readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && fs.readFileSync(`/proc/${name}/cmdline`).equals(wanted)
    } catch {
      return false
    }
  })
}
