/**
 * `tsbuild explain`: why the steps of a build ran. Each build remembers what its steps were keyed by and is compared with
 * those before it.
 */

import { Comparison, type FoundCause } from '../explain/compare.ts'
import { Listings } from '../explain/listing.ts'
import { type BuildPlace, earlierBuilds, latestPlace, type RememberedBuild, rememberBuild } from '../explain/memory.ts'
import { hideSecrets, withoutMarks } from '../explain/secrets.ts'
import { Trace, type TracedStep } from '../explain/trace.ts'
import { type BuildExplanation, causeText, oneLine, type RebuildCause, type StepExplanation } from '../explanation.ts'
import type { Step } from '../graph/step.ts'
import type { BuildOptions, ExplainOptions, Place } from '../options.ts'
import type { SolveObserver } from '../solve/solve.ts'
import type { FingerprintedFile } from '../steps/file-step.ts'
import { callInStore } from './call-in-store.ts'
import type { Session } from './session.ts'
import { openState } from './state.ts'

/**
 * Explains one build. Disposing it remembers what a build that failed came to.
 */
export class Explainer implements AsyncDisposable {
  readonly #session: Session
  readonly #place: BuildPlace
  readonly #live: boolean
  readonly #started = Date.now()
  readonly #listings: Listings
  readonly #buildArgs: BuildOptions['buildArgs']
  #trace = new Trace()
  #earlier: Promise<RememberedBuild[]> | undefined
  /** Follows the trace: what has been compared is not compared again. */
  #comparison: Comparison | undefined
  readonly #told: Promise<void>[] = []
  #finished: Promise<BuildExplanation> | undefined

  constructor(session: Session, { explain = false, ...options }: BuildOptions) {
    this.#session = session
    this.#place = placeOf(options)
    this.#live = explain
    this.#buildArgs = options.buildArgs
    this.#listings = new Listings(session.store.records)
  }

  /** Watches a solve; what an earlier one of the same build did is forgotten. */
  observe(): SolveObserver {
    const trace = new Trace(this.#buildArgs)
    this.#trace = trace
    this.#comparison = undefined
    return {
      keyed: (step, key, digestOf) => trace.keyed(step, key, digestOf),
      ended: (step, outcome) => trace.ended(step, outcome),
      missed: (step, id) => {
        trace.ended(step, 'ran')
        if (this.#live) this.#told.push(this.#tell(step, id))
      },
    }
  }

  readonly onFingerprint = (fingerprint: string, files: () => Iterable<FingerprintedFile>): void =>
    this.#listings.note(fingerprint, function* () {
      let [place, directories] = ['', 0]
      for (const { source, target, name, node, content } of files()) {
        const { type, mode, uid, gid } = node
        // Of a directory what is in it is copied, whatever it is called.
        if (name !== undefined) place = type === 'directory' ? `/${directories++}` : name
        yield {
          name: `${place}/${target}`,
          path: source,
          type,
          mode: mode.toString(8),
          owner: `${uid}:${gid}`,
          content,
        }
      }
    })

  /** Explains the build as far as it came, and remembers it for the next one. */
  finish(): Promise<BuildExplanation> {
    this.#finished ??= this.#explain()
    return this.#finished
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#session.signal.aborted) return
    // A build that failed says why itself; that it is not remembered is told by the next explanation.
    await this.finish().catch(() => undefined)
  }

  async #explain(): Promise<BuildExplanation> {
    await Promise.all(this.#told)
    const { records } = this.#session.store
    const { steps } = this.#trace
    // The build that is made most has nothing to compare: reading what is remembered is not part of it.
    const comparison = steps.some(({ outcome }) => outcome === 'ran') ? await this.#compared() : undefined
    const explained: StepExplanation[] = []
    for (const [index, step] of steps.entries()) {
      if (comparison === undefined || step.outcome !== 'ran') continue
      const found = comparison.why(index)
      const from = found.step === index ? undefined : nameOf(steps[found.step]!)
      explained.push(withoutMarks({ step: step.name, at: step.at, cause: await this.#cause(found), from }))
    }
    const explanation: BuildExplanation = {
      started: this.#started,
      comparedWith: comparison?.comparedWith,
      steps: explained,
      cached: steps.filter(({ outcome }) => outcome === 'cached').length,
    }
    if (comparison === undefined) {
      const [latest] = await earlierBuilds(records, this.#place, 1)
      // A build like the one before it has nothing that has to be remembered twice.
      if (latest?.explanation.steps.length === 0 && sameKeys(steps, latest.steps)) return explanation
    }
    try {
      for (const step of steps) if (step.outcome === 'ran') await this.#saveListings(step)
      await rememberBuild(records, this.#place, { started: this.#started, steps, explanation })
    } catch (error) {
      // What was built is not worse for it.
      this.#session.signal.throwIfAborted()
      const problem = error instanceof Error ? error.message : String(error)
      this.#session.warn({ rule: '', message: `this build is not remembered for \`tsbuild explain\`: ${problem}` })
    }
    return explanation
  }

  #builds(): Promise<RememberedBuild[]> {
    this.#earlier ??= earlierBuilds(this.#session.store.records, this.#place)
    return this.#earlier
  }

  async #compared(): Promise<Comparison> {
    const earlier = await this.#builds()
    this.#comparison ??= new Comparison(this.#trace.steps, earlier)
    return this.#comparison
  }

  async #tell(step: Step, id: string): Promise<void> {
    const comparison = await this.#compared()
    const index = this.#trace.indexOf(step)
    const found = comparison.why(index)
    const cause = withoutMarks(await this.#cause(found))
    const from = found.step === index ? '' : ` in ${withoutMarks(nameOf(this.#trace.steps[found.step]!))}`
    this.#session.emit({
      type: 'explained',
      id,
      cause,
      text: oneLine(`because ${causeText(cause)}${from}`),
      time: Date.now(),
    })
  }

  async #cause({ cause }: FoundCause): Promise<RebuildCause> {
    if (cause.kind !== 'fingerprints') return cause
    const { source, before, after } = cause
    const difference = await this.#listings.compare(before, after)
    return { kind: 'files', source, ...(difference ?? { changes: [], changed: undefined, total: undefined }) }
  }

  async #saveListings({ parts }: TracedStep): Promise<void> {
    const operations = parts.find(([name]) => name === 'operations')?.[1]
    for (const operation of Array.isArray(operations) ? operations : []) await this.#listings.save(String(operation[1]))
  }
}

function nameOf({ kind, name }: TracedStep): string {
  return kind === 'image' ? `FROM ${name}` : name
}

function sameKeys(a: readonly TracedStep[], b: readonly TracedStep[]): boolean {
  return a.length === b.length && a.every(({ key }, i) => key === b[i]!.key)
}

type PlaceOption = 'context' | 'dockerfile' | 'dockerfileText' | 'target'

function placeOf({
  context = '.',
  dockerfile,
  dockerfileText,
  target = '',
}: Pick<BuildOptions, PlaceOption>): BuildPlace {
  const file = dockerfileText === undefined ? (dockerfile ?? '') : 'text'
  return { context: hideSecrets(String(context)), dockerfile: hideSecrets(String(file)), target }
}

/**
 * Explains the latest build of a context, Dockerfile and target, or the latest of all where none of them is named.
 *
 * @returns undefined when no such build is remembered
 * @throws BuildError
 */
export async function explain(call: ExplainOptions<Place> = {}): Promise<BuildExplanation | undefined> {
  return await callInStore('explain', call, async (options, root) => {
    const { records } = await openState(root, 'read')
    const named = options.context ?? options.dockerfile ?? options.target
    const { context = '.', dockerfile, target } = options
    const known = { context, ...(dockerfile !== undefined && { dockerfile }), ...(target !== undefined && { target }) }
    const place = named === undefined ? await latestPlace(records) : placeOf(known)
    return place && (await earlierBuilds(records, place, 1))[0]?.explanation
  })
}
