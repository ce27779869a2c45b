/**
 * Environments of a stage: {@link EnvList} is what its commands and expansions see, {@link ImageEnv} what its image keeps.
 * Both inherit without copying, so that a file may have many stages and many variables.
 */
import { LayeredMap } from '../util/layered-map.ts'

/** Parents that a look-up goes through at most; deeper ones are copied into one. */
const maxDepth = 256

/** Splits `NAME=value`; the value is '' where there is no `=`. */
export function splitEnv(entry: string): [string, string] {
  const at = entry.indexOf('=')
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
}

/** The environment in an image config: a name that is set again keeps its place. */
export class ImageEnv {
  /** Names with their whole entries. */
  readonly #entries: LayeredMap<string>
  /** Of names that the base image has more than once: the list, and the last entries. */
  readonly #repeated: { readonly list: readonly string[]; readonly last: ReadonlyMap<string, string> } | undefined

  /** @param from entries of a base image, or the environment of a stage, which must not change any more */
  constructor(from: readonly string[] | ImageEnv) {
    if (from instanceof ImageEnv) {
      this.#entries = new LayeredMap(from.#entries)
      this.#repeated = from.#repeated
      return
    }
    this.#entries = new LayeredMap()
    const last = new Map<string, string>()
    for (const entry of from) {
      const [name] = splitEnv(entry)
      if (this.#entries.has(name)) last.set(name, entry)
      else this.#entries.set(name, entry)
    }
    if (last.size > 0) this.#repeated = { list: from, last }
  }

  /** 0 if there are no names. */
  get size(): number {
    return this.#entries.size
  }

  /** The value that a process would see: of a name that is there twice, the last one's. */
  get(name: string): string | undefined {
    const entry = this.#repeated?.last.get(name) ?? this.#entries.get(name)
    return entry === undefined ? undefined : splitEnv(entry)[1]
  }

  set(name: string, value: string): void {
    this.#entries.set(name, `${name}=${value}`)
  }

  /** `NAME=value`, in order. Of names that the base image has twice, setting them replaced the first entry. */
  toArray(): string[] {
    const entries = this.#entries.entries()
    if (this.#repeated === undefined) return entries.map(([, entry]) => entry)
    const firsts = new Set<string>()
    const inherited = this.#repeated.list.map((entry) => {
      const [name] = splitEnv(entry)
      if (firsts.has(name)) return entry
      firsts.add(name)
      return this.#entries.get(name)!
    })
    return [...inherited, ...entries.flatMap(([name, entry]) => (firsts.has(name) ? [] : [entry]))]
  }
}

/** An ordered environment: a name that is set again moves to the end, as in the reference's state. */
export class EnvList {
  /** undefined: taken away. */
  #own: Map<string, string | undefined>
  readonly #parent: EnvList | undefined
  /** What the image of the parent keeps: it wins over what else the parent had. */
  readonly #image: ImageEnv | undefined
  readonly #depth: number

  /**
   * @param parent what is inherited; must not change any more
   * @param image comes behind what the parent has, and wins: an ENV of a stage over an ARG of the same name in it
   */
  constructor(entries: Iterable<readonly [string, string]> = [], parent?: EnvList, image?: ImageEnv) {
    this.#own = new Map(entries)
    this.#parent = parent
    this.#image = image
    this.#depth = parent === undefined ? 0 : parent.#depth + 1
    if (this.#depth <= maxDepth) return
    this.#own = this.#merged()
    this.#parent = undefined
    this.#image = undefined
    this.#depth = 0
  }

  get(name: string): string | undefined {
    // What an image keeps, those above it keep as well: the nearest one says it all.
    let image: ImageEnv | undefined
    for (let list: EnvList | undefined = this; list !== undefined; list = list.#parent) {
      if (list.#own.has(name)) return list.#own.get(name)
      if (image !== undefined || list.#image === undefined) continue
      image = list.#image
      const kept = image.get(name)
      if (kept !== undefined) return kept
    }
    return undefined
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: string): void {
    this.#own.delete(name)
    this.#own.set(name, value)
  }

  delete(name: string): void {
    this.#own.set(name, undefined)
  }

  /** Not more than so many names. */
  get size(): number {
    return this.#own.size + (this.#parent?.size ?? 0)
  }

  keys(): string[] {
    return [...this.#present().keys()]
  }

  /** A list that changes on its own; this one must not change any more. */
  clone(): EnvList {
    return new EnvList([], this)
  }

  /** `NAME=value`, in order. */
  toArray(): string[] {
    return [...this.#present()].map(([name, value]) => `${name}=${value}`)
  }

  #present(): Map<string, string> {
    const present = new Map<string, string>()
    for (const [name, value] of this.#merged()) if (value !== undefined) present.set(name, value)
    return present
  }

  #merged(): Map<string, string | undefined> {
    const lists: EnvList[] = []
    for (let list: EnvList | undefined = this; list !== undefined; list = list.#parent) lists.push(list)
    const merged = new Map<string, string | undefined>()
    const add = (name: string, value: string | undefined): void => {
      merged.delete(name)
      merged.set(name, value)
    }
    const nearest = lists.find((list) => list.#image !== undefined)
    for (const list of lists.reverse()) {
      if (list === nearest) for (const entry of list.#image!.toArray()) add(...splitEnv(entry))
      for (const [name, value] of list.#own) add(name, value)
    }
    return merged
  }
}
