/** A map that is cheap to hand on: it is copied when one side writes, so thousands of stages share what they inherit. */
export class CowMap<V> {
  #map: Map<string, V>
  #shared = false

  constructor(entries: Iterable<readonly [string, V]> = []) {
    this.#map = new Map(entries)
  }

  get(name: string): V | undefined {
    return this.#map.get(name)
  }

  has(name: string): boolean {
    return this.#map.has(name)
  }

  keys(): IterableIterator<string> {
    return this.#map.keys()
  }

  get size(): number {
    return this.#map.size
  }

  set(name: string, value: V): void {
    if (this.#shared) {
      this.#map = new Map(this.#map)
      this.#shared = false
    }
    this.#map.set(name, value)
  }

  /** The same entries; what is set later on one side does not show on the other. */
  fork(): CowMap<V> {
    const copy = new CowMap<V>()
    copy.#map = this.#map
    copy.#shared = true
    this.#shared = true
    return copy
  }
}
