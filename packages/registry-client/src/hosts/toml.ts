/** Configuration files in TOML. */
import { parse } from 'smol-toml'
import { registryErrors } from '../model/errors.ts'

export type Table = Record<string, unknown>

/** @throws RegistryError CONFIG_INVALID with the first line of what the parser says */
export function parseToml(text: string, file: string): Table {
  try {
    return parse(text) as Table
  } catch (cause) {
    throw registryErrors.configInvalid(
      [file, cause instanceof Error ? cause.message.split('\n', 1)[0]! : 'not valid TOML'],
      { cause },
    )
  }
}
