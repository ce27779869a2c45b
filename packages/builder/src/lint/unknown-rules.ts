/** Rule names in `check` options that no rule has: a remark of ours, since the reference ignores them. */

import type { BuildWarning } from '../progress.ts'
import type { Location } from '../source.ts'
import { suggest } from '../util/suggest.ts'
import type { CheckOptions } from './options.ts'
import { rules } from './table.ts'

/** @param at the directive that names the rules, if one does */
export function unknownRules(options: CheckOptions, at?: Location): BuildWarning[] {
  const known = rules.map((rule) => rule.name)
  const unknown = [...options.skip, ...options.experimental].filter((name) => name !== '' && !known.includes(name))
  return [...new Set(unknown)].map((name) => {
    const similar = suggest(name, known) ?? known.find((rule) => rule.toLowerCase() === name.toLowerCase())
    const message = `unknown rule ${JSON.stringify(name)} in check options${similar ? ` (did you mean ${similar}?)` : ''}`
    return { rule: '', message, ...(at !== undefined && { at }) }
  })
}
