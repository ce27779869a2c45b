/**
 * Environments of a stage: {@link EnvList} is what its commands and expansions see, {@link ImageEnv} what its image keeps.
 * Both inherit without copying, so that a file may have many stages and many variables.
 */
import { type Layer, LayeredMap, layered, mergedLayers, valueIn } from '../util/layered-map.ts'

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
  readonly #own: Map<string, string | undefined>
  /** What the image of the stage below keeps: it comes behind what else that stage had, and wins. */
  readonly #image: ImageEnv | undefined
  readonly #below: Layer<string | undefined> | undefined
  #layer: Layer<string | undefined> | undefined

  /**
   * @param below what is inherited; must not change any more
   * @param image an ENV of a stage counts before an ARG of the same name, for the stages on top of it
   */
  constructor(entries: Iterable<readonly [string, string]> = [], below?: EnvList, image?: ImageEnv) {
    this.#own = new Map(entries)
    // What the image of the stage below it kept, `image` keeps as well.
    this.#below = below === undefined ? undefined : below.#asLayer()
    this.#image = image
  }

  get(name: string): string | undefined {
    return this.#own.has(name) ? this.#own.get(name) : (this.#image?.get(name) ?? valueIn(this.#below, name))
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
    let size = this.#own.size + (this.#image?.size ?? 0)
    for (let layer = this.#below; layer !== undefined; layer = layer.below) size += layer.own.size
    return size
  }

  keys(): string[] {
    return [...this.#present().keys()]
  }

  /** A copy that changes on its own. */
  clone(): EnvList {
    return new EnvList(this.#present())
  }

  /** `NAME=value`, in order. */
  toArray(): string[] {
    return [...this.#present()].map(([name, value]) => `${name}=${value}`)
  }

  #present(): Map<string, string> {
    const merged = mergedLayers(this.#below, true)
    const inherited = this.#image?.toArray().map(splitEnv) ?? []
    for (const [name, value] of [...inherited, ...this.#own]) {
      merged.delete(name)
      if (value !== undefined) merged.set(name, value)
    }
    return new Map([...merged].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
  }

  #asLayer(): Layer<string | undefined> | undefined {
    this.#layer ??= layered(this.#own, this.#below, true)
    return this.#layer
  }
}
