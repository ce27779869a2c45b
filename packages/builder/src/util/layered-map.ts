/**
 * Maps that inherit the entries of others without copying them each time: what a stage gets from its base. A look-up
 * goes through few layers, as each has less than half the entries of the one below; an entry is copied few times.
 */

/** A map on top of others; none of them changes any more. */
export interface Layer<V> {
  readonly own: ReadonlyMap<string, V>
  readonly below: Layer<V> | undefined
}

/** Puts a map on top of others. @param moves whether a name that is there already moves to the end */
export function layered<V>(
  own: ReadonlyMap<string, V>,
  below: Layer<V> | undefined,
  moves: boolean,
): Layer<V> | undefined {
  if (own.size === 0) return below
  let top = own
  let rest = below
  for (; rest !== undefined && 2 * top.size >= rest.own.size; rest = rest.below) {
    const merged = new Map(rest.own)
    addAll(merged, top, moves)
    top = merged
  }
  return { own: top, below: rest }
}

/** All entries, those of the lowest layer first. */
export function mergedLayers<V>(top: Layer<V> | undefined, moves: boolean): Map<string, V> {
  const layers: Layer<V>[] = []
  for (let layer = top; layer !== undefined; layer = layer.below) layers.push(layer)
  const merged = new Map<string, V>()
  for (const layer of layers.reverse()) addAll(merged, layer.own, moves)
  return merged
}

/** The value of the topmost layer that has the name. */
export function valueIn<V>(top: Layer<V> | undefined, name: string): V | undefined {
  for (let layer = top; layer !== undefined; layer = layer.below) {
    if (layer.own.has(name)) return layer.own.get(name)
  }
  return undefined
}

function addAll<V>(to: Map<string, V>, from: ReadonlyMap<string, V>, moves: boolean): void {
  for (const [name, value] of from) {
    if (moves) to.delete(name)
    to.set(name, value)
  }
}

/** A map with a parent; a name that is set again keeps its place. */
export class LayeredMap<V> {
  readonly #own = new Map<string, V>()
  readonly #below: Layer<V> | undefined
  /** This map as a layer, once another one is on top of it. */
  #layer: Layer<V> | undefined

  /** @param parent must not change any more */
  constructor(parent?: LayeredMap<V>) {
    this.#below = parent === undefined ? undefined : parent.#asLayer()
  }

  get(name: string): V | undefined {
    return this.#own.get(name) ?? valueIn(this.#below, name)
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: V): void {
    this.#own.set(name, value)
  }

  /** Not more than so many names; 0 if there are none. */
  get size(): number {
    let size = this.#own.size
    for (let layer = this.#below; layer !== undefined; layer = layer.below) size += layer.own.size
    return size
  }

  /** All names once, those of the parent first. */
  keys(): Iterable<string> {
    return this.#merged().keys()
  }

  /** All entries, in the order of {@link keys}. */
  entries(): [name: string, value: V][] {
    return [...this.#merged()]
  }

  #merged(): Map<string, V> {
    return this.#below === undefined ? this.#own : mergedLayers({ own: this.#own, below: this.#below }, false)
  }

  #asLayer(): Layer<V> | undefined {
    this.#layer ??= layered(this.#own, this.#below, false)
    return this.#layer
  }
}
