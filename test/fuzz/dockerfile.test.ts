// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a Dockerfile are written like this
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RawInstruction } from '../../packages/builder/src/dockerfile/ast.ts'
import { expand } from '../../packages/builder/src/dockerfile/expand.ts'
import { scanDockerfile } from '../../packages/builder/src/dockerfile/scan.ts'
import { BuildError } from '../../packages/builder/src/errors.ts'
import { resolveMount } from '../../packages/builder/src/instructions/mount.ts'
import { parseDockerfile, parseTrigger } from '../../packages/builder/src/instructions/parse.ts'
import { parseOwner } from '../../packages/builder/src/plan/owner.ts'
import { type Range, SourceFile } from '../../packages/builder/src/source.ts'
import { parseChmod } from '../../packages/builder/src/util/chmod.ts'
import { compileIgnore, IgnoreSyntaxError, parseIgnore } from '../../packages/builder/src/util/ignore.ts'

const runs = { numRuns: 1500 }

/** Pieces that mean something to one part of the grammar or another, and noise. */
const piece = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...'FROM RUN COPY ADD ENV LABEL ARG ONBUILD HEALTHCHECK CMD SHELL USER VOLUME run Expose'.split(' '),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ' ',
      '  ',
      '\t',
      '\n',
      '\r\n',
      '\\\n',
      '\\ \n',
      '`\n',
      '\\\\\n',
      '\n\n',
      '\ufeff',
      '\u0085',
      '\u00a0',
    ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '<<EOF',
      '<<-E',
      "<<'E'",
      '<<"E"',
      '3<<E',
      'EOF\n',
      'E\n',
      '\tE\n',
      '<<',
      '<<$x',
      '#',
      '# c\n',
      '#!sh\n',
    ),
  },
  { weight: 3, arbitrary: fc.constantFrom('# escape=`\n', '# syntax=x\n', '# check=skip=all\n', '#escape=\\\n') },
  {
    weight: 4,
    arbitrary: fc.constantFrom('["a", "b"]', '["a"', '[1]', '[]', '{}', '"\\u00e9"', '["\\ud800"]', "['a']"),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '--from=x',
      '--mount=type=cache,target=/x',
      '--chown="a b"',
      '--',
      '--link',
      '--interval=5s',
      '--x',
      '--exclude=a',
    ),
  },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      '$a',
      '${a',
      '${a:-',
      '${a:?',
      '${a#',
      '${a%%*',
      '${a//?/',
      '}',
      '"',
      "'",
      '\\',
      '`',
      '=',
      ',',
      'a=b',
      '😀',
      '\0',
    ),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
)
const text = fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(''))
const fileText = fc.tuple(fc.boolean(), text).map(([from, rest]) => (from ? `FROM a\n${rest}` : rest))

/** Runs the work; what it throws must be a BuildError, whose place, if any, must be inside its file. */
function onlyBuildErrors<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof BuildError)) throw error
    expect(error.code).toMatch(/^[A-Z][A-Z0-9_]+$/)
    if (error.at) expectInside(error.at.file, error.at.range)
    return undefined
  }
}

function expectInside({ text: all }: SourceFile, { start, end }: Range): void {
  expect(start.offset).toBeGreaterThanOrEqual(0)
  expect(end.offset).toBeGreaterThanOrEqual(start.offset)
  expect(end.offset).toBeLessThanOrEqual(all.length)
  for (const { line, column, offset } of [start, end]) {
    const lineStart = all.slice(0, offset).lastIndexOf('\n') + 1
    expect(column).toBe(offset - lineStart)
    expect(line).toBe(all.slice(0, lineStart).split('\n').length)
  }
}

function expectPlaced(file: SourceFile, raw: RawInstruction): void {
  expectInside(file, raw.range)
  const inner = [raw.keywordRange, ...[...raw.words, ...raw.flags, ...raw.heredocs].map((part) => part.range)]
  for (const range of inner) {
    expectInside(file, range)
    expect(range.start.offset).toBeGreaterThanOrEqual(raw.range.start.offset)
    expect(range.end.offset).toBeLessThanOrEqual(raw.range.end.offset)
  }
  expect(
    file.text.slice(raw.keywordRange.start.offset, raw.keywordRange.end.offset).startsWith(raw.keyword.slice(0, 1)),
  ).toBe(true)
  if (raw.form === 'shell') {
    for (const { text: word, range } of raw.words) {
      const written = file.text.slice(range.start.offset, range.end.offset)
      // A word over several lines holds the ends of lines and comments as well.
      if (!written.includes('\n')) expect(written).toBe(word)
    }
  }
}

describe('the scanner and the parser', () => {
  it('fail with BuildErrors only, and every place is inside the file', () => {
    fc.assert(
      fc.property(fileText, (source) => {
        const file = new SourceFile('Dockerfile', source)
        const scanned = onlyBuildErrors(() => scanDockerfile(file))
        if (!scanned) return
        let last = 0
        for (const raw of scanned.instructions) {
          expectPlaced(file, raw)
          expect(raw.range.start.offset).toBeGreaterThanOrEqual(last)
          last = raw.range.end.offset
        }
        for (const { range } of [...scanned.directives, ...scanned.warnings]) expectInside(file, range)
        onlyBuildErrors(() => parseDockerfile(scanned))
      }),
      runs,
    )
  })

  it('read again what ONBUILD keeps', () => {
    fc.assert(
      fc.property(text, (trigger) => {
        onlyBuildErrors(() => parseTrigger(trigger))
        const file = new SourceFile('Dockerfile', `FROM a\nONBUILD ${trigger}`)
        const parsed = onlyBuildErrors(() => parseDockerfile(scanDockerfile(file)))
        for (const node of parsed?.stages[0]?.instructions ?? []) {
          if (node.kind === 'ONBUILD') onlyBuildErrors(() => parseTrigger(node.expression))
        }
      }),
      runs,
    )
  })

  it('leave no line out', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('RUN a', 'ENV a=b', 'COPY a b', '# c', ''), { maxLength: 30 }), (lines) => {
        const file = new SourceFile('Dockerfile', ['FROM a', ...lines].join('\n'))
        expect(scanDockerfile(file).instructions.map((i) => i.original)).toEqual(
          ['FROM a', ...lines].filter((line) => line !== '' && !line.startsWith('#')),
        )
      }),
      runs,
    )
  })

  it.each<[string, string]>([
    ['one endless continuation', `RUN a${' \\\nb'.repeat(300_000)}`],
    ['comments in a continuation', `RUN a \\\n${'# c\n'.repeat(300_000)}b`],
    ['blank lines', '\n'.repeat(1_000_000)],
    ['comments', '# comment\n'.repeat(200_000)],
    ['nested triggers', `${'ONBUILD \\\n'.repeat(200_000)}RUN a`],
    ['heredoc heads', `RUN${' <<a \\\n'.repeat(50_000)}`],
    ['quotes', `ENV a=${'"\\\n'.repeat(300_000)}`],
    ['flags', `COPY${' --exclude=a \\\n'.repeat(100_000)} a b`],
    ['unknown flags', `COPY ${'--\\\n'}${'x\\\n'.repeat(300_000)} a b`],
    ['JSON nesting', `RUN ${'[\\\n'.repeat(300_000)}`],
    ['JSON strings', `RUN ["a"${', "b"\\\n'.repeat(200_000)}]`],
    ['words', `COPY${' a\\\n'.repeat(300_000)}`],
    ['escapes', `RUN ${'\\'.repeat(60_000)}\n`.repeat(30)],
    ['blanks in a directive', `# syntax=a${' '.repeat(60_000)}b\nFROM a`],
    ['blanks in a line', `RUN a${' '.repeat(60_000)}b\n`.repeat(30)],
    ['an unknown keyword', 'x'.repeat(60_000)],
    ['a heredoc that does not end', `COPY <<E /\n${'text\n'.repeat(300_000)}`],
    ['variables in heads', `RUN <<${'${a:-'.repeat(10_000)}\n`],
  ])('take linear time for %s', (_name, source) => {
    const start = performance.now()
    const scanned = onlyBuildErrors(() => scanDockerfile(new SourceFile('Dockerfile', `FROM a\n${source}`)))
    if (scanned) onlyBuildErrors(() => parseDockerfile(scanned))
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('the expander', () => {
  const variables = fc
    .dictionary(fc.constantFrom('a', 'b', 'c', '1'), fc.string({ maxLength: 20 }))
    .map((d) => new Map(Object.entries(d)))
  const options = fc.record({
    escape: fc.constantFrom('\\', '`'),
    rawQuotes: fc.boolean(),
    rawEscapes: fc.boolean(),
    ignoreQuotes: fc.boolean(),
    keepUnset: fc.boolean(),
  })
  const shellText = fc
    .array(
      fc.constantFrom(
        '$',
        '{',
        '}',
        'a',
        'b',
        '1',
        ':',
        '-',
        '+',
        '?',
        '#',
        '%',
        '/',
        '*',
        '\\',
        '`',
        '"',
        "'",
        ' ',
        '\n',
        'é',
        '😀',
        '${a:-',
        '${b#',
        '${a//',
      ),
      { maxLength: 30 },
    )
    .map((parts) => parts.join(''))

  it('fails with BuildErrors only, and names what it used', () => {
    fc.assert(
      fc.property(shellText, variables, options, (source, values, how) => {
        const result = onlyBuildErrors(() => expand(source, values, how))
        if (!result) return
        for (const name of result.used) expect(values.has(name)).toBe(true)
        for (const name of result.unset) expect(values.has(name)).toBe(false)
        if (!/[$\\`"']/.test(source)) expect(result.value).toBe(source)
      }),
      { numRuns: 5000 },
    )
  })

  it('trims and replaces as a regular expression would', () => {
    const glob = fc.array(fc.constantFrom('a', 'b', '?', '*', '\n'), { maxLength: 8 }).map((parts) => parts.join(''))
    const value = fc.array(fc.constantFrom('a', 'b', 'c', '\n'), { maxLength: 14 }).map((parts) => parts.join(''))
    const pattern = (from: string, greedy: boolean) =>
      from.replaceAll('?', '[^\\n]').replaceAll('*', greedy ? '[^\\n]*' : '[^\\n]*?')
    fc.assert(
      fc.property(glob, value, (from, v) => {
        const values = new Map([['v', v]])
        const of = (source: string) => expand(source, values, { escape: '\\' }).value
        expect(of(`\${v#${from}}`)).toBe(v.replace(new RegExp(`^(?:${pattern(from, false)})`), ''))
        expect(of(`\${v##${from}}`)).toBe(v.replace(new RegExp(`^(?:${pattern(from, true)})`), ''))
        const reverse = (t: string) => Array.from(t).reverse().join('')
        const suffix = (greedy: boolean) => new RegExp(`^(?:${pattern(reverse(from), greedy)})`)
        expect(of(`\${v%${from}}`)).toBe(reverse(reverse(v).replace(suffix(false), '')))
        expect(of(`\${v%%${from}}`)).toBe(reverse(reverse(v).replace(suffix(true), '')))
        if (from === '') return
        expect(of(`\${v/${from}/X}`)).toBe(v.replace(new RegExp(pattern(from, true)), 'X'))
        // JavaScript also replaces an empty match right behind another one, Go does not.
        if (/[ab?\n]/.test(from))
          expect(of(`\${v//${from}/X}`)).toBe(v.replace(new RegExp(pattern(from, true), 'g'), 'X'))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('mounts', () => {
  const field = fc
    .tuple(
      fc.constantFrom(
        'type',
        'from',
        'source',
        'target',
        'ro',
        'rw',
        'id',
        'sharing',
        'required',
        'mode',
        'uid',
        'size',
        'env',
        'x',
        '',
      ),
      fc.constantFrom(
        '',
        '=',
        '=bind',
        '=cache',
        '=secret',
        '=ssh',
        '=tmpfs',
        '=/a',
        '=0700',
        '=true',
        '=$a',
        '="',
        '=shared',
        '=1e99',
      ),
    )
    .map((parts) => parts.join(''))
  it('fail with BuildErrors only', () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 6 }), (fields) => {
        const file = new SourceFile('Dockerfile', `FROM a\nRUN --mount='${fields.join(',')}' x`)
        const parsed = onlyBuildErrors(() => parseDockerfile(scanDockerfile(file)))
        const node = parsed?.stages[0]?.instructions[0]
        if (node?.kind !== 'RUN') return
        for (const mount of node.mounts) onlyBuildErrors(() => resolveMount(mount, (value) => value, { cwd: '/' }))
      }),
      runs,
    )
  })
})

describe('--chmod and --chown', () => {
  it('fail with BuildErrors only and keep modes in their bounds', () => {
    const modeText = fc.oneof(
      fc.array(fc.constantFrom(...'ugoa+-=rwxXst,0178 '), { maxLength: 12 }).map((parts) => parts.join('')),
      fc.string({ maxLength: 10 }),
    )
    fc.assert(
      fc.property(modeText, fc.nat(0o7777), fc.boolean(), (source, mode, isDir) => {
        const change = onlyBuildErrors(() => parseChmod(source))
        if (!change) return
        const result = change.apply(mode, isDir)
        expect(result).toBeGreaterThanOrEqual(0)
        expect(result).toBeLessThanOrEqual(0o7777)
        expect(change.octal).toBe(/^[0-7]+$/.test(source) ? Number.parseInt(source, 8) : undefined)
        // Clauses say what is to be, so saying it twice changes nothing but what is copied from class to class.
        if (!/[-+=][^,]*[ugo]/.test(source))
          expect(change.apply(result, isDir)).toBe(change.apply(change.apply(result, isDir), isDir))
      }),
      { numRuns: 5000 },
    )
    fc.assert(
      fc.property(fc.string(), (source) => {
        expect(parseOwner(source).user).not.toBe('')
      }),
    )
  })
})

describe('ignore patterns', () => {
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '/', '*', '**', '?', '[', ']', '[a-b]', '[^a]', '\\', '!', '.', '..', ' ', '#'), {
      maxLength: 10,
    })
    .map((parts) => parts.join(''))
  const path = fc
    .array(fc.constantFrom('a', 'b', 'ab', '.a', 'é'), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join('/'))
  /** The only failures are those that carry the line of the pattern: their callers make BuildErrors of them. */
  const compile = <T>(work: () => T): T | undefined => {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof IgnoreSyntaxError)) throw error
      return undefined
    }
  }

  it('never throw anything else, and agree with themselves in any order of asking', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 5 }), fc.array(path, { maxLength: 6 }), (patterns, paths) => {
        const file = compile(() => parseIgnore(patterns.join('\n')))
        compile(() => compileIgnore(patterns))
        if (!file) return
        const once = paths.map((p) => file.matches(p))
        expect(
          paths
            .toReversed()
            .map((p) => file.matches(p))
            .reverse(),
        ).toEqual(once)
      }),
      { numRuns: 3000 },
    )
  })

  it('decide as the rules of the reference, written down with regular expressions', () => {
    const plain = fc
      .array(fc.constantFrom('a', 'b', '/', '*', '**', '?', '/**/', '**/'), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join(''))
      .filter((p) => /[^/]/.test(p))
    const rule = fc.record({ negated: fc.boolean(), pattern: plain })
    const deepPath = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'ba'), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/'))
    const toRegExp = (pattern: string): RegExp => {
      const clean = pattern.replace(/\/+/g, '/').replace(/^\/|\/$/g, '')
      const tail = /^\*\*([^*?]*)$/.exec(clean)?.[1]
      if (tail !== undefined) return new RegExp(`^(?:${tail.replace(/^\//, '')}|.*${tail})$`)
      const source = clean.replace(/\*\*\/?$|\*\*\/?|\*|\?/g, (wild, at: number) => {
        if (wild === '*') return '[^/]*'
        if (wild === '?') return '[^/]'
        return at + wild.length === clean.length ? '.*' : '(?:.*/)?'
      })
      return new RegExp(`^${source}$`)
    }
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), deepPath, (rules, asked) => {
        const matcher = parseIgnore(rules.map((r) => (r.negated ? '!' : '') + r.pattern).join('\n'))
        let hits = rules.map(() => false)
        let excluded = false
        const parts = asked.split('/')
        for (let depth = 1; depth <= parts.length; depth++) {
          const current = parts.slice(0, depth).join('/')
          excluded = false
          hits = rules.map(({ negated, pattern: p }, i) => {
            const hit = hits[i]! || (negated === excluded && toRegExp(p).test(current))
            if (hit) excluded = !negated
            return hit
          })
        }
        expect(matcher.matches(asked)).toBe(excluded)
      }),
      { numRuns: 5000 },
    )
  })

  it.each(['**/'.repeat(500), '*a'.repeat(500), '**/*a'.repeat(300), '[a-z]*'.repeat(300)])(
    'match %# in bounded time',
    (hard) => {
      const matcher = parseIgnore(`${hard}x\n`)
      const start = performance.now()
      for (const long of ['a'.repeat(4000), 'a/'.repeat(2000), 'aa/'.repeat(1000)]) matcher.matches(`${long}b`)
      expect(performance.now() - start).toBeLessThan(10_000)
    },
  )
})
