/** Whatever stands in files about registries: it is used, or an error names the file and the field. */
import fc from 'fast-check'
import { stringify } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { parseDockerConfig } from '../auth/docker-config.ts'
import { RegistryError } from '../model/errors.ts'
import { allCapabilities, type Endpoint } from './endpoint.ts'
import { parseHostsToml } from './hosts-toml.ts'
import { parseRegistriesConf } from './registries-conf.ts'

const upstream: Endpoint = {
  registry: 'r.example',
  host: 'r.example',
  base: new URL('https://r.example/v2/'),
  capabilities: allCapabilities,
  mirror: false,
}
const hosts = (text: string) => parseHostsToml(text, 'hosts.toml', upstream)

const keys = ['server', 'host', 'capabilities', 'client', 'skip_verify', 'override_path', 'header', 'registry', 'mirror', 'prefix', 'location', 'insecure', 'blocked', 'mirror-by-digest-only', 'pull-from-mirror', '__proto__', 'toString'] // biome-ignore format: one table
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom(true, 5, -1.5, '', 'x', 'pull', 'https://m.example/v2', 'a b', '\u0000', '[', 'm.example:99999'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 4 }),
  ),
})).value
const files = fc.oneof(
  fc.dictionary(fc.constantFrom(...keys), values, { maxKeys: 4 }).map((value) => stringify(value)),
  values.map((value) => stringify({ registry: [{ location: 'a', mirror: [{ location: 'b', insecure: value }] }] })),
  values.map((value) => stringify({ host: { 'm.example': { header: { a: value } } } })),
  fc.string(),
)

async function orRefused<T>(work: () => T | Promise<T>, use: (result: T) => void): Promise<void> {
  try {
    use(await work())
  } catch (error) {
    expect(error).toBeInstanceOf(RegistryError)
  }
}

describe('files about registries', () => {
  it('whatever they hold', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (text) => {
        await orRefused(
          () => hosts(text),
          (endpoints) => {
            for (const { base, headers = {} } of endpoints) new Request(base, { headers })
          },
        )
        await orRefused(
          () => parseRegistriesConf(text, 'registries.conf'),
          (rules) => {
            for (const { prefix, location, mirrors } of rules)
              for (const name of [prefix, location, ...mirrors.map((mirror) => mirror.location)])
                expect(typeof name).toBe('string')
          },
        )
      }),
      { numRuns: 1500 },
    )
  })

  it.each([
    ['host = "x"', 'hosts.toml: host is not an object of tables'],
    ['[host]\nm = 5', 'hosts.toml: host["m"] is not a table'],
    ['server = 5', 'hosts.toml: server is not a text'],
    ['skip_verify = "yes"', 'hosts.toml: skip_verify is not true or false'],
    ['ca = [5]', 'hosts.toml: ca[0] is not a text'],
    ['client = 5', 'hosts.toml: client is not a text'],
    ['capabilities = "pull"', 'hosts.toml: capabilities is not a list of texts'],
    ['[header]\n"a b" = "x"', 'hosts.toml: header "a b" cannot be sent'],
    ['[header]\na = "x\\r\\ny"', 'hosts.toml: header "a" cannot be sent'],
  ])('%j is refused with its field', async (text, message) => {
    await expect(hosts(text)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message),
    })
  })

  it.each([
    ['registry = 5', 'registry is not a list of tables'],
    ['registry = [5]', 'registry[0] is not an object'],
    ['[[registry]]\nlocation = 5', 'registry[0].location is not a text'],
    ['[[registry]]\nlocation = "a"\nblocked = "true"', 'registry[0].blocked is not true or false'],
    ['[[registry]]\nlocation = "a"\nmirror = 5', 'registry[0].mirror is not a list of tables'],
    ['[[registry]]\nlocation = "a"\n[[registry.mirror]]', 'registry[0].mirror[0].location is not a text'],
    ['[registry]\nx = 5', 'version 1 of the format'],
  ])('%j is refused with its field', (text, message) => {
    expect(() => parseRegistriesConf(text, 'registries.conf')).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(`registries.conf: ${message}`),
      }),
    )
  })

  it.each([
    ['{"auths":[]}', 'auths is not an object of entries'],
    ['{"auths":{"a":"secret"}}', 'auths["a"] is not an object'],
    ['{"auths":{"a":{"auth":5}}}', 'auths["a"].auth is not a text'],
    ['{"credsStore":["x"]}', 'credsStore is not a text'],
    ['{"credHelpers":{"a":{}}}', 'credHelpers["a"] is not a text'],
    ['[]', 'the document is not an object'],
    ['{"auths":{"a":{"password":"secret"', 'not valid JSON'],
  ])('%j is refused with its field, and shows no password', (text, message) => {
    expect(() => parseDockerConfig(text, 'config.json')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(/^(?!.*secret)/) }),
    )
    expect(() => parseDockerConfig(text, 'config.json')).toThrow(message)
  })

  it('of docker may have entries that say nothing', () => {
    const { auths, credHelpers, credsStore } = parseDockerConfig(
      '{"auths":{"a":{},"b":null},"credHelpers":{"a":""},"credsStore":"","detachKeys":5}',
      'config.json',
    )
    expect([...auths.keys()]).toEqual(['a'])
    expect(credHelpers.size).toBe(0)
    expect(credsStore).toBeUndefined()
  })
})
