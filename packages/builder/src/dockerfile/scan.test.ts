import { describe, expect, it } from 'vitest'
import { SourceFile } from '../source.ts'
import { locateText, type RawInstruction } from './ast.ts'
import { scanDockerfile } from './scan.ts'

const scan = (text: string) => scanDockerfile(new SourceFile('Dockerfile', text))
const first = (text: string): RawInstruction => scan(text).instructions[0]!
const words = (instruction: RawInstruction): string[] => instruction.words.map((word) => word.text)
/** The text of the file that a range covers. */
const at = (text: string, { start, end }: RawInstruction['range']): string => text.slice(start.offset, end.offset)

describe('lines', () => {
  it.each([
    ['joins lines', 'RUN a \\\n  b', 'RUN a   b'],
    ['blanks behind the escape', 'RUN a \\ \t\n b', 'RUN a  b'],
    ['an even number of escapes', 'RUN a \\\\\nRUN b', 'RUN a \\\\'],
    ['three escapes as well', 'RUN a \\\\\\\nRUN b', 'RUN a \\\\\\'],
    ['an escape alone on its line', 'RUN a \\\n\\\nb', 'RUN a b'],
    ['comments within', 'RUN a \\\n  # no\n# nor this \\\n  b', 'RUN a   b'],
    ['blank lines within', 'RUN a \\\n\n  \n b', 'RUN a  b'],
    ['a file that ends within', 'RUN a \\', 'RUN a '],
    ['CRLF', 'RUN a \\\r\n  b\r\n', 'RUN a   b'],
    ['indentation', '  \tRUN a  \nRUN b', 'RUN a  '],
    ['a byte order mark', '\ufeffRUN a', 'RUN a'],
    ['no comment within a line', 'RUN a # b', 'RUN a # b'],
    ['an instruction that begins with a continuation', '\\\nRUN a', 'RUN a'],
    ['the backtick', '# escape=`\nRUN a `\n b\\\nRUN c', 'RUN a  b\\'],
  ])('%s', (_name, text, original) => {
    expect(first(text).original).toBe(original)
  })

  it('warns of blank lines in a continuation, at its last line', () => {
    const { warnings } = scan('FROM a\nRUN b \\\n\n c\nRUN d')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]!.range.start).toMatchObject({ line: 4, column: 0 })
  })

  it.each([
    ['', 'file with no instructions'],
    ['# only\n\n  # comments', 'file with no instructions'],
    [`RUN ${'x'.repeat(65536)}`, 'dockerfile line greater than max allowed size of 65535'],
    [`FROM a\nRUN <<E\n${'ü'.repeat(32768)}\nE`, 'dockerfile line greater than max allowed size of 65535'],
  ])('refuses %#', (text, message) => {
    expect(() => scan(text)).toThrow(message)
  })

  it('takes a line of the greatest length', () => {
    expect(first(`RUN ${'x'.repeat(65531)}\n`).rest).toHaveLength(65531)
  })

  it.each([
    ['# a\n#  b \nRUN x', ['a', 'b']],
    ['# a\n\n# b\nRUN x', ['a', 'b']],
    ['# a\n#\n# b\nRUN x', ['b']],
    ['# syntax=x\n# a\nRUN x', ['a']],
    ['RUN y\n# a\nRUN x', []],
  ])('keeps the comments above: %j', (text, comments) => {
    expect(first(text).comments).toEqual(comments)
  })
})

describe('directives', () => {
  it.each([
    ['# syntax=docker/dockerfile:1\nRUN a', ['syntax=docker/dockerfile:1'], '\\'],
    [
      '#  SYNTAX = x y \n#escape=`\n# check=skip=all;error=true\nRUN a',
      ['syntax=x y', 'escape=`', 'check=skip=all;error=true'],
      '`',
    ],
    ['# comment\n# escape=`\nRUN a', [], '\\'],
    ['\n# escape=`\nRUN a', [], '\\'],
    ['RUN a\n# escape=`', [], '\\'],
    ['# unknown=x\n# escape=`\nRUN a', [], '\\'],
    ['#!/usr/bin/env tsbuild\n# syntax=x\n# escape=`\nRUN a', ['syntax=x'], '\\'],
    ['\ufeff# escape=`\r\nRUN a', ['escape=`'], '`'],
  ])('reads %j', (text, directives, escapeChar) => {
    const file = scan(text)
    expect(file.directives.map((d) => `${d.name}=${d.value}`)).toEqual(directives)
    expect(file.escape).toBe(escapeChar)
  })

  it.each([
    ['# escape=`\n# escape=`\nRUN a', 'only one escape parser directive can be used', 2],
    ['# syntax=a\n# Syntax=b\nRUN a', 'only one syntax parser directive can be used', 2],
    ['# escape=x\nRUN a', "invalid escape token 'x' does not match ` or \\", 1],
  ])('refuses %j', (text, message, line) => {
    expect(() => scan(text)).toThrow(
      expect.objectContaining({
        message,
        at: expect.objectContaining({ range: expect.objectContaining({ start: expect.objectContaining({ line }) }) }),
      }),
    )
  })
})

describe('words', () => {
  it.each<[string, string, string[]]>([
    // text as it is
    ['RUN  echo  "a"  b ', 'shell', ['echo  "a"  b']],
    ['WORKDIR /a b', 'shell', ['/a b']],
    ['RUN', 'shell', []],
    // at blanks
    ['FROM a  AS\tb', 'shell', ['a', 'AS', 'b']],
    ['COPY "a b" c', 'shell', ['"a', 'b"', 'c']],
    ['EXPOSE 80\t443', 'shell', ['80', '443']],
    // JSON
    ['RUN ["a", "b c"]', 'exec', ['a', 'b c']],
    ['RUN [ "a\\"b" , "\\u00e9\\n" ] ', 'exec', ['a"b', 'é\n']],
    ['RUN []', 'exec', []],
    ["RUN ['a']", 'shell', ["['a']"]],
    ['RUN ["a"', 'shell', ['["a"']],
    ['RUN ["a"] b', 'shell', ['["a"] b']],
    ['RUN [ -f x ] && y', 'shell', ['[ -f x ] && y']],
    ['COPY ["a b", "c"]', 'exec', ['a b', 'c']],
    ['COPY ["a b", "c"', 'shell', ['["a', 'b",', '"c"']],
    ['ADD --chown=a ["a b", "c"]', 'exec', ['a b', 'c']],
    // quoted
    ['ENV a=b c="d e" f=g\\ h', 'shell', ['a=b', 'c="d e"', 'f=g\\ h']],
    [`ENV a='b "c' d="e 'f"`, 'shell', [`a='b "c'`, `d="e 'f"`]],
    ['ENV a  b c ', 'shell', ['a', 'b c']],
    ['ENV a b=c', 'shell', ['a', 'b=c']],
    ['ENV a=b\\', 'shell', ['a=b']],
    [`ENV a='b\\' c=d`, 'shell', [`a='b\\'`, 'c=d']],
    ['ENV a="b c', 'shell', ['a="b c']],
    ['ARG a b=c "d"', 'shell', ['a', 'b=c', '"d"']],
    ['LABEL "a b"="c"', 'shell', ['"a b"="c"']],
    // others
    ['HEALTHCHECK --interval=5s CMD ["a", "b"]', 'exec', ['CMD', 'a', 'b']],
    ['HEALTHCHECK cmd  a b', 'shell', ['cmd', 'a b']],
    ['HEALTHCHECK NONE', 'shell', ['NONE']],
    ['ONBUILD COPY --from=x a b', 'shell', ['COPY', 'a', 'b']],
    ['ONBUILD ONBUILD RUN x', 'shell', ['ONBUILD']],
    ['NONSENSE a b', 'shell', []],
  ])('of %s', (text, form, expected) => {
    const instruction = first(text)
    expect(instruction.form).toBe(form)
    expect(words(instruction)).toEqual(expected)
  })

  it.each([
    ['RUN [1]', 'when using JSON array syntax, arrays must be comprised of strings only'],
    ['COPY ["a", null]', 'when using JSON array syntax, arrays must be comprised of strings only'],
    ['ENV a', 'ENV must have two arguments'],
    ['LABEL a', 'LABEL must have two arguments'],
    ['ENV a=b c', 'Syntax error - can\'t find = in "c". Must be of the form: name=value'],
    ['ONBUILD ENV a', 'ENV must have two arguments'],
  ])('refuses %s', (text, message) => {
    expect(() => scan(`FROM a\n${text}\n`)).toThrow(expect.objectContaining({ message, at: expect.anything() }))
  })

  it('knows where each word stands', () => {
    const text = 'ENV a=b \\\n  # no\n  c="d e" \\\n f=g'
    expect(first(text).words.map((word) => at(text, word.range))).toEqual(['a=b', 'c="d e"', 'f=g'])
  })

  it('knows where JSON strings stand', () => {
    const text = 'FROM a\nCMD [ "x\\"y" ,\\\n  "z" ]'
    const cmd = scan(text).instructions[1]!
    expect(cmd.words.map((word) => at(text, word.range))).toEqual(['"x\\"y"', '"z"'])
  })

  it('knows where words of triggers and health checks stand', () => {
    const text = 'ONBUILD  copy  --link a   b\nHEALTHCHECK --retries=1 CMD  [ "x" ]'
    expect(scan(text).instructions.flatMap((i) => i.words.map((w) => at(text, w.range)))).toEqual([
      'copy',
      'a',
      'b',
      'CMD',
      '"x"',
    ])
  })
})

describe('flags', () => {
  it.each<[string, [string, string | undefined][], string]>([
    [
      'COPY --from=a --link b c',
      [
        ['from', 'a'],
        ['link', undefined],
      ],
      'b c',
    ],
    ['COPY --chown="a b" c d', [['chown', 'a b']], 'c d'],
    [`COPY --chown='a b'x c d`, [['chown', 'a bx']], 'c d'],
    ['COPY --chown=a\\ b c d', [['chown', 'a b']], 'c d'],
    ['COPY -- --a b', [], '--a b'],
    ['COPY --from=x -- --a b', [['from', 'x']], '--a b'],
    ['COPY a --from=b c', [], 'a --from=b c'],
    ['COPY --from= a b', [['from', '']], 'a b'],
    ['COPY --from=a=b c d', [['from', 'a=b']], 'c d'],
    ['COPY --from="a', [['from', 'a']], ''],
    ['COPY - b', [], '- b'],
    ['RUN --mount=type=bind,target="/a b" x', [['mount', 'type=bind,target=/a b']], 'x'],
  ])('of %s', (text, flags, rest) => {
    const instruction = first(text)
    expect(instruction.flags.map((flag) => [flag.name, flag.value])).toEqual(flags)
    expect(instruction.rest).toBe(rest)
  })

  it('knows where each flag stands', () => {
    const text = 'COPY \\\n --from=a \\\n --chown="b c" d e'
    expect(first(text).flags.map((flag) => [flag.raw, at(text, flag.range)])).toEqual([
      ['--from=a', '--from=a'],
      ['--chown="b c"', '--chown="b c"'],
    ])
  })
})

describe('heredocs', () => {
  it.each<[string, string, Partial<RawInstruction['heredocs'][number]>[]]>([
    ['one', 'RUN <<EOF\na\n  b\nEOF\n', [{ name: 'EOF', content: 'a\n  b\n', expand: true, chomp: false, fd: 0 }]],
    ['quoted', "RUN <<'EOF'\n$a\nEOF", [{ name: 'EOF', content: '$a\n', expand: false }]],
    ['double quoted in part', 'RUN <<E"O"F\n$a\nEOF', [{ name: 'EOF', expand: false }]],
    ['tabs', 'RUN <<-EOF\n\ta\n\t\tb\n  c\n\tEOF', [{ chomp: true, content: 'a\nb\n  c\n', raw: '\ta\n\t\tb\n  c\n' }]],
    ['descriptor', 'RUN 3<<EOF\na\nEOF', [{ fd: 3, name: 'EOF' }]],
    [
      'several',
      'COPY <<a <<b /x/\n1\na\n2\nb',
      [
        { name: 'a', content: '1\n' },
        { name: 'b', content: '2\n' },
      ],
    ],
    ['empty', 'RUN <<EOF\nEOF', [{ content: '' }]],
    ['in a command', 'RUN cat <<EOF > /x && y\na\nEOF', [{ name: 'EOF' }]],
    ['CRLF', 'RUN <<EOF\r\na\r\nEOF\r\n', [{ content: 'a\r\n' }]],
    ['of a trigger', 'ONBUILD RUN <<EOF\na\nEOF', [{ content: 'a\n' }]],
    ['escapes and comments within', 'RUN <<EOF\n# a\\\nb\nEOF', [{ content: '# a\\\nb\n' }]],
    ['ADD', 'ADD <<f /x\na\nf', [{ name: 'f' }]],
    ['blanks before the name', 'RUN << \t EOF\na\nEOF', [{ name: 'EOF', content: 'a\n', chomp: false }]],
    ['blanks in a command', 'RUN cat << EOF > /x\na\nEOF', [{ name: 'EOF' }]],
    ['blanks before a quoted name', "RUN cat << 'E F'\na\nE F", [{ name: 'E F', expand: false }]],
    ['a descriptor and blanks', 'RUN x 4<< EOF\na\nEOF', [{ name: 'EOF', fd: 4 }]],
    ['blanks before the dash: part of the name', 'RUN << -EOF\na\n-EOF', [{ name: '-EOF', chomp: false }]],
    ['blanks behind the dash', 'RUN <<- EOF', []],
    ['blanks and nothing else', 'RUN cat << ', []],
    ['blanks in COPY', 'COPY << f /x\na\nf', [{ name: 'f' }]],
    ['a comparison', 'RUN a < b && c<d', []],
    ['three brackets', 'RUN cat <<<EOF', []],
    ['quoted heads', 'RUN echo "<<EOF" \'<<EOF\'', []],
    ['JSON form', 'RUN ["<<EOF"]', []],
    ['other instructions', 'ENV a=<<EOF', []],
    ['open quotes', "RUN echo it's <<EOF", []],
    ['a shift', 'RUN echo $((1<<2))\n', []],
  ])('%s', (_name, text, heredocs) => {
    expect(first(text).heredocs).toMatchObject(heredocs)
    expect(first(text).heredocs).toHaveLength(heredocs.length)
  })

  it('belong to the range of their instruction', () => {
    const text = 'FROM a\nRUN <<EOF\nx\nEOF\nRUN y'
    const { instructions } = scan(text)
    expect(instructions).toHaveLength(3)
    expect(at(text, instructions[1]!.range)).toBe('RUN <<EOF\nx\nEOF')
    expect(at(text, instructions[1]!.heredocs[0]!.range)).toBe('x\nEOF')
  })

  it('must end', () => {
    expect(() => scan('RUN <<EOF\na\n EOF')).toThrow('unterminated heredoc')
    expect(() => scan('RUN echo $((1 << 2))\nRUN true\n')).toThrow('unterminated heredoc')
  })
})

describe('locateText', () => {
  const text = 'COPY --chown=$a:$b \\\n  $c $d $c'
  it.each([
    ['$a:$b', '--chown=$a:$b'],
    ['$d', '$d'],
    ['$c', text],
    ['elsewhere', text],
    ['', text],
  ])('finds %j', (part, expected) => {
    const file = scan(text)
    expect(at(text, locateText(file, file.instructions[0]!, part).range)).toBe(expected)
  })
})
