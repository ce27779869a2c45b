/** COPY: copies files of the context, a stage or an image. */
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
  parse(raw, { file, escape: escapeChar }) {
    if (raw.words.length < 2) throw instructionErrors.noDestination(['COPY'])
    const values = readFlags(raw, flags, file)
    const from = values.value('from')
    if (from?.includes('$') && expandWord(from, noVariables, escapeChar).unset.size > 0) {
      const range = raw.flags.find((flag) => flag.name === 'from')!.range
      throw instructionErrors.copyFromVariable([], { at: { file, range } })
    }
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
