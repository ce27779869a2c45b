/**
 * `--check --fix`: rewrites findings whose better form means the same. Everything else of the text stays as it is, also
 * comments and layout.
 */
import type { Dockerfile, RawInstruction } from '../dockerfile/ast.ts'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { BuildError } from '../errors.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import type { BuildWarning } from '../progress.ts'
import { lineSpan, SourceFile } from '../source.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import { applyEdits, type Edit, unifiedDiff, withoutOverlap } from './edits.ts'
import { FixIndex } from './fix-index.ts'
import { fixers } from './fixers.ts'

/** One thing that was rewritten. */
export interface Fix {
  readonly rule: string
  /** First line (1-based) of the rewritten text in the old file. */
  readonly line: number
}

export interface FixResult {
  /** The new text; the old one if nothing could be fixed. */
  readonly text: string
  readonly fixes: readonly Fix[]
  /** What changed, as `diff -u` prints it; '' if nothing did. */
  readonly diff: string
}

/**
 * Rewrites what the findings name and can be rewritten safely.
 *
 * @param stages base images decide whether a CMD may be rewritten
 * @param warnings of the linter: what is skipped there is not touched
 */
export function fixDockerfile(stages: ResolvedStages, warnings: readonly BuildWarning[]): FixResult {
  const { dockerfile } = stages.parsed
  const { source } = dockerfile
  const index = new FixIndex(stages)
  const findings = warnings.flatMap(({ rule, at }) => {
    const instruction = at && index.instructionAt(lineSpan(at.range).first)
    return instruction ? [{ rule, instruction }] : []
  })
  const rulesOf = new Map<RawInstruction, Set<string>>()
  for (const { rule, instruction } of findings) {
    rulesOf.set(instruction, (rulesOf.get(instruction) ?? new Set()).add(rule))
  }
  const edits = findings.flatMap(({ rule, instruction }) => {
    const found = (other: string): boolean => rulesOf.get(instruction)?.has(other) ?? false
    const fix = fixers.get(rule)?.({ index, instruction, found }) ?? []
    return fix
      .filter(({ start, end, text }) => source.text.slice(start, end) !== text)
      .map((edit) => ({ ...edit, rule }))
  })
  return result(dockerfile, withoutOverlap(edits))
}

function result(dockerfile: Dockerfile, edits: readonly (Edit & { readonly rule: string })[]): FixResult {
  const { source } = dockerfile
  const text = applyEdits(source.text, edits)
  if (edits.length === 0 || !sameShape(dockerfile, text)) return { text: source.text, fixes: [], diff: '' }
  const fixes = edits.map(({ rule, start }) => ({ rule, line: source.position(start).line }))
  const seen = new Set<string>()
  const unique = fixes.filter(({ rule, line }) => !seen.has(`${rule} ${line}`) && seen.add(`${rule} ${line}`))
  return { text, fixes: unique, diff: unifiedDiff(source, edits) }
}

/** The new text has the same instructions in the same order: a guard against an edit that breaks the file. */
function sameShape(dockerfile: Dockerfile, text: string): boolean {
  try {
    const scanned = scanDockerfile(new SourceFile(dockerfile.source.name, text))
    parseDockerfile(scanned)
    return shape(scanned) === shape(dockerfile)
  } catch (error) {
    if (error instanceof BuildError) return false
    throw error
  }
}

function shape({ instructions }: Dockerfile): string {
  return instructions.map(({ name }) => (name === 'MAINTAINER' ? 'LABEL' : name)).join(' ')
}
