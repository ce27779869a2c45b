/** Whatever a registry, a token server or a credential helper answers: a RegistryError says what is wrong with it. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RegistryError } from '../model/errors.ts'
import { parseErrors } from '../registry/response-error.ts'
import { entryCredentials, parseDockerConfig } from './docker-config.ts'

const names = ['errors', 'code', 'message', 'detail', 'auths', 'auth', 'username', 'password', 'credHelpers', 'credsStore', 'toString', 'valueOf', '__proto__', 'host'] // biome-ignore format: one table
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom(null, true, 5, -1, 1e300, '', 'x', 'eDp5'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 4 }),
  ),
})).value
const documents = fc.oneof(
  json.map((value) => JSON.stringify(value)),
  json.map((value) => JSON.stringify({ errors: [value], auths: { host: value }, credHelpers: value })),
  fc.string(),
  fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
)

describe('documents of others', () => {
  it('errors of registries are shown, whatever they are', () => {
    fc.assert(
      fc.property(documents, (text) => {
        for (const { code, message } of parseErrors(Buffer.from(text))) {
          expect(typeof code).toBe('string')
          expect(typeof message).toBe('string')
        }
      }),
      { numRuns: 2000, examples: [['{"errors":[{"code":{"toString":5,"valueOf":5}}]}']] },
    )
  })

  it('docker configs are read or refused', () => {
    fc.assert(
      fc.property(documents, (text) => {
        try {
          for (const entry of parseDockerConfig(text, 'config.json').auths.values()) entryCredentials(entry)
        } catch (error) {
          expect(error).toBeInstanceOf(RegistryError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
