// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a Dockerfile are written like this
import { describe, expect, it } from 'vitest'
import { expand, expandForDisplay, expandHeredoc, expandWord } from './expand.ts'

const variables = new Map([
  ['name', 'value'],
  ['empty', ''],
  ['path', '/usr/local/lib/file.tar.gz'],
  ['spaced', 'a  b'],
  ['lines', 'one\ntwo\nthree'],
  ['v1.2', 'never'],
  ['1', 'first'],
  ['ünï', 'unicode'],
])
const word = (text: string): string => expandWord(text, variables, '\\').value

describe('expandWord', () => {
  it.each([
    // plain, quotes, escapes
    ['plain', 'plain'],
    ['a b', 'a b'],
    [`'single $name'`, 'single $name'],
    ['"double $name"', 'double value'],
    [`a'b'"c"d`, 'abcd'],
    ['\\$name', '$name'],
    ['a\\ b', 'a b'],
    ['end\\', 'end'],
    ['"a\\b"', 'a\\b'],
    ['"a\\"b"', 'a"b'],
    ['"a\\\\b"', 'a\\b'],
    ['"\\$name"', '$name'],
    [`'a\\nb'`, 'a\\nb'],
    // names
    ['$name', 'value'],
    ['${name}', 'value'],
    ['$name.txt', 'value.txt'],
    ['${name}s', 'values'],
    ['$names', ''],
    ['$unset', ''],
    ['$', '$'],
    ['$.', '$.'],
    ['a$', 'a$'],
    ['$1a', 'firsta'],
    ['$ünï', 'unicode'],
    ['$$', ''],
    ['$@x', 'x'],
    // defaults
    ['${unset-d}', 'd'],
    ['${unset:-d}', 'd'],
    ['${empty-d}', ''],
    ['${empty:-d}', 'd'],
    ['${name:-d}', 'value'],
    ['${unset+d}', ''],
    ['${empty+d}', 'd'],
    ['${empty:+d}', ''],
    ['${name:+d}', 'd'],
    ['${name?e}', 'value'],
    ['${empty?e}', ''],
    ['${unset:-${name}}', 'value'],
    ['${unset:-${other:-${name}x}y}', 'valuexy'],
    ['${unset:-"a}b"}', 'a}b'],
    ['${unset:-a\\}b}', 'a}b'],
    ['${unset:-}', ''],
    ['"${unset:-"quoted $name"}"', 'quoted value'],
    // prefixes and suffixes
    ['${path#*/}', 'usr/local/lib/file.tar.gz'],
    ['${path##*/}', 'file.tar.gz'],
    ['${path%.*}', '/usr/local/lib/file.tar'],
    ['${path%%.*}', '/usr/local/lib/file'],
    ['${name#v?l}', 'ue'],
    ['${name#x}', 'value'],
    ['${name#}', 'value'],
    ['${name##*}', ''],
    ['${name#*}', 'value'],
    ['${name%u?}', 'val'],
    ['${name%$empty}', 'value'],
    ['${unset#x}', ''],
    ['${lines#*t}', 'one\ntwo\nthree'],
    ['${lines##*e}', '\ntwo\nthree'],
    // replacement
    ['${name/a/o}', 'volue'],
    ['${path/l/L}', '/usr/Local/lib/file.tar.gz'],
    ['${path//l/L}', '/usr/LocaL/Lib/fiLe.tar.gz'],
    ['${path//\\//-}', '-usr-local-lib-file.tar.gz'],
    ['${path/*\\//}', 'file.tar.gz'],
    ['${path/.*/}', '/usr/local/lib/file'],
    ['${name//?/x}', 'xxxxx'],
    ['${name//*/x}', 'x'],
    ['${name///-}', '-v-a-l-u-e-'],
    ['${name/z/o}', 'value'],
    ['${lines//t*/T}', 'one\nT\nT'],
    ['${unset/a/b}', ''],
    ['${name/\\*/o}', 'value'],
  ])('%s becomes %s', (text, expected) => {
    expect(word(text)).toBe(expected)
  })

  it.each([
    ["'open", 'unexpected end of statement while looking for matching single-quote'],
    ['"open', 'unexpected end of statement while looking for matching double-quote'],
    ['${', "syntax error: missing '}'"],
    ['${name', "syntax error: missing '}'"],
    ['${name:-x', "syntax error: missing '}'"],
    ['${}', 'syntax error: bad substitution'],
    ['${{name}}', 'syntax error: bad substitution'],
    ['${:x}', 'syntax error: bad substitution'],
    ['${name:=x}', 'unsupported modifier (:=) in substitution'],
    ['${name^}', 'unsupported modifier (^) in substitution'],
    ['${name!x}', 'unsupported modifier (!) in substitution'],
    ['${unset?}', 'unset: is not allowed to be unset'],
    ['${unset:?give it}', 'unset: give it'],
    ['${empty:?}', 'empty: is not allowed to be empty'],
    ['${empty:?"custom error"}', 'empty: custom error'],
    ['${name/x}', "syntax error: missing '/' in ${}"],
    ['${name/x/y', "syntax error: missing '}'"],
    ['${name#\\a}', "invalid pattern (\\a) in substitution: invalid escape '\\a'"],
  ])('%s is refused', (text, reason) => {
    expect(() => word(text)).toThrow(`failed to process ${JSON.stringify(text)}: ${reason}`)
  })

  it('takes the backtick as escape character', () => {
    expect(expandWord('`$name \\$name C:\\x', variables, '`').value).toBe('$name \\value C:\\x')
  })

  it('tells which names had a value', () => {
    const { used, unset } = expandWord('$name ${empty:-$nothing} ${other}', variables, '\\')
    expect([...used]).toEqual(['name', 'empty'])
    expect([...unset]).toEqual(['nothing', 'other'])
  })

  it.each([
    ['$spaced', ['a', 'b']],
    ['"$spaced"', ['a  b']],
    ['x$spaced', ['xa', 'b']],
    ["a 'b c' d\\ e", ['a', 'b c', 'd e']],
    ['""', []],
    ['"" a', ['a']],
    ['  a  ', ['a']],
    ['$unset $name', ['value']],
  ])('splits %s into words', (text, words) => {
    expect(expandWord(text, variables, '\\').words).toEqual(words)
  })
})

describe('other modes', () => {
  it('keeps quotes in heredocs', () => {
    expect(expandHeredoc(`'$name' "\\$name" it's`, variables).value).toBe(`'value' "$name" it's`)
  })

  it('keeps quotes and unset variables for people', () => {
    const text = `echo "$name" '$name' $unset \${unset} \${unset:-\${name}} \${unset#x} \${unset/a/b}`
    expect(expandForDisplay(text, variables, '\\').value).toBe(
      `echo "value" '$name' $unset \${unset} \${unset:-value} \${unset#x} \${unset/a/b}`,
    )
  })

  it('keeps escapes if asked to', () => {
    const options = { escape: '\\', rawEscapes: true } as const
    expect(expand('a\\ b \\$name "x\\"y"', variables, options).value).toBe('a\\ b \\$name x\\"y')
  })
})

describe('bounds', () => {
  const large = new Map([['x', 'x'.repeat(100_000)]])

  it('refuses to grow by more than 1 MiB', () => {
    expect(() => expandWord('$x'.repeat(11), large, '\\')).toThrow('the expanded text is too large')
    expect(() => expandWord('${x//x/yyyyyyyyyyyyyyy}', large, '\\')).toThrow('too large')
    expect(expandWord('$x'.repeat(10), large, '\\').value).toHaveLength(1_000_000)
  })

  it('does not count the text itself', () => {
    expect(expandHeredoc(`${'a\n'.repeat(1_000_000)}$name`, variables).value).toHaveLength(2_000_005)
  })

  it('refuses to nest without end', () => {
    expect(() => word('${a:-'.repeat(100_000))).toThrow('nested too deeply')
  })

  it.each([
    `\${x##${'*x'.repeat(20_000)}y}`,
    `\${x%%${'?*'.repeat(20_000)}y}`,
    `\${x//${'x'.repeat(30_000)}y/z}`,
    '${x##*}'.repeat(10_000),
  ])('bounds the work of patterns (%#)', (text) => {
    const start = performance.now()
    try {
      expandWord(text, large, '\\')
    } catch (error) {
      expect(error).toHaveProperty('code', expect.stringMatching(/^DOCKERFILE_/))
    }
    expect(performance.now() - start).toBeLessThan(3000)
  })
})
