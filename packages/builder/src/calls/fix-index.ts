/** Look-ups that fixes need, made once for a file so that many findings stay cheap. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import type { InstructionNode, ParsedDockerfile, Stage } from '../instructions/nodes.ts'
import { type Casing, majorityCasing } from '../lint/rules/consistent-instruction-casing.ts'
import type { Range } from '../source.ts'
import { lineSpan } from '../source.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import type { StageNode } from '../stages/stage-graph.ts'

/** A place where a stage is named. */
export interface StageUse {
  readonly at: RawInstruction
  readonly range: Range
  /** The text there with the stage's name replaced. */
  readonly renamed: (to: string) => string
}

export class FixIndex {
  readonly parsed: ParsedDockerfile
  readonly casing: Casing
  readonly #byLine = new Map<number, RawInstruction>()
  readonly #nodes = new Map<RawInstruction, InstructionNode>()
  readonly #stages = new Map<RawInstruction, Stage>()
  readonly #resolved: ResolvedStages['nodes']
  /** FROM looks names up as written, `--from` in any case. */
  readonly #bases = new Map<string, StageUse[]>()
  readonly #sources = new Map<string, StageUse[]>()

  constructor({ parsed, nodes }: ResolvedStages) {
    this.parsed = parsed
    this.#resolved = nodes
    for (const instruction of parsed.dockerfile.instructions) {
      const { first, last } = lineSpan(instruction.range)
      for (let line = first; line <= last; line++) this.#byLine.set(line, instruction)
      this.#addUses(instruction)
    }
    for (const stage of parsed.stages) {
      for (const node of stage.instructions) {
        this.#nodes.set(node.raw, node)
        this.#stages.set(node.raw, stage)
      }
    }
    this.casing = majorityCasing(
      parsed.stages.flatMap((stage) => [stage.from.raw, ...stage.instructions.map((node) => node.raw)]),
    )
  }

  /** The instruction on a line (1-based). */
  instructionAt(line: number): RawInstruction | undefined {
    return this.#byLine.get(line)
  }

  nodeOf(instruction: RawInstruction): InstructionNode | undefined {
    return this.#nodes.get(instruction)
  }

  /** The stage that an instruction stands in; undefined if that could not be found out. */
  stageOf(instruction: RawInstruction): StageNode | undefined {
    const stage = this.#stages.get(instruction)
    return stage && this.#resolved[stage.index]
  }

  /** Places below an instruction that mean a stage of this name and do not write it in lower case. */
  usesOf(name: string, below: RawInstruction): StageUse[] {
    const uses = [...(this.#bases.get(name) ?? []), ...(this.#sources.get(name.toLowerCase()) ?? [])]
    return uses.filter(({ at }) => at.range.start.offset > below.range.start.offset)
  }

  #addUses(at: RawInstruction): void {
    const base = at.words[0]
    if (at.name === 'FROM' && base) addUse(this.#bases, base.text, { at, range: base.range, renamed: (to) => to })
    for (const { name, value, range } of at.flags) {
      if (value === undefined) continue
      if (name === 'from')
        addUse(this.#sources, value, { at, range, renamed: (to) => `--from=${to}` }, value.toLowerCase())
      if (name !== 'mount') continue
      const fields = value.split(',')
      const i = fields.findIndex((field) => field.startsWith('from='))
      const from = fields[i]?.slice('from='.length)
      if (from !== undefined) {
        const renamed = (to: string): string => `--mount=${fields.with(i, `from=${to}`).join(',')}`
        addUse(this.#sources, from, { at, range, renamed }, from.toLowerCase())
      }
    }
  }
}

/** The finding's instruction and what is known around it. */
export interface FixScope {
  readonly index: FixIndex
  readonly instruction: RawInstruction
  /** Whether another rule has a finding on the instruction. */
  readonly found: (rule: string) => boolean
}

function addUse(uses: Map<string, StageUse[]>, name: string, use: StageUse, key = name): void {
  const { first, last } = lineSpan(use.range)
  if (first !== last || name === name.toLowerCase()) return
  const list = uses.get(key)
  if (list) list.push(use)
  else uses.set(key, [use])
}
