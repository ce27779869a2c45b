/** Stages and how they need each other: FROM, COPY --from, RUN --mount=from=, ONBUILD triggers. */
import type { Platform } from '@tsbuild/registry-client'
import type { InstructionNode, Stage } from '../instructions/nodes.ts'
import type { Location } from '../source.ts'
import { stageErrors } from './errors.ts'
import type { NamedContext, ResolvedImage } from './world.ts'

/** A stage of the file, or an image that `--from` names. */
export class StageNode {
  /** undefined for an image named by `--from` or a mount. */
  readonly stage: Stage | undefined
  /** Its FROM, or where the image is first named. */
  readonly at: Location
  /** Lower-case name; '' if it has none. */
  readonly name: string
  /** `name`, or `stage-N`. */
  label: string
  /** The expanded image or stage name after FROM. */
  readonly baseName: string
  /** `FROM --platform`, parsed. */
  readonly platform: Platform | undefined
  base: StageNode | undefined
  commands: StageCommand[] = []
  /** A named context takes the place of the whole stage. */
  replaced = false
  /** What a stage without {@link base} starts from, once that is known. */
  origin: NamedContext | undefined
  /** The ONBUILD triggers of its base stand in front of its commands. */
  triggersAdded = false

  constructor(init: {
    stage: Stage | undefined
    at: Location
    name: string
    label: string
    baseName: string
    platform: Platform | undefined
  }) {
    this.stage = init.stage
    this.at = init.at
    this.name = init.name
    this.label = init.label
    this.baseName = init.baseName
    this.platform = init.platform
  }

  /** Its base and the stages it takes files from. */
  get needs(): StageNode[] {
    return [
      ...(this.base ? [this.base] : []),
      ...this.commands.flatMap((c) => c.sources.filter((s) => s !== undefined)),
    ]
  }

  /** The base image; undefined for other origins, and for a stage on top of another one. */
  get image(): ResolvedImage | undefined {
    return this.origin?.kind === 'image' ? this.origin.image : undefined
  }
}

/** An instruction with the stages that its `--from` or mounts name (by position; undefined: the main context or nothing). */
export interface StageCommand {
  /** That of a trigger stands at the FROM that it came with. */
  readonly node: InstructionNode
  readonly sources: readonly (StageNode | undefined)[]
  readonly onbuild: boolean
}

/** All stages, found by name (case is ignored) or number. */
export class StageGraph {
  readonly nodes: StageNode[] = []
  readonly #byName = new Map<string, StageNode>()

  /** Adds a stage; its base is the latest earlier stage of exactly that (lower-case) name. */
  add(node: StageNode): void {
    this.nodes.push(node)
    node.base = this.#byName.get(node.baseName)
    if (node.name !== '') this.#byName.set(node.name, node)
  }

  find(name: string): StageNode | undefined {
    return this.#byName.get(name.toLowerCase())
  }

  at(index: number): StageNode {
    const node = this.nodes[index]
    if (node === undefined) throw stageErrors.stageIndex([index])
    return node
  }

  names(): string[] {
    return this.nodes.filter((n) => n.stage !== undefined && n.label !== '').map((n) => n.label)
  }

  /** The stage that `from` names, or a node for the image of that name, which is named at `at`. */
  source(from: string, at: Location): StageNode {
    if (/^\d+$/.test(from)) return this.at(Number(from))
    const found = this.find(from)
    if (found) return found
    const image = new StageNode({ stage: undefined, at, name: '', label: from, baseName: from, platform: undefined })
    this.add(image)
    return image
  }

  /** `target` and all it needs. */
  reachable(target: StageNode): Set<StageNode> {
    const found = new Set<StageNode>()
    const queue = [target]
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      if (found.has(node)) continue
      found.add(node)
      queue.push(...node.needs)
    }
    return found
  }

  /**
   * Stages that take files from each other in a circle: the stage that the search began with, as the reference names
   * it, and the instructions on the way from there until the circle is closed.
   */
  findCircle(): { readonly start: StageNode; readonly commands: readonly StageCommand[] } | undefined {
    const done = new Set<StageNode>()
    for (const start of this.nodes) {
      const path = new Set<StageNode>([start])
      const stack: { node: StageNode; uses: StageUse[]; by?: StageCommand }[] = [{ node: start, uses: usesOf(start) }]
      for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
        const next = top.uses.pop()
        if (next === undefined) {
          stack.pop()
          path.delete(top.node)
          done.add(top.node)
        } else if (path.has(next.source)) {
          return { start, commands: [...stack.flatMap(({ by }) => by ?? []), next.command] }
        } else if (!done.has(next.source)) {
          path.add(next.source)
          stack.push({ node: next.source, uses: usesOf(next.source), by: next.command })
        }
      }
    }
    return undefined
  }
}

interface StageUse {
  readonly source: StageNode
  readonly command: StageCommand
}

function usesOf(node: StageNode): StageUse[] {
  return node.commands.flatMap((command) => command.sources.flatMap((source) => (source ? [{ source, command }] : [])))
}
