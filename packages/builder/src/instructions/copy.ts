/** COPY: copies files of the context, a stage or an image. */
import type { Dockerfile } from '../dockerfile/ast.ts'
import { expandWord } from '../dockerfile/expand.ts'
import { copySources } from './copy-sources.ts'
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import type { CopyNode } from './nodes.ts'

const flags = {
  exclude: 'list',
  parents: 'switch',
  chown: 'value',
  from: 'value',
  chmod: 'value',
  link: 'switch',
} as const
const noVariables = new Map<string, string>()

export const copy: InstructionDef<CopyNode> = {
  keyword: 'COPY',
  flags,
  onbuild: true,
  parse(raw, { file }) {
    if (raw.words.length < 2) throw instructionErrors.noDestination(['COPY'])
    const values = readFlags(raw, flags, file)
    const from = values.value('from')
    return {
      kind: 'COPY',
      raw,
      ...copySources(raw),
      from,
      chown: values.value('chown'),
      chmod: values.value('chmod'),
      link: values.state('link') ?? false,
      parents: values.state('parents') ?? false,
      exclude: values.all('exclude').map((flag) => flag.value ?? ''),
      checksum: undefined,
      keepGitDir: undefined,
      unpack: undefined,
    }
  },
}

/**
 * Refuses a variable in `--from`. No part of parsing: a file that has one can still be listed, as in the reference.
 *
 * @throws COPY_FROM_VARIABLE, placed at the flag
 */
export function refuseFromVariable({ from, raw }: CopyNode, { source, escape: escapeChar }: Dockerfile): void {
  if (!from?.includes('$') || expandWord(from, noVariables, escapeChar).value === from) return
  const flag = raw.flags.find(({ name }) => name === 'from')
  throw instructionErrors.copyFromVariable([], flag && { at: { file: source, range: flag.range } })
}
