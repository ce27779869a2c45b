// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { describe, expect, it } from 'vitest'
import { BuildError, defineError } from '../errors.ts'
import { plainImage } from '../stages/testing.ts'
import { parseIgnore } from '../util/ignore.ts'
import { rules } from './table.ts'
import { lintText } from './testing.ts'

const lines = (...list: readonly string[]): string => `${list.join('\n')}\n`

describe('options', () => {
  const text = (options: string): string => lines(`#check=${options}`, 'FROM scratch as base', 'copy Dockerfile .')

  it.each([
    ['skip=all', []],
    ['skip=ConsistentInstructionCasing', ['FromAsCasing:2']],
    ['skip=ConsistentInstructionCasing,FromAsCasing', []],
    ['skip=ConsistentInstructionCasing // remarks follow a blank', ['FromAsCasing:2']],
    ['error=true', ['FromAsCasing:2', 'ConsistentInstructionCasing:3']],
  ])('%s', async (options, expected) => {
    const { found } = await lintText(text(options))
    expect(found.map((line) => line.split(': ')[0])).toEqual(expected)
  })

  it('the build argument replaces those of the file', async () => {
    const buildArgs = new Map([['BUILDKIT_DOCKERFILE_CHECK', 'skip=FromAsCasing']])
    const { found } = await lintText(text('skip=all'), { buildArgs })
    expect(found).toHaveLength(1)
  })

  it('suggests the name of a misspelt rule', async () => {
    const { remarks } = await lintText(text('skip=FromAsCasin,fromascasing;experimental=Nothing'))
    expect(remarks).toEqual([
      'unknown rule "FromAsCasin" in check options (did you mean FromAsCasing?)',
      'unknown rule "fromascasing" in check options (did you mean FromAsCasing?)',
      'unknown rule "Nothing" in check options',
    ])
  })

  it('comments hold for their instruction', async () => {
    const { found } = await lintText(
      lines(
        'FROM scratch',
        '# check=skip=LegacyKeyValueFormat // the old way',
        'ENV a b',
        'ENV c d',
        '# check=skip=all',
        'ENV token x',
        '# check=this is prose',
        'LABEL e f',
      ),
    )
    expect(found.map((line) => line.split(': ')[0])).toEqual(['LegacyKeyValueFormat:4', 'LegacyKeyValueFormat:8'])
  })
})

it.each([0, 1])('a comment at either of two instructions silences their finding (%i)', async (which) => {
  const skip = '# check=skip=MultipleInstructionsDisallowed'
  const text = lines(
    'FROM scratch',
    ...(which === 0 ? [skip] : []),
    'CMD ["a"]',
    ...(which === 1 ? [skip] : []),
    'CMD ["b"]',
  )
  expect((await lintText(text)).found).toEqual([])
})

describe('stages', () => {
  it('a target limits the checks to what it needs', async () => {
    const text = lines(
      'FROM scratch AS a',
      'ENV k v',
      'FROM scratch AS b',
      'ENV k v',
      'FROM scratch AS c',
      'COPY --from=a /x /',
      'FROM scratch AS d',
      'RUN --mount=from=b,target=/b true',
    )
    const of = async (target: string): Promise<readonly string[]> =>
      (await lintText(text, { target })).found.map((line) => line.split(': ')[0]!)
    expect(await of('c')).toEqual(['LegacyKeyValueFormat:2'])
    expect(await of('d')).toEqual(['LegacyKeyValueFormat:4'])
    expect((await lintText(text)).found).toHaveLength(2)
  })

  it('triggers of the base run first and are shown at FROM', async () => {
    const image = { ...plainImage, config: { Env: [], OnBuild: ['ENV k v', 'CMD ["x"]'] } }
    const { found } = await lintText(lines('FROM base', 'CMD ["y"]'), { resolveImage: async () => image })
    expect(found).toEqual([
      'LegacyKeyValueFormat:1: "ENV key=value" should be used instead of legacy "ENV key value" format',
      'MultipleInstructionsDisallowed:1: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
    ])
  })

  it('triggers of a stage in the file', async () => {
    const { found } = await lintText(lines('FROM scratch AS a', 'ONBUILD ENV k v', 'FROM a'))
    expect(found).toEqual([
      'LegacyKeyValueFormat:3: "ENV key=value" should be used instead of legacy "ENV key value" format',
    ])
  })

  it('asks for the ignore file only when files of the context are copied', async () => {
    let asked = 0
    const ignored = async () => {
      asked++
      return undefined
    }
    await lintText(lines('FROM scratch AS a', 'FROM scratch', 'COPY --from=a / /'), { ignored })
    expect(asked).toBe(0)
    await lintText(lines('FROM scratch', 'COPY a /', 'ADD b /'), { ignored })
    expect(asked).toBe(1)
  })

  it('a named context replaces a stage', async () => {
    const namedContext = (name: string) => (name === 'a' ? ({ kind: 'tree', context: 'a' } as const) : undefined)
    const { found } = await lintText(lines('FROM scratch AS a', 'ENV k v', 'FROM scratch', 'COPY --from=a / /'), {
      namedContext,
    })
    expect(found).toEqual([])
  })
})

describe('errors', () => {
  it('an image that cannot be resolved ends the checks', async () => {
    const missing = defineError({ code: 'TEST', doc: '', message: () => 'not found' })
    const { found, failure } = await lintText(lines('FROM none AS A', 'ENV k v'), {
      resolveImage: async () => {
        throw missing([])
      },
    })
    expect(found).toEqual(["StageNameCasing:1: Stage name 'A' should be lowercase"])
    expect(failure).toMatchObject({ message: 'not found', at: { range: { start: { line: 1 } } } })
  })

  it.each([
    ['a circle', ['FROM scratch AS a', 'COPY --from=b / /', 'ENV k v', 'FROM scratch AS b', 'COPY --from=a / /']],
    ['a stage that is not there', ['FROM scratch', 'COPY --from=7 / /', 'ENV k v']],
    ['an image that a stage beside the target names', ['FROM none', 'FROM scratch', 'ENV k v']],
  ])('%s ends them before the instructions, as for the reference', async (_, text) => {
    const resolveImage = () => Promise.reject(new BuildError('TEST', 'not found'))
    const { found, failure } = await lintText(lines('FROM scratch AS First', ...text), { resolveImage })
    expect(failure).toBeDefined()
    expect(found).toEqual(["StageNameCasing:1: Stage name 'First' should be lowercase"])
  })

  it('tells of a FROM line what it shows before it cannot be read', async () => {
    const { found, failure } = await lintText('FROM $NOPE${x/y}')
    expect(found.at(-1)).toBe("UndefinedArgInFrom:1: FROM argument 'NOPE' is not declared")
    expect(failure?.code).toBe('DOCKERFILE_BAD_SUBSTITUTION')
  })

  it('an expansion that fails has a place', async () => {
    const { error } = await lintText(lines('FROM scratch', 'COPY ${x:?unset} /'))
    expect(error).toMatchObject({
      message: expect.stringContaining('unset'),
      at: { range: { start: { line: 2 } } },
    })
  })

  it.each(['FROM $none', 'FROM scratch AS a\nFROM scratch\nCOPY --from=7 /a /', 'FROM scratch\nEXPOSE 80/none'])(
    'leaves %j to planning',
    async (text) => {
      expect((await lintText(text)).error).toBeUndefined()
    },
  )

  it('rejects when it is cancelled', async () => {
    await expect(lintText('FROM scratch', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describe('the table of rules', () => {
  it('has the rules of the reference', () => {
    expect(rules).toHaveLength(22)
    expect(new Set(rules.map((rule) => rule.name)).size).toBe(22)
    expect(rules.filter((rule) => rule.experimental).map((rule) => rule.name)).toEqual(['InvalidDefinitionDescription'])
  })

  it.each(rules)('$name: its example is found, its better form is not', async ({ name, doc }) => {
    const text = (example: string): string => (/^(?:ARG|FROM|#)/.test(example) ? example : `FROM scratch\n${example}`)
    const world = {
      ...(name === 'CopyIgnoredFile' && { ignored: async () => parseIgnore('*/tmp/*') }),
      ...(name === 'InvalidBaseImagePlatform' && {
        resolveImage: async () => ({ ...plainImage, architecture: 'arm64' }),
      }),
      buildArgs: new Map([
        ['BUILDKIT_DOCKERFILE_CHECK', 'experimental=all'],
        ['TAG', '1'],
      ]),
    }
    const of = async (example: string): Promise<readonly string[]> =>
      (await lintText(text(example), world)).found.map((line) => line.split(':')[0]!)
    expect(await of(doc.bad)).toContain(name)
    expect(await of(doc.good)).not.toContain(name)
  })
})

it('counts what ENV keeps before ARGs of the stage below', async () => {
  const text = lines(
    ...['FROM scratch AS a', 'ARG V=x', 'ENV B=env', 'ARG B=arg', 'FROM a AS b', 'FROM b'],
    ...['RUN --mount=type=secret,id=$V --mount=type=secret,id=$B x', 'LABEL x=$V y=$NOPE'],
  )
  const { found, target } = await lintText(text)
  expect(found).toEqual(["UndefinedVar:8: Usage of undefined variable '$NOPE'"])
  expect([...target!.secrets.keys()]).toEqual(['x', 'env'])
})

it('reports undefined variables before what cannot be read', async () => {
  const { found, error } = await lintText('FROM scratch\nLABEL a=$NOPE${x/y}\n')
  expect(found).toEqual(["UndefinedVar:2: Usage of undefined variable '$NOPE'"])
  expect(error?.code).toBe('DOCKERFILE_BAD_SUBSTITUTION')
})
