/** What is written is what is read: random words, flags, heredocs and expansions, printed and scanned again. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SourceFile } from '../source.ts'
import { expandWord } from './expand.ts'
import { scanDockerfile } from './scan.ts'

const scan = (text: string) => scanDockerfile(new SourceFile('Dockerfile', text)).instructions
const blank = fc.constantFrom(' ', '\t', '  ', ' \\\n', ' \\\n# note\n ', ' \\\n\n\t')
const plain = fc.string({ unit: fc.constantFrom(...'abcXY09_/.:=-é'), minLength: 1, maxLength: 6 })
const word = plain.filter((text) => !text.startsWith('-'))

describe('scanning', () => {
  it('gives words back as they are written, however lines are continued', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(blank, word), { minLength: 2, maxLength: 6 }), (list) => {
        const text = `FROM x\nCOPY${list.map(([space, part]) => space + part).join('')}\nRUN end\n`
        const [, copy, run] = scan(text)
        expect(copy!.words.map((w) => w.text)).toEqual(list.map(([, part]) => part))
        for (const { text: own, range } of copy!.words)
          expect(text.slice(range.start.offset, range.end.offset)).toBe(own)
        expect(run!.rest).toBe('end')
      }),
    )
  })

  it('gives heredocs back as they are written, whatever they hold', () => {
    const body = fc.array(fc.string({ unit: fc.constantFrom(...'ab $"\'\\`#<\t'), maxLength: 8 }), { maxLength: 4 })
    const head = fc.record({
      fd: fc.constantFrom('', '3'),
      dash: fc.constantFrom('', '-'),
      space: fc.constantFrom('', ' ', ' \t'),
      quote: fc.constantFrom('', '"', "'"),
      body,
    })
    fc.assert(
      fc.property(fc.array(head, { minLength: 1, maxLength: 3 }), fc.boolean(), (heads, command) => {
        const texts = heads.map(({ fd, dash, space, quote }, i) => {
          const gap = dash === '' ? space : ''
          return `${fd}<<${dash}${gap}${quote}END${i}${quote}`
        })
        const bodies = heads.map(({ body: rows }) => rows.map((row) => `${row}\n`).join(''))
        const text = `FROM x\nRUN ${command ? 'cat ' : ''}${texts.join(' ')}\n${bodies.map((b, i) => `${b}END${i}\n`).join('')}RUN end\n`
        const [, run, end] = scan(text)
        expect(run!.heredocs.map((h) => h.raw)).toEqual(bodies)
        for (const [i, heredoc] of run!.heredocs.entries()) {
          const { dash, quote, fd } = heads[i]!
          const content = dash === '' ? bodies[i]! : bodies[i]!.replace(/^\t+/gm, '')
          expect(heredoc).toMatchObject({
            name: `END${i}`,
            content,
            chomp: dash === '-',
            expand: quote === '',
            fd: Number(fd),
          })
        }
        expect(end!.rest).toBe('end')
      }),
    )
  })
})

describe('expansion', () => {
  type Part = { readonly text: string; readonly value: (env: ReadonlyMap<string, string>) => string }
  const name = fc.constantFrom('A', 'B', 'C_1')
  const literal: fc.Arbitrary<Part> = plain.map((text) => ({ text, value: () => text }))
  const use = (text: (n: string, w: string) => string, value: (v: string | undefined, w: string) => string) =>
    fc.tuple(name, plain).map(([n, w]): Part => ({ text: text(n, w), value: (env) => value(env.get(n), w) }))
  const part: fc.Arbitrary<Part> = fc.oneof(
    literal,
    use(
      (n) => `\${${n}}`,
      (v) => v ?? '',
    ),
    use(
      (n, w) => `\${${n}:-${w}}`,
      (v, w) => v || w,
    ),
    use(
      (n, w) => `\${${n}-${w}}`,
      (v, w) => v ?? w,
    ),
    use(
      (n, w) => `\${${n}:+${w}}`,
      (v, w) => (v ? w : ''),
    ),
    use(
      (n, w) => `\${${n}+${w}}`,
      (v, w) => (v === undefined ? '' : w),
    ),
    use(
      (n, w) => `\${${n}#${w}}`,
      (v = '', w) => (v.startsWith(w) ? v.slice(w.length) : v),
    ),
    use(
      (n, w) => `\${${n}%${w}}`,
      (v = '', w) => (v.endsWith(w) ? v.slice(0, v.length - w.length) : v),
    ),
    literal.map(({ text }) => ({ text: `'${text}$A'`, value: () => `${text}$A` })),
    literal.map(({ text }) => ({
      text: `"\${B}${text}"`,
      value: (env: ReadonlyMap<string, string>) => (env.get('B') ?? '') + text,
    })),
    fc.constant({ text: '\\$A', value: () => '$A' }),
  )

  it('is that of a plain model', () => {
    const env = fc.dictionary(name, fc.oneof(fc.constant(''), plain))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), env, (parts, values) => {
        const map = new Map(Object.entries(values))
        const { value } = expandWord(parts.map((p) => p.text).join(''), map, '\\')
        expect(value).toBe(parts.map((p) => p.value(map)).join(''))
      }),
      { numRuns: 2000 },
    )
  })
})
