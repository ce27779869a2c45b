/** The index of a layer that is being packed, for those who do not wait until it is: its blob has not to be read for it. */
import { createHash, type Hash, hash } from 'node:crypto'
import { EMPTY, type LayerIndex } from '../../layer/layer-index.ts'
import type { PackedEntry } from '../../layer/pack.ts'
import { digestOfContent } from '../../util/content.ts'
import type { Drafted } from './draft.ts'
import { entriesOf } from './pack-draft.ts'

export class DraftIndex implements LayerIndex {
  #packed: readonly PackedEntry[]
  readonly #digests: (string | undefined)[] = []

  constructor(changes: readonly Drafted[]) {
    this.#packed = [...entriesOf(changes)]
  }

  get entries() {
    return this.#packed.map(({ entry }) => entry)
  }

  /** Found while a file is packed. Who cannot wait has it read once more, and compared with what was chosen, as always. */
  digest(at: number): string | undefined {
    const { entry, content } = this.#packed[at]!
    this.#digests[at] ??= content && digestOfContent(content, entry.size)
    return this.#digests[at]
  }

  /** Is in the blob only. */
  data(): undefined {}

  /** The entries for whoever packs them, one after the other. */
  *packing(): Generator<PackedEntry> {
    for (const [at, each] of this.#packed.entries()) {
      let digest: string | undefined
      let pieces: Hash | undefined
      const seen = (piece: Buffer): void => {
        if (piece.length === each.entry.size) digest = hash('sha256', piece)
        else pieces = (pieces ?? createHash('sha256')).update(piece)
      }
      yield { ...each, seen }
      if (each.content !== undefined) this.#digests[at] = digest ?? pieces?.digest('hex') ?? EMPTY
    }
  }

  /** Nothing is read any more. */
  close(): void {
    this.#packed = this.#packed.map(({ entry }) => ({ entry }))
  }
}
