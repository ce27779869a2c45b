/** The call behind `tsbuild doctor`: what the machine allows, and how RUN is really isolated, found out by trying. */
import { BuildError } from '../errors.ts'
import type { DiagnoseOptions, Place } from '../options.ts'
import type { IsolationVerdict, MachineReport } from '../sandbox/probe/facts.ts'
import { isolationVerdict } from '../sandbox/probe/verdict.ts'
import { LazyWorker, openWorker } from '../steps/worker-client.ts'
import { callInStore } from './call-in-store.ts'
import { openState } from './state.ts'

/** Whether an OCI runtime runs a process here. */
export interface RuntimeTrial {
  readonly name: string
  readonly version: string
  readonly ok: boolean
  /** Why not. */
  readonly problem: string | undefined
}

export interface Diagnosis {
  /** Absolute path of the store. */
  readonly root: string
  readonly machine: MachineReport
  readonly runtimes: readonly RuntimeTrial[]
  /** How the process that touches root filesystems could be started; undefined: not at all. */
  readonly worker: 'root' | 'subids' | 'single' | 'plain' | undefined
  /** Why root filesystems are copied from layer to layer; undefined where overlay mounts work, or nothing does. */
  readonly copies: string | undefined
  /** Why it could not be started in better ways. */
  readonly reasons: readonly string[]
  /** How RUN is isolated, from a process that was really set up; `none`: RUN does not work. */
  readonly level: IsolationVerdict['level']
  /** Why this level, one sentence. */
  readonly why: string
  /** The one command that would raise it; undefined at the highest. */
  readonly raise: string | undefined
}

type Trial = Pick<Diagnosis, 'worker' | 'copies' | 'reasons' | 'level'> & { readonly note: string | undefined }

/** Probes the machine and tries to run something as a build would. Rejects only for an aborted signal. */
export async function diagnose(call: DiagnoseOptions<Place> = {}): Promise<Diagnosis> {
  return await callInStore('diagnose', call, diagnoseStore)
}

async function diagnoseStore(options: DiagnoseOptions, root: string): Promise<Diagnosis> {
  const env = options.env ?? process.env
  const { isolation = 'auto', ociRuntime, signal = new AbortController().signal } = options
  // The store first: it does not take a directory for its own that a probe has left something in.
  const problem = await openState(root, 'write').then(
    () => undefined,
    (error: Error) => error.message,
  )
  // With all that knows about system calls: nothing that a build should have to load.
  const { probeMachine } = await import('../sandbox/probe/probe.ts')
  const machine = await probeMachine({ root, env, signal })
  const trial: Trial =
    problem === undefined ? await tryRun(root, { isolation, ociRuntime }, signal) : { ...NOTHING, note: problem }
  const runtimes: RuntimeTrial[] = []
  for (const { name, detail } of problem === undefined ? machine.runtimes : [])
    runtimes.push({ name, version: detail, ...(await tryRuntime(root, name, signal)) })
  const { worker, copies, reasons, level, note } = trial
  const verdict = isolationVerdict(machine)
  const expected = isolation === 'auto' && verdict.level === level && note === undefined
  const best = level === 'namespaces' && worker !== 'single'
  return {
    root,
    machine,
    runtimes,
    worker,
    copies,
    reasons,
    level,
    why: expected ? verdict.why : (note ?? (isolation === 'auto' ? verdict.why : `--isolation ${isolation} works`)),
    raise: best ? undefined : verdict.raise,
  }
}

const NOTHING: Trial = { worker: undefined, copies: undefined, reasons: [], level: 'none', note: undefined }

/** The name of no program: when all that is missing is the program, everything else works. */
const NO_PROGRAM = '/tsbuild-doctor'

async function tryRun(
  root: string,
  { isolation, ociRuntime }: Required<Pick<DiagnoseOptions, 'isolation' | 'ociRuntime'>>,
  signal: AbortSignal,
): Promise<Trial> {
  let trial = NOTHING
  const onCopies = (copies: string): void => {
    trial = { ...trial, copies }
  }
  try {
    await using worker = await openWorker({ root, isolation: isolation ?? 'auto', ociRuntime, onCopies })
    trial = { ...trial, worker: worker.mode, reasons: worker.reasons }
    const { level, announcement } = await worker.call('run.prepare', {}, { signal })
    const params = {
      stack: [],
      id: undefined,
      keep: undefined,
      interaction: undefined,
      args: [NO_PROGRAM],
      script: undefined,
      env: [],
      cwd: '/',
      user: '',
      mounts: [],
      network: 'host',
      security: 'sandbox',
      hostname: 'doctor',
      extraHosts: [],
      dns: [],
      shmSize: undefined,
      ulimits: [],
      resources: {},
      cgroupParent: undefined,
      timeout: undefined,
      scanFor: [],
      mtime: undefined,
    } as const
    await worker.call('run', params, { signal }).catch((error: unknown) => {
      if (!(error instanceof BuildError) || error.code !== 'RUN_EXEC_FAILED') throw error
    })
    return { ...trial, level, note: announcement }
  } catch (error) {
    signal.throwIfAborted()
    return { ...trial, note: error instanceof Error ? error.message : String(error) }
  }
}

/** Choosing a runtime runs a process with it. */
async function tryRuntime(
  root: string,
  name: string,
  signal: AbortSignal,
): Promise<Pick<RuntimeTrial, 'ok' | 'problem'>> {
  try {
    await using worker = new LazyWorker({ root, isolation: 'oci', ociRuntime: name })
    await worker.call('run.prepare', {}, { signal })
    return { ok: true, problem: undefined }
  } catch (error) {
    signal.throwIfAborted()
    return { ok: false, problem: error instanceof Error ? error.message : String(error) }
  }
}
