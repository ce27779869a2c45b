/**
 * Finds the first thing in a step's key that is not as in the nearest earlier build. What a step is made from comes
 * last: where only that differs, the cause lies in the step that made it, and is looked for there.
 */

import type { RebuildCause } from '../explanation.ts'
import { canonicalJson } from '../graph/key.ts'
import { looksSecret } from './secrets.ts'
import type { TracedStep } from './trace.ts'

/** The steps of a remembered build. Times are milliseconds since the epoch. */
export interface EarlierBuild {
  readonly started: number
  readonly steps: readonly TracedStep[]
}

/** A cause, and the index of the step in which it lies. */
export interface FoundCause {
  readonly cause: RebuildCause | FilesDiffer
  readonly step: number
}

/** Files are not the same: which ones, listings tell. */
export interface FilesDiffer {
  readonly kind: 'fingerprints'
  readonly source: string
  readonly before: string
  readonly after: string
}

export class Comparison {
  readonly #steps: readonly TracedStep[]
  readonly #earlier: readonly EarlierBuild[]
  readonly #keys: ReadonlySet<string>
  readonly #found = new Map<number, FoundCause | undefined>()
  readonly #places = new Map<EarlierBuild, ReadonlyMap<string, TracedStep>>()
  /** Those before have been compared: inputs first, so that nothing is as deep as the graph. */
  #next = 0
  /** When the newest build began that a step was compared with. */
  comparedWith: number | undefined

  /** @param earlier the newest first */
  constructor(steps: readonly TracedStep[], earlier: readonly EarlierBuild[]) {
    this.#steps = steps
    this.#earlier = earlier
    this.#keys = new Set(earlier.flatMap((build) => build.steps.flatMap(({ key }) => key ?? [])))
  }

  /** Why a step was not found in the cache. */
  why(index: number): FoundCause {
    const step = this.#steps[index]!
    if (step.noCache) return { cause: { kind: 'no-cache' }, step: index }
    for (; this.#next < index; this.#next++) this.#difference(this.#next)
    if (this.#earlier.length === 0) return { cause: { kind: 'first-build' }, step: index }
    return this.#difference(index) ?? { cause: { kind: 'not-kept' }, step: index }
  }

  /** undefined: the step is the same as before. */
  #difference(index: number): FoundCause | undefined {
    if (!this.#found.has(index)) {
      // What is under way is no cause of itself.
      this.#found.set(index, undefined)
      this.#found.set(index, this.#compare(index))
    }
    return this.#found.get(index)
  }

  #compare(index: number): FoundCause | undefined {
    const step = this.#steps[index]!
    const own = (cause: FoundCause['cause']): FoundCause => ({ cause, step: index })
    if (step.noCache && step.outcome === 'ran') return own({ kind: 'no-cache' })
    if (step.key !== undefined && this.#keys.has(step.key))
      return step.outcome === 'ran' ? own({ kind: 'not-kept' }) : undefined
    const before = this.#match(step)
    if (before === undefined) return own({ kind: 'new-step' })
    if (step.kind === 'image') {
      const [was, is] = [before.digest ?? '', step.digest ?? '']
      return was === is ? undefined : own({ kind: 'base-image', image: step.name, before: was, after: is })
    }
    if (step.key === undefined) return undefined
    const cause = ownDifference(step, before)
    if (cause) return own(cause)
    const inputs = [step.below, ...step.sources].filter((input) => input !== undefined)
    for (const input of new Set(inputs)) {
      const found = this.#difference(input)
      // A stage may have been made anew and yet hold the same files: fingerprints say so.
      if (found && (input === step.below || step.kind === 'run')) return found
    }
    const files = this.#filesDiffer(step, before)
    if (files === undefined) return own({ kind: 'not-kept' })
    const { source, cause: differ } = files
    return (source === undefined ? undefined : this.#difference(source)) ?? own(differ)
  }

  /** The first operation whose files are not the same. */
  #filesDiffer(
    step: TracedStep,
    before: TracedStep,
  ): { source: number | undefined; cause: FoundCause['cause'] } | undefined {
    const [now, old] = [operations(step), operations(before)]
    const at = now.findIndex(([, digest], i) => digest !== old[i]?.[1])
    if (at < 0) return undefined
    const index = step.sources[at]
    const source = index === undefined ? undefined : this.#steps[index]
    const [was, is] = [String(old[at]?.[1]), String(now[at]![1])]
    if (source?.kind === 'http')
      return { source: undefined, cause: { kind: 'download', url: source.name, before: was, after: is } }
    const name = source === undefined ? 'the sources' : sourceName(source)
    const made = source?.kind === 'run' || source?.kind === 'file' || source?.kind === 'image'
    return { source: made ? index : undefined, cause: { kind: 'fingerprints', source: name, before: was, after: is } }
  }

  /** The same step of the newest build that has one: by its text, else by its place. */
  #match(step: TracedStep): TracedStep | undefined {
    for (const build of this.#earlier) {
      const places = this.#placesOf(build)
      const found = places.get(textPlace(step)) ?? places.get(numberPlace(step))
      if (found === undefined) continue
      this.comparedWith = Math.max(this.comparedWith ?? 0, build.started)
      return found
    }
    return undefined
  }

  #placesOf(build: EarlierBuild): ReadonlyMap<string, TracedStep> {
    let places = this.#places.get(build)
    if (places === undefined) {
      const all = build.steps.toReversed().flatMap((step): [string, TracedStep][] => [
        [numberPlace(step), step],
        [textPlace(step), step],
      ])
      places = new Map(all)
      this.#places.set(build, places)
    }
    return places
  }
}

function sourceName({ kind, name }: TracedStep): string {
  if (kind === 'context') return name === 'context' ? 'the build context' : `context ${name}`
  return kind === 'git' ? name : `stage ${parsedName(name).stage}`
}

/** `[linux/arm64 build 2/5] RUN make` in parts. */
function parsedName(name: string): { readonly stage: string; readonly number: string; readonly text: string } {
  const match = /^\[(.*?)(?: *(\d+)\/\d+)?\] ([\s\S]*)$/.exec(name)
  return { stage: match?.[1] ?? '', number: match?.[2] ?? '', text: match?.[3] ?? name }
}

function textPlace({ kind, name }: TracedStep): string {
  const { stage, text } = parsedName(name)
  return `${kind} ${stage}\0text ${text}`
}

function numberPlace({ kind, name }: TracedStep): string {
  const { stage, number } = parsedName(name)
  return `${kind} ${stage}\0number ${number === '' ? name : number}`
}

type Operation = readonly [op: unknown, digest: unknown]

function operations({ parts }: TracedStep): readonly Operation[] {
  const found = parts.find(([name]) => name === 'operations')?.[1]
  return Array.isArray(found) ? (found as Operation[]) : []
}

/** What differs in the step itself, not in what it is made from. */
function ownDifference(step: TracedStep, before: TracedStep): RebuildCause | undefined {
  const was = new Map(before.parts)
  for (const [name, value] of step.parts) {
    if (name === 'below') continue
    const [now, old] = [ownValue(name, value), ownValue(name, was.get(name))]
    if (canonicalJson(now) !== canonicalJson(old)) return describe(step, before, name, old, now)
  }
  return undefined
}

/** Without what stands for inputs. */
function ownValue(part: string, value: unknown): unknown {
  if (!Array.isArray(value)) return value
  if (part === 'operations') return value.map((operation) => (Array.isArray(operation) ? operation[0] : operation))
  if (part === 'mounts') return value.map((mount) => (isObject(mount) ? { ...mount, from: undefined } : mount))
  return value
}

function describe(step: TracedStep, before: TracedStep, part: string, old: unknown, now: unknown): RebuildCause {
  const spot = firstDifference(part, old, now)
  const [was, is] = [parsedName(before.name).text, parsedName(step.name).text]
  // Names show variables with their values, so that they may differ when the instruction does not.
  if (spot.name !== 'env' && was !== is) return { kind: 'instruction', before: was, after: is }
  if (spot.name !== 'env') return { kind: 'setting', name: spot.name, before: shown(spot.old), after: shown(spot.now) }
  const [before_, after] = [variables(spot.old), variables(spot.now)]
  const name = [...after.keys(), ...before_.keys()].find((each) => before_.get(each) !== after.get(each))
  if (name === undefined) return { kind: 'setting', name: 'the order of ENV', before: '', after: '' }
  const redacted = looksSecret(name)
  const value = (of: ReadonlyMap<string, string>) => (redacted ? undefined : of.get(name))
  return { kind: 'variable', name, before: value(before_), after: value(after), redacted }
}

interface Spot {
  /** The innermost member that has a name. */
  readonly name: string
  readonly old: unknown
  readonly now: unknown
}

function firstDifference(name: string, old: unknown, now: unknown): Spot {
  if (isObject(old) && isObject(now)) {
    const key = [...Object.keys(now), ...Object.keys(old)].find((k) => canonicalJson(old[k]) !== canonicalJson(now[k]))
    if (key !== undefined) return firstDifference(key, old[key], now[key])
  }
  if (name !== 'env' && Array.isArray(old) && Array.isArray(now) && old.length === now.length) {
    const at = now.findIndex((item, i) => canonicalJson(item) !== canonicalJson(old[i]))
    if (at >= 0) return firstDifference(name, old[at], now[at])
  }
  return { name, old, now }
}

function variables(env: unknown): Map<string, string> {
  const texts = Array.isArray(env) ? env.map(String) : []
  return new Map(texts.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]))
}

function shown(value: unknown): string {
  if (value === undefined || value === null || value === '') return 'not set'
  return typeof value === 'string' ? value : canonicalJson(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
