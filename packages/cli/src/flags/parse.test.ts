import { describe, expect, it } from 'vitest'
import { UsageError } from '../usage-error.ts'
import { parseArguments } from './parse.ts'

const FLAGS = [
  { name: 'tag', alias: 't', type: 'list', help: '' },
  { name: 'file', alias: 'f', type: 'string', help: '' },
  { name: 'quiet', alias: 'q', type: 'boolean', help: '' },
  { name: 'debug', alias: 'D', type: 'boolean', help: '' },
  { name: 'platform', type: 'slice', help: '' },
  { name: 'mode', type: 'string', choices: ['fast', 'slow'], help: '' },
  { name: 'old', type: 'string', hidden: true, help: '' },
] as const

const parse = (...args: string[]) => parseArguments(args, FLAGS)

describe('parseArguments', () => {
  it.each<[string[], object, string[]]>([
    [[], {}, []],
    [['--tag', 'x', '.'], { tag: ['x'] }, ['.']],
    [['--tag=x', '.'], { tag: ['x'] }, ['.']],
    [['-t', 'x', '-t', 'y', '.'], { tag: ['x', 'y'] }, ['.']],
    [['-tx', '.'], { tag: ['x'] }, ['.']],
    [['-t=x', '.'], { tag: ['x'] }, ['.']],
    [['.', '-t', 'x'], { tag: ['x'] }, ['.']],
    [['-qD'], { quiet: true, debug: true }, []],
    [['-qtx'], { quiet: true, tag: ['x'] }, []],
    [['-qt', 'x'], { quiet: true, tag: ['x'] }, []],
    [['-q=false'], { quiet: false }, []],
    [['--quiet=0', '--debug=T'], { quiet: false, debug: true }, []],
    [['--file', 'a', '--file', 'b'], { file: 'b' }, []],
    [['--file='], { file: '' }, []],
    [['--file', '-'], { file: '-' }, []],
    [['--file', '--tag'], { file: '--tag' }, []],
    [['-'], {}, ['-']],
    [['--', '--tag', '-q'], {}, ['--tag', '-q']],
    [['--platform', 'a,b', '--platform=c'], { platform: ['a', 'b', 'c'] }, []],
    [['--tag', 'a=b=c'], { tag: ['a=b=c'] }, []],
    [['--mode', 'fast'], { mode: 'fast' }, []],
  ])('%j', (args, values, words) => {
    expect(parse(...args)).toEqual({ values, words })
  })

  it.each<[string[], string, string | undefined]>([
    [['--tagg', 'x'], 'unknown flag: --tagg', 'did you mean --tag?'],
    [['--plattform=x'], 'unknown flag: --plattform', 'did you mean --platform?'],
    [['--nothing-like-it'], 'unknown flag: --nothing-like-it', undefined],
    [['--ol', 'x'], 'unknown flag: --ol', undefined],
    [['-x'], "unknown shorthand flag: 'x' in -x", undefined],
    [['-quiet'], "unknown shorthand flag: 'u' in -quiet", 'did you mean --quiet (with two dashes)?'],
    [['--tag'], 'flag needs an argument: --tag', undefined],
    [['-qt'], "flag needs an argument: 't' in -qt", undefined],
    [['--quiet=maybe'], 'invalid argument "maybe" for --quiet: it must be true or false', undefined],
    [['--mode', 'fats'], 'invalid argument "fats" for --mode: it must be one of fast, slow', 'did you mean fast?'],
  ])('refuses %j', (args, message, hint) => {
    const error = catchError(() => parse(...args))
    expect(error).toBeInstanceOf(UsageError)
    expect(error.message).toBe(message)
    expect((error as UsageError).hint).toBe(hint)
  })

  it('leaves everything after the first word alone when the command wants that', () => {
    const { values, words } = parseArguments(['-q', 'image', 'ls', '-t', '--', 'x'], FLAGS, { stopAtWord: true })
    expect(values).toEqual({ quiet: true })
    expect(words).toEqual(['image', 'ls', '-t', '--', 'x'])
  })

  it('takes names of Object.prototype for what they are', () => {
    expect(() => parse('--constructor')).toThrow('unknown flag: --constructor')
    expect(() => parse('--__proto__', 'x')).toThrow('unknown flag: --__proto__')
  })
})

function catchError(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
