/**
 * What a build's steps were keyed by, so that a later build can say what is different. Kept as plain data, without what
 * looks secret: of such variables only whether they are equal can be told.
 */
import { hash } from 'node:crypto'
import type { StepPlace } from '../explanation.ts'
import type { KeyPart, StepKey } from '../graph/key.ts'
import type { SourceStep, Step } from '../graph/step.ts'
import { redactUrls } from '../redact.ts'

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

  /** In the order of the graph: inputs first. */
  get steps(): readonly TracedStep[] {
    return this.#steps
  }

  indexOf(step: Step): number {
    return this.#indexes.get(step)!
  }

  /** A step's key is known. @param digestOf of inputs that are downloads */
  keyed(step: Step, { key, parts }: StepKey, digestOf: (input: Step) => string | undefined): void {
    const input = (from: SourceStep | undefined) => from && this.#input(from, digestOf)
    const below = step.kind === 'run' || step.kind === 'file' ? input(step.parent) : undefined
    const sources =
      step.kind === 'run'
        ? step.mounts.map((mount) => ('from' in mount ? input(mount.from) : undefined))
        : step.kind === 'file'
          ? step.ops.map(({ from }) => input(from))
          : []
    this.#add(step, { key, parts: parts.map(kept), below, sources, digest: undefined })
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
    this.#steps.push({ kind, name: nameOf(step), at, noCache, outcome: undefined, ...rest })
    this.#indexes.set(step, this.#steps.length - 1)
    return this.#steps.length - 1
  }
}

function nameOf(step: Step): string {
  if (step.kind === 'image') return step.ref.replace(/@.*/, '')
  if (step.kind === 'http' || step.kind === 'git') return redactUrls(step.url)
  return step.kind === 'context' ? step.context : step.name
}

const SECRET_NAME = /pass(wd|word|phrase)?|secret|token|key|auth|credential|private/i

/** Whether a variable of this name is not to be shown. */
export function looksSecret(name: string): boolean {
  return SECRET_NAME.test(name)
}

/** A part of a key as it is remembered. */
function kept([name, value]: KeyPart): KeyPart {
  return [name, plain(value)]
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'string') return value.length > MAX_TEXT ? hidden(value) : redactUrls(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [
      name,
      name === 'env' && Array.isArray(entry) ? entry.map((text) => variable(String(text))) : plain(entry),
    ]),
  )
}

function variable(text: string): string {
  const end = text.indexOf('=')
  const name = text.slice(0, end)
  return looksSecret(name) ? `${name}=${hidden(text.slice(end + 1))}` : (plain(text) as string)
}

function hidden(text: string): string {
  return `sha256:${hash('sha256', text).slice(0, 16)}`
}
