import type { RawInstruction } from '../../dockerfile/ast.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const fromAsCasing = defineRule({
  name: 'FromAsCasing',
  description: "The 'as' keyword should match the case of the 'from' keyword",
  url: 'https://docs.docker.com/go/dockerfile/rule/from-as-casing/',
  message: (from: string, as: string) => `'${as}' and '${from}' keywords' casing do not match`,
  doc: {
    why: 'Both words work in any case, but a line that mixes them is harder to read.',
    bad: 'FROM debian:latest as builder',
    good: 'FROM debian:latest AS builder',
    fix: 'writes the `as` in the case of the `from`',
  },
})

/** The spelling of AS that fits the FROM; undefined if it fits already or FROM itself mixes cases (another rule). */
export function fittingAs(from: RawInstruction): string | undefined {
  const as = from.words[1]?.text
  if (as === undefined || from.words.length < 3) return undefined
  const { keyword } = from
  const lower = keyword === keyword.toLowerCase()
  if (!lower && keyword !== keyword.toUpperCase()) return undefined
  const wanted = lower ? as.toLowerCase() : as.toUpperCase()
  return wanted === as ? undefined : wanted
}

/** @param from a FROM instruction */
export function checkFromAsCasing(reporter: Reporter, from: RawInstruction): void {
  if (fittingAs(from) !== undefined) reporter.report(fromAsCasing, [from.keyword, from.words[1]!.text], from)
}
