/**
 * What a build's steps were keyed by, so that a later build can say what is different. Kept as plain data, without what
 * looks secret: of such variables only whether they are equal can be told.
 */
import type { StepPlace } from '../explanation.ts'
import type { KeyPart, StepKey } from '../graph/key.ts'
import type { SourceStep, Step } from '../graph/step.ts'
import { looksSecret, mark, Secrets } from './secrets.ts'

/** A step of a build, or something that steps were made from. */
export interface TracedStep {
  readonly kind: Step['kind']
  readonly name: string
  readonly at: StepPlace | undefined
  /** Of an image its digest, of a download the content's; undefined for others. */
  readonly digest: string | undefined
  readonly key: string | undefined
  readonly parts: readonly KeyPart[]
  /** Index of the step whose root filesystem is below. */
  readonly below: number | undefined
  /** Indexes of what operations copy from, or what is mounted, in their order. */
  readonly sources: readonly (number | undefined)[]
  readonly noCache: boolean
  /** undefined: it was not reached, or has no cache of its own. */
  readonly outcome: 'ran' | 'cached' | undefined
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Longest text that is kept as it is. */
const MAX_TEXT = 2000

/** Notes the steps of one build. */
export class Trace {
  readonly #steps: Writable<TracedStep>[] = []
  readonly #indexes = new Map<Step, number>()
  readonly #secrets = new Secrets()

  /** @param buildArgs values of those that look secret are kept nowhere */
  constructor(buildArgs: Readonly<Record<string, string>> = {}) {
    for (const [name, value] of Object.entries(buildArgs)) this.#secrets.learn(name, value)
  }

  /** In the order of the graph: inputs first. */
  get steps(): readonly TracedStep[] {
    return this.#steps
  }

  indexOf(step: Step): number {
    return this.#indexes.get(step)!
  }

  /** A step's key is known. @param digestOf of inputs that are downloads */
  keyed(step: Step, { key, parts }: StepKey, digestOf: (input: Step) => string | undefined): void {
    for (const [name, value] of parts) learnFrom(value, name, this.#secrets)
    const input = (from: SourceStep | undefined) => from && this.#input(from, digestOf)
    const below = step.kind === 'run' || step.kind === 'file' ? input(step.parent) : undefined
    const sources =
      step.kind === 'run'
        ? step.mounts.map((mount) => ('from' in mount ? input(mount.from) : undefined))
        : step.kind === 'file'
          ? step.ops.map(({ from }) => input(from))
          : []
    this.#add(step, {
      key,
      parts: parts.map(([name, value]): KeyPart => [name, plain(value, this.#secrets)]),
      below,
      sources,
      digest: undefined,
    })
  }

  ended(step: Step, outcome: 'ran' | 'cached'): void {
    this.#steps[this.indexOf(step)]!.outcome = outcome
  }

  #input(step: Step, digestOf: (input: Step) => string | undefined): number {
    const known = this.#indexes.get(step)
    if (known !== undefined) return known
    const digest = step.kind === 'image' ? step.manifest.digest : digestOf(step)
    return this.#add(step, { key: undefined, parts: [], below: undefined, sources: [], digest })
  }

  #add(step: Step, rest: Pick<TracedStep, 'key' | 'parts' | 'below' | 'sources' | 'digest'>): number {
    const { kind, noCache } = step
    const at = step.at && { file: step.at.file.name, line: step.at.range.start.line }
    this.#steps.push({
      kind,
      name: this.#secrets.hide(nameOf(step), MAX_TEXT),
      at,
      noCache,
      outcome: undefined,
      ...rest,
    })
    this.#indexes.set(step, this.#steps.length - 1)
    return this.#steps.length - 1
  }
}

function nameOf(step: Step): string {
  if (step.kind === 'image') return step.ref.replace(/@.*/, '')
  if (step.kind === 'http' || step.kind === 'git') return step.url
  return step.kind === 'context' ? step.context : step.name
}

/** Notes the values of variables that look secret. */
function learnFrom(value: unknown, name: string, secrets: Secrets): void {
  if (typeof value !== 'object' || value === null) return
  if (name === 'env' && Array.isArray(value)) for (const text of value) secrets.learn(...variable(String(text)))
  else if (!Array.isArray(value)) for (const [key, entry] of Object.entries(value)) learnFrom(entry, key, secrets)
}

/** A part of a key as it is remembered. */
function plain(value: unknown, secrets: Secrets): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'string') return value.length > MAX_TEXT ? mark(value) : secrets.hide(value, MAX_TEXT)
  if (Array.isArray(value)) return value.map((entry) => plain(entry, secrets))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [
      name,
      name === 'env' && Array.isArray(entry)
        ? entry.map((text) => plainVariable(String(text), secrets))
        : plain(entry, secrets),
    ]),
  )
}

function plainVariable(text: string, secrets: Secrets): string {
  const [name, value] = variable(text)
  return `${name}=${looksSecret(name) ? mark(value) : plain(value, secrets)}`
}

function variable(text: string): [name: string, value: string] {
  const end = text.indexOf('=')
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end + 1)]
}
