/** Checks that need only the text: they also run when the file cannot be parsed to its end. */
import type { Dockerfile, RawInstruction } from '../dockerfile/ast.ts'
import type { Reporter } from './rule.ts'
import { checkFromAsCasing } from './rules/from-as-casing.ts'
import { checkDescription } from './rules/invalid-definition-description.ts'
import { reportMaintainer } from './rules/maintainer-deprecated.ts'
import { reportEmptyContinuation } from './rules/no-empty-continuation.ts'
import { checkStageNameCasing } from './rules/stage-name-casing.ts'

/**
 * Reports what the text of the file shows.
 *
 * @param failedAt offset of the error that stopped the parser: instructions below it are not looked at
 */
export function checkSource(reporter: Reporter, dockerfile: Dockerfile, failedAt = Number.POSITIVE_INFINITY): void {
  checkContinuations(reporter, dockerfile)
  for (const instruction of dockerfile.instructions) {
    if (instruction.range.start.offset > failedAt) return
    checkKeywords(reporter, instruction)
    if (failedAt >= instruction.range.end.offset) checkDefinition(reporter, instruction)
  }
}

/** Both lists are in the order of the file. */
function checkContinuations(reporter: Reporter, { warnings, instructions }: Dockerfile): void {
  let i = 0
  for (const { range } of warnings) {
    while (i < instructions.length && instructions[i]!.range.end.offset < range.start.offset) i++
    const instruction = instructions[i]
    if (instruction) reportEmptyContinuation(reporter, instruction, range)
  }
}

/** The reference looks at these before it parses the instruction's arguments. */
function checkKeywords(reporter: Reporter, instruction: RawInstruction): void {
  if (instruction.name === 'MAINTAINER') reportMaintainer(reporter, instruction)
  if (instruction.name !== 'FROM') return
  checkStageNameCasing(reporter, instruction)
  checkFromAsCasing(reporter, instruction)
}

/** And at this after it. */
function checkDefinition(reporter: Reporter, instruction: RawInstruction): void {
  if (instruction.name === 'FROM') {
    const name = instruction.words[2]?.text.toLowerCase()
    if (name !== undefined) checkDescription(reporter, instruction, 'FROM', [name])
  }
  if (instruction.name === 'ARG') {
    const names = instruction.words.map((word) => word.text.split('=', 1)[0]!)
    checkDescription(reporter, instruction, 'ARG', names)
  }
}
