// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a Dockerfile are written like this
import { expect, it } from 'vitest'
import { dockerfileErrors } from '../dockerfile/errors.ts'
import { expandWord } from '../dockerfile/expand.ts'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { BuildError } from '../errors.ts'
import { excerpt, SourceFile } from '../source.ts'
import { refuseFromVariable } from './copy.ts'
import { instructionErrors } from './errors.ts'
import { resolveMount } from './mount.ts'
import { parseDockerfile, parseTrigger } from './parse.ts'

/** One Dockerfile per error code, and the line that its message points at. */
const examples: Readonly<Record<string, readonly [text: string, line: number]>> = {
  DOCKERFILE_EMPTY: ['# nothing', 1],
  DOCKERFILE_LINE_TOO_LONG: [`FROM a\nRUN ${'x'.repeat(70_000)}`, 2],
  DOCKERFILE_DUPLICATE_DIRECTIVE: ['# syntax=a\n# syntax=b\nFROM a', 2],
  DOCKERFILE_INVALID_ESCAPE: ['# escape=/\nFROM a', 1],
  DOCKERFILE_UNTERMINATED_HEREDOC: ['FROM a\nRUN <<EOF\nx', 2],
  DOCKERFILE_JSON_NOT_STRINGS: ['FROM a\nCMD [1]', 2],
  DOCKERFILE_NAME_WITHOUT_VALUE: ['FROM a\nENV x', 2],
  DOCKERFILE_MISSING_EQUALS: ['FROM a\nENV x=y z', 2],
  DOCKERFILE_BAD_SUBSTITUTION: ['FROM a\nRUN --mount=target=${x x', 2],
  DOCKERFILE_EXPANSION_TOO_LARGE: [`FROM a\nRUN --mount=target=${'$large'.repeat(20)} x`, 2],
  INSTRUCTION_UNKNOWN: ['FROM a\n\nRUNN x', 3],
  INSTRUCTION_BEFORE_FROM: ['ARG a\nRUN x', 2],
  INSTRUCTION_ARGUMENT_MISSING: ['FROM a\nEXPOSE', 2],
  INSTRUCTION_ONE_ARGUMENT: ['FROM a\nUSER', 2],
  INSTRUCTION_NO_DESTINATION: ['FROM a\nCOPY x', 2],
  INSTRUCTION_BLANK_NAME: ['FROM a\nARG =x', 2],
  INSTRUCTION_HEREDOC_DESTINATION: ['FROM a\nCOPY x <<EOF\nEOF', 2],
  FLAG_UNKNOWN: ['FROM a\nCOPY \\\n  --form=b c d', 3],
  FLAG_DUPLICATE: ['FROM a\nCOPY --link \\\n  --link c d', 3],
  FLAG_WITHOUT_VALUE: ['FROM a\nCOPY --from c d', 2],
  FLAG_NOT_BOOLEAN: ['FROM a\nCOPY --link=x c d', 2],
  FROM_ARGUMENTS: ['FROM a b', 1],
  FROM_STAGE_NAME: ['FROM a AS \\\n  1', 2],
  COPY_FROM_VARIABLE: ['FROM a\nCOPY --from=$x c d', 2],
  ONBUILD_CHAINED: ['FROM a\nONBUILD ONBUILD RUN x', 2],
  ONBUILD_TRIGGER: ['FROM a\nONBUILD FROM x', 2],
  ONBUILD_NOT_SINGLE: ['trigger:RUN a\nRUN b', 0],
  VOLUME_EMPTY: ['FROM a\nVOLUME [""]', 2],
  SHELL_NOT_JSON: ['FROM a\nSHELL sh -c', 2],
  HEALTHCHECK_NONE: ['FROM a\nHEALTHCHECK NONE x', 2],
  HEALTHCHECK_NO_COMMAND: ['FROM a\nHEALTHCHECK CMD', 2],
  HEALTHCHECK_TYPE: ['FROM a\nHEALTHCHECK x', 2],
  HEALTHCHECK_TOO_SHORT: ['FROM a\nHEALTHCHECK --timeout=1ns CMD x', 2],
  HEALTHCHECK_RETRIES: ['FROM a\nHEALTHCHECK --retries=x CMD x', 2],
  DURATION_INVALID: ['FROM a\nHEALTHCHECK --timeout=1 CMD x', 2],
  RUN_NETWORK: ['FROM a\nRUN --network=x y', 2],
  RUN_SECURITY: ['FROM a\nRUN --security=x y', 2],
  FLAG_CSV: ['FROM a\nRUN --mount=x\\"y z', 2],
  FIELD_FORM: ['FROM a\nRUN --mount=type x', 2],
  FIELD_UNKNOWN: ['FROM a\nRUN --mount=tipe=bind x', 2],
  FIELD_VALUE: ['FROM a\nRUN --mount=target=/x,ro=x y', 2],
  MOUNT_FIELD_FOR_TYPE: ['FROM a\nRUN --mount=target=/x,required y', 2],
  MOUNT_TYPE: ['FROM a\nRUN --mount=type=x y', 2],
  MOUNT_SHARING: ['FROM a\nRUN x \\\n  && y\nRUN \\\n  --mount=type=cache,target=/x,sharing=x y', 5],
  MOUNT_FROM_VARIABLE: ['FROM a\nRUN --mount=from=$x y', 2],
  MOUNT_TARGET: ['FROM a\nRUN --mount=target=/ y', 2],
}

const codes = [...Object.values(dockerfileErrors), ...Object.values(instructionErrors)].map((e) => e.definition.code)

function failureOf(text: string): BuildError {
  try {
    if (text.startsWith('trigger:')) parseTrigger(text.slice('trigger:'.length))
    const variables = new Map([['large', 'x'.repeat(100_000)]])
    const { stages, dockerfile } = parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', text)))
    for (const node of stages.flatMap((stage) => stage.instructions)) {
      if (node.kind === 'COPY') refuseFromVariable(node, dockerfile)
      if (node.kind !== 'RUN') continue
      for (const mount of node.mounts)
        resolveMount(mount, (word) => expandWord(word, variables, '\\').value, { cwd: '/' })
    }
  } catch (error) {
    if (error instanceof BuildError) return error
    throw error
  }
  throw new Error('it did not fail')
}

it('has an example for every code', () => {
  expect(Object.keys(examples).sort()).toEqual([...codes].sort())
  expect(new Set(codes).size).toBe(codes.length)
})

it.each(Object.entries(examples))('%s names its place', (code, [text, line]) => {
  const error = failureOf(text)
  expect(error.code).toBe(code)
  expect(error.message).not.toMatch(/undefined|\[object|\n/)
  if (line === 0) return
  expect(error.at?.range.start.line).toBe(line)
  expect(excerpt(error.at!)).toContain(`Dockerfile:${line}`)
})
