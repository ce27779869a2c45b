/** FROM: begins a stage. */
import type { InstructionDef } from './definition.ts'
import { instructionErrors } from './errors.ts'
import { readFlags } from './flags.ts'
import type { FromNode } from './nodes.ts'

const flags = { platform: 'value' } as const

export const from: InstructionDef<FromNode> = {
  keyword: 'FROM',
  flags,
  onbuild: false,
  parse(raw, { file }) {
    const [image, as, name] = raw.words.map((word) => word.text)
    const named = raw.words.length === 3 && as?.toLowerCase() === 'as'
    if (!named && raw.words.length !== 1) throw instructionErrors.fromArguments([])
    const stageName = named ? name?.toLowerCase() : undefined
    if (stageName !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(stageName)) {
      throw instructionErrors.stageName([name!], { at: { file, range: raw.words[2]!.range } })
    }
    const platform = readFlags(raw, flags, file).value('platform')
    return { kind: 'FROM', raw, image: image!, platform, stageName, stageNameRaw: named ? name : undefined }
  },
}
