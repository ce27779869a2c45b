/** Why steps were not found in the cache: what a build's explanation says. Plain data, and its text. */
/** A file of a COPY or ADD that is not as it was. */
export interface FileChange {
  /** In the source: the context, the stage, the archive. */
  readonly path: string
  readonly change: 'added' | 'removed' | 'content' | 'mode' | 'owner' | 'type'
  /** Digests of the content, modes or types; undefined where there is nothing to compare. Digests are cut short. */
  readonly before: string | undefined
  readonly after: string | undefined
}

/** The first thing that differs between a step's key and that of the nearest earlier build. */
export type RebuildCause =
  /** No earlier build of this Dockerfile, context and target is remembered. */
  | { readonly kind: 'first-build' }
  /** The remembered builds had no such step. */
  | { readonly kind: 'new-step' }
  /** `--no-cache`, `--no-cache-filter`. */
  | { readonly kind: 'no-cache' }
  /** The result of an earlier build is not there any more: it was pruned, or is in no cache that was imported. */
  | { readonly kind: 'not-kept' }
  | { readonly kind: 'instruction'; readonly before: string; readonly after: string }
  /** An ARG or ENV. undefined: not set. What looks secret has no values. */
  | {
      readonly kind: 'variable'
      readonly name: string
      readonly before: string | undefined
      readonly after: string | undefined
      readonly redacted: boolean
    }
  | { readonly kind: 'base-image'; readonly image: string; readonly before: string; readonly after: string }
  /** `changes` has the first ones of `changed`; it is empty where the earlier files are not remembered. */
  | {
      readonly kind: 'files'
      /** The context's or the stage's name. */
      readonly source: string
      readonly changes: readonly FileChange[]
      readonly changed: number | undefined
      readonly total: number | undefined
    }
  | { readonly kind: 'download'; readonly url: string; readonly before: string; readonly after: string }
  /** Something else that decides the result: a user, a platform, a limit, the time of SOURCE_DATE_EPOCH. */
  | { readonly kind: 'setting'; readonly name: string; readonly before: string; readonly after: string }

/** Where a step stands. */
export interface StepPlace {
  /** The Dockerfile's name. */
  readonly file: string
  /** Counted from 1. */
  readonly line: number
}

/** Why one step ran. */
export interface StepExplanation {
  /** As progress shows it. */
  readonly step: string
  readonly at: StepPlace | undefined
  readonly cause: RebuildCause
  /** The step where the cause lies, when it is an earlier one. */
  readonly from: string | undefined
}

/** Why the steps of a build ran. */
export interface BuildExplanation {
  /** When it began, milliseconds since the epoch. */
  readonly started: number
  /** When the build began that it was compared with; undefined: none is remembered. */
  readonly comparedWith: number | undefined
  /** Those that ran, in the order of the graph. */
  readonly steps: readonly StepExplanation[]
  readonly cached: number
}

const MAX_LINE = 500

/** A text that others wrote as a part of one line: names of files and texts of instructions may have line feeds. */
export function oneLine(text: string): string {
  const line = text.replace(/\r?\n|[\r\u2028\u2029]/g, '\\n')
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line
}

/** The cause in one line. */
export function causeText(cause: RebuildCause): string {
  return oneLine(textOf(cause))
}

function textOf(cause: RebuildCause): string {
  switch (cause.kind) {
    case 'first-build':
      return 'no earlier build of it is remembered'
    case 'new-step':
      return 'no earlier build had this step'
    case 'no-cache':
      return 'the cache was not to be used (--no-cache)'
    case 'not-kept':
      return 'its earlier result is not kept any more (pruned, or in none of the caches)'
    case 'instruction':
      return `the instruction was ${cause.before}`
    case 'variable':
      return `${cause.name} ${cause.redacted ? 'has another value (not shown)' : `was ${clipped(shown(cause.before))}, is ${clipped(shown(cause.after))}`}`
    case 'base-image':
      return `${cause.image} was ${short(cause.before)}, is ${short(cause.after)}`
    case 'files':
      return filesText(cause)
    case 'download':
      return `${cause.url} was ${short(cause.before)}, is ${short(cause.after)}`
    case 'setting':
      return `${cause.name} was ${clipped(cause.before)}, is ${clipped(cause.after)}`
  }
}

function filesText({ source, changes, changed, total }: Extract<RebuildCause, { kind: 'files' }>): string {
  const [first] = changes
  if (first === undefined) return `files of ${source} are not as they were (which ones is not remembered)`
  const more = (changed ?? changes.length) - 1
  const others = more > 0 ? `, and ${more} more` : ''
  return `${first.path} ${changeText(first)}${others}${total === undefined ? '' : ` (of ${total} files)`}`
}

function changeText({ change, before, after }: FileChange): string {
  if (change === 'added') return 'is new'
  if (change === 'removed') return 'is gone'
  if (change === 'content') return `changed: ${before} → ${after}`
  return `has another ${change}: ${before} → ${after}`
}

function shown(value: string | undefined): string {
  return value === undefined ? 'not set' : JSON.stringify(value)
}

/** So that there is room for both. */
function clipped(text: string): string {
  return text.length > MAX_LINE / 3 ? `${text.slice(0, MAX_LINE / 3)}…` : text
}

function short(digest: string): string {
  return digest.slice(0, 19)
}

/** A build's explanation as text: each cause once, with the steps that follow from it. */
export function explanationText({ steps, cached, comparedWith }: BuildExplanation): string {
  if (steps.length === 0) return `Nothing was built again: ${count(cached, 'step')} came from the cache.\n`
  const since = comparedWith === undefined ? '' : `, compared with the build of ${new Date(comparedWith).toISOString()}`
  const lines = [`${count(steps.length, 'step')} ran, ${cached} came from the cache${since}:`]
  for (const group of grouped(steps)) {
    const [first, ...rest] = group
    lines.push('', oneLine(first!.step), `  because ${causeText(first!.cause)}`)
    if (first!.from !== undefined) lines.push(`  in ${oneLine(first!.from)}`)
    if (rest.length > 0) lines.push('  so these ran as well:', ...rest.map(({ step }) => `    ${oneLine(step)}`))
  }
  return `${lines.join('\n')}\n`
}

/** Steps with one cause stand together. */
function grouped(steps: readonly StepExplanation[]): StepExplanation[][] {
  const groups = new Map<string, StepExplanation[]>()
  for (const step of steps) {
    const name = `${step.from ?? step.step} ${JSON.stringify(step.cause)}`
    const group = groups.get(name)
    if (group) group.push(step)
    else groups.set(name, [step])
  }
  return [...groups.values()]
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
