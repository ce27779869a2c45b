/** How an action speaks with the runner: commands on stdout, and files that the environment names. */
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { type Environment, UsageError } from '../../cli/src/embed.ts'

/** What an annotation says of its place: all of it is optional. */
export interface AnnotationPlace {
  readonly title?: string | undefined
  /** From the root of the workspace. */
  readonly file?: string | undefined
  readonly line?: number | undefined
  readonly endLine?: number | undefined
}

/** The most that a job summary may have, with some room for what other actions of the step say. */
const MAX_SUMMARY = 900 * 1024

/** The text of a workflow command. What stands in it cannot end it, nor begin another one. */
export function commandText(name: string, properties: Readonly<Record<string, unknown>>, message: string): string {
  const given = Object.entries(properties).filter(([, value]) => value !== undefined && value !== '')
  const list = given.map(([key, value]) => `${key}=${escapeProperty(String(value))}`).join(',')
  return `::${name}${list === '' ? '' : ` ${list}`}::${escapeData(message)}\n`
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

/** The runner of this step. */
export class Runner {
  readonly env: Environment
  readonly #print: (text: string) => void

  /** @param print writes to the step's log */
  constructor(env: Environment, print: (text: string) => void) {
    this.env = env
    this.#print = print
  }

  /** An input, without blanks around it; '' when it is not given. */
  input(name: string): string {
    return (this.env[variable(name)] ?? '').trim()
  }

  /** A boolean input, in the words of YAML. @throws UsageError for anything else */
  booleanInput(name: string): boolean {
    const value = this.input(name)
    if (/^(true|True|TRUE)$/.test(value)) return true
    if (value === '' || /^(false|False|FALSE)$/.test(value)) return false
    throw new UsageError(`the input ${name} is ${JSON.stringify(value)}`, 'write true or false')
  }

  /** The names of all inputs that have a value. */
  givenInputs(): string[] {
    const names = Object.keys(this.env).filter((name) => name.startsWith('INPUT_'))
    return names.map((name) => name.slice('INPUT_'.length).toLowerCase()).filter((name) => this.input(name) !== '')
  }

  log(text: string): void {
    this.#print(text)
  }

  /** Keeps a text, and each line of it, out of all logs of the job. */
  mask(secret: string): void {
    for (const part of new Set([secret, ...secret.split(/\r?\n/)])) {
      if (part.trim() !== '') this.#print(commandText('add-mask', {}, part))
    }
  }

  notice(message: string): void {
    this.#print(commandText('notice', {}, message))
  }

  warning(message: string, place: AnnotationPlace = {}): void {
    this.#print(commandText('warning', { ...place }, message))
  }

  error(message: string, place: AnnotationPlace = {}): void {
    this.#print(commandText('error', { ...place }, message))
  }

  /**
   * Takes nothing in the log for a command until it is disposed: what a RUN prints is not the workflow's word.
   */
  quoteCommands(): Disposable {
    const token = randomUUID()
    this.#print(`::stop-commands::${token}\n`)
    let ended = false
    return {
      [Symbol.dispose]: () => {
        if (!ended) this.#print(`::${token}::\n`)
        ended = true
      },
    }
  }

  setOutput(name: string, value: string): void {
    this.#keep('GITHUB_OUTPUT', name, value)
  }

  /** For the step after the job's others (post). */
  saveState(name: string, value: string): void {
    this.#keep('GITHUB_STATE', name, value)
  }

  state(name: string): string {
    return this.env[`STATE_${name}`] ?? ''
  }

  /** Adds to the job's summary, unless the runner has none. */
  summarize(markdown: string): void {
    const file = this.env.GITHUB_STEP_SUMMARY
    if (!file) return
    const text = markdown.length > MAX_SUMMARY ? `${markdown.slice(0, MAX_SUMMARY)}\n\n…\n` : markdown
    appendFileSync(file, text)
  }

  #keep(variableName: string, name: string, value: string): void {
    const file = this.env[variableName]
    if (!file) return
    // Nobody can foresee it, so no value can end its own text.
    const end = `end-${randomUUID()}`
    appendFileSync(file, `${name}<<${end}\n${value}\n${end}\n`)
  }
}

function variable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`
}
