/** Configuration files in TOML. */
import { parse } from 'smol-toml'
import { registryErrors } from '../model/errors.ts'
import type { Schema } from '../model/schema.ts'

/** Reads a file and checks it. @throws RegistryError CONFIG_INVALID with the first line of what the parser says, or with the field that is wrong */
export function parseToml<T>(text: string, file: string, schema: Schema<T>): T {
  try {
    return schema(parse(text), '')
  } catch (cause) {
    throw registryErrors.configInvalid(
      [file, cause instanceof Error ? cause.message.split('\n', 1)[0]! : 'not valid TOML'],
      { cause },
    )
  }
}
