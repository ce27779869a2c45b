/** VOLUME: names directories that containers keep outside of their root filesystem. */
import { trimSpace } from '../util/go-text.ts'
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import type { VolumeNode } from './nodes.ts'

export const volume: InstructionDef<VolumeNode> = {
  keyword: 'VOLUME',
  flags: {},
  onbuild: true,
  parse(raw, { file }) {
    if (raw.words.length === 0) throw instructionErrors.atLeastOneArgument(['VOLUME'])
    readFlags(raw, {}, file)
    const paths = raw.words.map((word) => trimSpace(word.text))
    const empty = paths.indexOf('')
    if (empty >= 0) throw instructionErrors.emptyVolume([], { at: { file, range: raw.words[empty]!.range } })
    return { kind: 'VOLUME', raw, paths }
  },
}
