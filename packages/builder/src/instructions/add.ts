/** ADD: COPY that also takes URLs and git repositories and unpacks archives. */
import { copySources } from './copy-sources.ts'
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import type { CopyNode } from './nodes.ts'

const flags = {
  exclude: 'list',
  chown: 'value',
  chmod: 'value',
  link: 'switch',
  'keep-git-dir': 'switch',
  checksum: 'value',
  unpack: 'switch',
} as const

export const add: InstructionDef<CopyNode> = {
  keyword: 'ADD',
  flags,
  onbuild: true,
  parse(raw, { file }) {
    if (raw.words.length < 2) throw instructionErrors.noDestination(['ADD'])
    const values = readFlags(raw, flags, file)
    return {
      kind: 'ADD',
      raw,
      ...copySources(raw),
      from: undefined,
      chown: values.value('chown'),
      chmod: values.value('chmod'),
      link: values.state('link') ?? false,
      parents: false,
      exclude: values.all('exclude').map((flag) => flag.value ?? ''),
      checksum: values.value('checksum'),
      keepGitDir: values.state('keep-git-dir'),
      unpack: values.state('unpack'),
    }
  },
}
