/** Runs an action as the runner of a workflow does: inputs in the environment, answers in files and in the log. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'

export const ROOT = join(import.meta.dirname, '../../..')

export interface ActionFile {
  readonly inputs: Readonly<Record<string, { readonly description: string; readonly default?: string }>>
  readonly outputs: Readonly<Record<string, { readonly description: string }>>
  readonly runs: { readonly using: string; readonly main: string; readonly post?: string }
}

/** @param path from the repository's root */
export async function readAction(path: string): Promise<ActionFile> {
  return parse(await readFile(join(ROOT, path), 'utf8')) as ActionFile
}

export interface Step {
  readonly code: number | null
  readonly log: string
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly summary: string
  /** Commands that a runner would have obeyed: `NAME PROPERTIES::MESSAGE`. */
  readonly commands: readonly string[]
}

/** A job: a workspace, a home and a temporary directory. */
export class Job implements AsyncDisposable {
  readonly directory: string
  readonly #action: ActionFile
  readonly #entry: string

  private constructor(directory: string, action: ActionFile, entry: string) {
    this.directory = directory
    this.#action = action
    this.#entry = entry
  }

  static async start(action: ActionFile, entry: string, files: Readonly<Record<string, string>> = {}): Promise<Job> {
    const job = new Job(await mkdtemp(join(tmpdir(), 'tsbuild-action-')), action, entry)
    for (const [name, content] of Object.entries(files)) await writeFile(job.path(name), content)
    return job
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  /** @param inputs those of `with`; the others have their defaults */
  async run(inputs: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}): Promise<Step> {
    const files = { GITHUB_OUTPUT: '.output', GITHUB_STATE: '.state', GITHUB_STEP_SUMMARY: '.summary' }
    for (const name of Object.values(files)) await writeFile(this.path(name), '')
    const given: Record<string, string> = {}
    for (const [name, { default: usual = '' }] of Object.entries(this.#action.inputs))
      given[`INPUT_${name.toUpperCase()}`] = /^\$\{\{ github\.token \}\}$/.test(usual) ? 'the-job-token' : usual
    for (const [name, value] of Object.entries(inputs)) given[`INPUT_${name.toUpperCase()}`] = value
    const child = spawn(process.execPath, [this.#entry], {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: this.directory,
        TMPDIR: tmpdir(),
        TSBUILD_ROOT: this.path('.state-of-tsbuild'),
        CI: 'true',
        GITHUB_ACTIONS: 'true',
        GITHUB_WORKSPACE: this.directory,
        ...Object.fromEntries(Object.entries(files).map(([name, file]) => [name, this.path(file)])),
        ...given,
        ...env,
      },
    })
    let log = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text
      })
    }
    const [code] = (await once(child, 'close')) as [number | null]
    const read = (file: string) => readFile(this.path(file), 'utf8')
    return {
      code,
      log,
      outputs: keptValues(await read(files.GITHUB_OUTPUT)),
      state: keptValues(await read(files.GITHUB_STATE)),
      summary: await read(files.GITHUB_STEP_SUMMARY),
      commands: obeyed(log),
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.directory, { recursive: true, force: true })
  }
}

/** `NAME<<END`, lines, `END`. */
function keptValues(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  const lines = text.split('\n')
  while (lines.length > 1) {
    const [name = '', end = ''] = lines.shift()!.split('<<')
    const length = lines.indexOf(end)
    if (length < 0) throw new Error(`${name} has no end`)
    values[name] = lines
      .splice(0, length + 1)
      .slice(0, -1)
      .join('\n')
  }
  return values
}

/** Between `stop-commands` and its token a runner obeys nothing; elsewhere old commands stand anywhere in a line. */
function obeyed(log: string): string[] {
  const commands: string[] = []
  let token: string | undefined
  for (const line of log.split('\n')) {
    const [, command, message = ''] = /^\s*::([^:]+(?:[^:]|:(?!:))*)::(.*)$/.exec(line) ?? []
    if (token !== undefined) {
      if (command === token) token = undefined
    } else if (command === 'stop-commands') token = message
    else if (command !== undefined) commands.push(`${command}::${message}`)
    else if (line.includes('##[')) commands.push(line)
  }
  if (token !== undefined) throw new Error('commands are never heard again')
  return commands
}
