import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob } from './glob.ts'
import { compileIgnore } from './ignore.ts'
import { cleanPath, relativeToRoot } from './inroot.ts'

/** Straight from the definition, exponential and obvious. */
function matches(pattern: readonly string[], name: string): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return name === ''
  const cuts = (test: (part: string) => boolean) => {
    for (let i = 0; i <= name.length; i++) if (test(name.slice(0, i)) && matches(rest, name.slice(i))) return true
    return false
  }
  switch (first) {
    case '*':
      return cuts((part) => !part.includes('/'))
    case '**':
      return cuts(() => true)
    case '**/':
      return cuts((part) => part === '' || part.endsWith('/'))
    case '?':
      return name !== '' && name[0] !== '/' && matches(rest, name.slice(1))
    case '[ab]':
      return /^[ab]/.test(name) && matches(rest, name.slice(1))
    case '\\*':
      return name.startsWith('*') && matches(rest, name.slice(1))
    default:
      return name.startsWith(first) && matches(rest, name.slice(first.length))
  }
}

const literal = fc.constantFrom('a', 'b', '/', '.', 'ab')
const piece = fc.oneof(literal, fc.constantFrom('*', '?', '[ab]', '\\*'))
const name = fc.array(fc.constantFrom('a', 'b', '/', '*', '.'), { maxLength: 8 }).map((parts) => parts.join(''))
/** Two stars side by side are one token of another meaning. */
const apart = (parts: readonly string[]) => !/\*\*|\*\\\*/.test(parts.join('').replaceAll('\\*', '\u0001'))

describe('glob patterns', () => {
  it('match as the definition says', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }).filter(apart), name, (parts, text) => {
        expect(compileGlob(parts.join(''))?.test(text)).toBe(matches(parts, text))
        expect(compileGlob(parts.join(''), true)?.test(text)).toBe(matches(parts, text))
      }),
      { numRuns: 2000 },
    )
  })

  it('match as the definition says with ** between directories', () => {
    const directory = fc
      .array(piece, { minLength: 1, maxLength: 3 })
      .filter((parts) => apart(parts) && !parts.includes('/'))
    fc.assert(
      fc.property(directory, directory, name, (before, after, text) => {
        const joined = [...before, '/', '**/', ...after]
        expect(compileGlob(joined.join(''), true)?.test(text)).toBe(matches(joined, text))
        const ending = [...before, '/', '**']
        expect(compileGlob(ending.join(''), true)?.test(text)).toBe(matches(ending, text))
      }),
      { numRuns: 2000 },
    )
  })

  it('never throw and never hang', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 200 }), fc.boolean(), (pattern, text, deep) => {
        expect([true, false, undefined]).toContain(compileGlob(pattern, deep)?.test(text))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('ignore rules', () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  const rules = fc.array(fc.record({ pattern: path, negated: fc.boolean() }), { maxLength: 6 })
  const compile = (list: readonly { pattern: string; negated: boolean }[]) =>
    compileIgnore(list.map(({ pattern, negated }) => (negated ? `!${pattern}` : pattern)))

  it('without exceptions exclude what they name and everything below', () => {
    fc.assert(
      fc.property(
        fc.array(path, { maxLength: 6 }),
        fc.array(path, { minLength: 1, maxLength: 8 }),
        (patterns, paths) => {
          const matcher = compileIgnore(patterns)
          for (const asked of paths) {
            const excluded = patterns.some((pattern) => asked === pattern || asked.startsWith(`${pattern}/`))
            expect(matcher.matches(asked)).toBe(excluded)
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('do not depend on the order of asking, and give up no directory with something left in it', () => {
    fc.assert(
      fc.property(rules, fc.array(path, { minLength: 1, maxLength: 8 }), (list, paths) => {
        const matcher = compile(list)
        for (const asked of paths) {
          expect(matcher.matches(asked)).toBe(compile(list).matches(asked))
          if (matcher.matches(asked)) continue
          for (let at = asked; at.includes('/'); ) {
            at = at.slice(0, at.lastIndexOf('/'))
            if (matcher.matches(at)) expect(matcher.mayReinclude(at)).toBe(true)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('paths', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', '..', '.', '', '/'), { maxLength: 10 })
    .map((parts) => parts.join('/'))
  it('are clean after cleaning', () => {
    fc.assert(
      fc.property(path, (text) => {
        const clean = cleanPath(text)
        expect(cleanPath(clean)).toBe(clean)
        expect(relativeToRoot(text).split('/')).not.toContain('..')
      }),
    )
  })
})
