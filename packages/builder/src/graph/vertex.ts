/**
 * Digests that tell pieces of work apart for those who read progress: of a step, over what it is made of and its inputs,
 * so that equal steps have equal digests in every build; of other work, over its name.
 */
import { createHash } from 'node:crypto'
import { canonicalJson } from './key.ts'
import { inputsOf, type Step } from './step.ts'

/** Of work that is no step; a context is called by its name in both. */
export function workDigest(name: string): string {
  return digest(`work ${name}`)
}

/** Computes the digests of one build's steps. */
export class StepDigests {
  readonly #known = new WeakMap<Step, string>()

  of(step: Step): string {
    // Without recursion, as graphs are as deep as Dockerfiles are long.
    const open = [step]
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const missing = inputsOf(top).filter((input) => !this.#known.has(input))
      if (missing.length > 0) open.push(...missing)
      else {
        this.#known.set(top, this.#digestOf(top))
        open.pop()
      }
    }
    return this.#known.get(step)!
  }

  #digestOf(step: Step): string {
    if (step.kind === 'context') return workDigest(step.name)
    const inputs = new Map<unknown, string>(inputsOf(step).map((input) => [input, this.#known.get(input)!]))
    const { name: _, at: __, noCache: ___, ...data } = step
    const text = JSON.stringify(data, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : (inputs.get(value) ?? value),
    )
    return digest(`step ${canonicalJson(JSON.parse(text))}`)
  }
}

function digest(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
