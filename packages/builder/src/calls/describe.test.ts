// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { describe, expect, it } from 'vitest'
import { createLinter, lintStages } from '../lint/index.ts'
import { parseText, resolveIn, type TestWorld, testWorld } from '../stages/testing.ts'
import { outlineTarget } from './outline.ts'
import { listTargets } from './targets.ts'

const lines = (...list: readonly string[]): string => `${list.join('\n')}\n`

async function outline(text: string, overrides: Partial<TestWorld> = {}) {
  const world = testWorld({ allStages: false, ...overrides })
  const stages = await resolveIn(world, parseText(text))
  const { linter } = createLinter(stages.parsed.dockerfile, world.buildArgs)
  return outlineTarget(stages, await lintStages(stages, linter, world.ignored))
}

const line = (n: number) => ({ ranges: [{ start: { line: n }, end: { line: n } }] })

describe('outlineTarget', () => {
  const text = lines(
    'ARG inherited=box',
    'ARG inherited2=box2',
    'ARG unused=abc${inherited2}',
    '# sfx is a suffix',
    'ARG sfx="usy${inherited}"',
    '',
    'FROM b${sfx} AS first',
    '# this is not assigned to anything',
    'ARG FOO=123',
    '# BAR is a number',
    'ARG BAR=456',
    'RUN true',
    '',
    'FROM alpine${unused} AS second',
    'ARG BAZ',
    '',
    'FROM scratch AS third',
    'ARG ABC=a',
    '',
    '# target defines build target',
    'FROM third AS target',
    'COPY --from=first /etc/passwd /',
    'RUN --mount=type=ssh --mount=type=secret,id=npm,required true',
    '',
    'FROM second',
  )

  it('lists what the target and the stages it needs take', async () => {
    const { json, text: printed } = await outline(text, { target: 'target', buildArgs: new Map([['BAR', '678']]) })
    expect(json).toEqual({
      name: 'target',
      description: 'defines build target',
      args: [
        { name: 'inherited', value: 'box', location: line(1) },
        { name: 'sfx', description: 'is a suffix', value: 'usybox', location: line(5) },
        { name: 'FOO', value: '123', location: line(9) },
        { name: 'BAR', description: 'is a number', value: '678', location: line(11) },
        { name: 'ABC', value: 'a', location: line(18) },
      ],
      secrets: [{ name: 'npm', required: true, location: line(23) }],
      ssh: [{ name: 'default', location: line(23) }],
      sources: [Buffer.from(text).toString('base64')],
    })
    expect(printed).toBe(
      lines(
        'TARGET:      target',
        'DESCRIPTION: defines build target',
        '',
        'BUILD ARG   VALUE    DESCRIPTION',
        'inherited   box',
        'sfx         usybox   is a suffix',
        'FOO         123',
        'BAR         678      is a number',
        'ABC         a',
        '',
        'SECRET   REQUIRED',
        'npm      true',
        '',
        'SSH       REQUIRED',
        'default',
        '',
      ),
    )
  })

  it('the last stage is the default; a global ARG without use is not listed', async () => {
    const { json } = await outline(text)
    expect(json.name).toBeUndefined()
    expect(json.args?.map((arg) => arg.name)).toEqual(['inherited2', 'unused', 'BAZ'])
  })

  it('an ARG that is declared again shows where its value comes from', async () => {
    const { json } = await outline(lines('ARG V=1', 'FROM scratch', 'ARG V'))
    expect(json.args).toEqual([{ name: 'V', value: '1', location: line(1) }])
  })

  it.each([
    ['id=a', 'a'],
    ['src=b', 'b'],
    ['target=/run/x/c', 'c'],
    ['id=f,required=false', 'f'],
  ])('a secret by %s', async (fields, name) => {
    const { json } = await outline(`FROM alpine\nRUN --mount=type=secret,${fields} true\n`)
    expect(json.secrets).toEqual([{ name, location: line(2) }])
  })

  it('throws what stopped the checks', async () => {
    await expect(outline('FROM scratch\nCOPY ${ /\n')).rejects.toMatchObject({ code: 'DOCKERFILE_BAD_SUBSTITUTION' })
  })
})

describe('listTargets', () => {
  it('lists also what cannot be built: a variable in COPY --from', () => {
    const { json } = listTargets(parseText('FROM scratch AS a\nFROM scratch\nCOPY --from=${V} \\\n / /\n'))
    expect(json.targets.map(({ name }) => name)).toEqual(['a', undefined])
  })

  it('lists the stages', () => {
    const text = lines(
      '# build defines stage for compiling the binary',
      'FROM --platform=$BUILDPLATFORM alpine AS Build',
      '# of no stage',
      'FROM busybox',
      '# check=skip=all',
      '# last is the one',
      'FROM build AS last',
    )
    const { json, text: printed } = listTargets(parseText(text))
    expect(json.targets).toEqual([
      {
        name: 'build',
        description: 'defines stage for compiling the binary',
        base: 'alpine',
        platform: '$BUILDPLATFORM',
        location: line(2),
      },
      { base: 'busybox', location: line(4) },
      { name: 'last', default: true, description: 'is the one', base: 'build', location: line(7) },
    ])
    expect(printed).toBe(
      lines(
        'TARGET         DESCRIPTION',
        'build          defines stage for compiling the binary',
        '',
        'last (default) is the one',
      ),
    )
  })
})
