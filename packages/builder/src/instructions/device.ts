/** `RUN --device=NAME[,required]`. */
import type { Flag } from '../dockerfile/ast.ts'
import type { SourceFile } from '../source.ts'
import { parseBool } from './bool.ts'
import { CsvProblem, splitCsv } from './csv.ts'
import { instructionErrors } from './errors.ts'
import type { DeviceFlag } from './nodes.ts'

/**
 * Reads one flag.
 *
 * @throws FLAG_CSV, FIELD_FORM, FIELD_VALUE, FIELD_UNKNOWN, placed at the flag
 */
export function parseDevice(flag: Flag, file: SourceFile): DeviceFlag {
  const at = { file, range: flag.range }
  let name = ''
  let required = false
  for (const field of fieldsOf(flag, file)) {
    const equals = field.indexOf('=')
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase()
    const value = equals < 0 ? undefined : field.slice(equals + 1)
    if (key === 'required') {
      const state = value === undefined ? true : parseBool(value)
      if (state === undefined) throw instructionErrors.fieldValue([`invalid value for ${key}: ${value}`], { at })
      required = state
    } else if (key === 'name' && value !== undefined) {
      if (name !== '') throw instructionErrors.fieldValue([`device name already set to ${name}`], { at })
      name = value
    } else if (name === '') name = field
    else if (value === undefined) throw instructionErrors.fieldForm([field], { at })
    else throw instructionErrors.fieldUnknown([key, field, ['name', 'required']], { at })
  }
  return { name, required }
}

function fieldsOf(flag: Flag, file: SourceFile): string[] {
  try {
    return splitCsv(flag.value ?? '')
  } catch (error) {
    if (!(error instanceof CsvProblem)) throw error
    throw instructionErrors.csv(['devices', error.message], { at: { file, range: flag.range } })
  }
}
