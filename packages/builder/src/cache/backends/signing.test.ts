/** Caches that are signed, with keys as openssl and cosign write them. */
import { execFileSync } from 'node:child_process'
import { randomBytes, scryptSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OciLayout, parseManifest } from '@tsbuild/registry-client'
import nacl from 'tweetnacl'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exampleCache, save } from '../backend.contract.ts'
import type { CacheServices, Env } from '../backend.ts'
import { SIGNED_MEDIA_TYPE } from '../codec.ts'
import { mergeDocuments, serializeDocument } from '../document.ts'
import { actionsToken, startActions } from '../services/actions-server.test-support.ts'
import { startS3 } from '../services/s3-server.test-support.ts'
import { prepareCacheFrom, prepareCacheTo } from '../spec.ts'
import { Machines } from './service-subject.test-support.ts'
import { keyFiles, temporaryDirectory } from './temporary.test-support.ts'

const signal = new AbortController().signal
const services = {} as CacheServices
const PASSWORD = { COSIGN_PASSWORD: 'correct horse' }

let place: Awaited<ReturnType<typeof temporaryDirectory>>
let path: string
beforeEach(async () => {
  place = await temporaryDirectory()
  path = join(place.path, 'cache')
})
afterEach(() => place[Symbol.asyncDispose]())

const to = (attrs: Record<string, string>, env: Env = {}) =>
  prepareCacheTo([{ type: 'local', attrs: { dest: path, ...attrs } }], env)[0]!

const saveTo = async (cache: ReturnType<typeof exampleCache>, attrs: Record<string, string>, env: Env = {}) =>
  await save({ exporter: () => to(attrs, env).open!(services) }, cache)

async function load(attrs: Record<string, string>): Promise<string> {
  await using importer = await prepareCacheFrom([{ type: 'local', attrs: { src: path, ...attrs } }], {})[0]!.open(
    services,
  )
  const { documents } = await importer.load({ signal })
  return serializeDocument(mergeDocuments(...documents)).toString()
}

const text = (...caches: readonly ReturnType<typeof exampleCache>[]) =>
  serializeDocument(mergeDocuments(...caches.map(({ document }) => document))).toString()

async function config() {
  await using layout = await OciLayout.open(path)
  const { bytes, descriptor } = await layout.fetchManifest('latest')
  const found = parseManifest(bytes, descriptor.mediaType)
  return found.kind === 'manifest' ? found.manifest.config : expect.fail('no manifest')
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()

/** As cosign encrypts a key. */
function boxed(der: Buffer, password: string): string {
  const [salt, nonce, params] = [randomBytes(32), randomBytes(24), { N: 65536, r: 8, p: 1 }]
  const key = scryptSync(password, salt, 32, { ...params, maxmem: 256 << 20 })
  const json = JSON.stringify({
    kdf: { name: 'scrypt', params, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(nacl.secretbox(der, nonce, key)).toString('base64'),
  })
  const lines = Buffer.from(json).toString('base64').replace(/.{64}/g, '$&\n')
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${lines}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`
}

/** A private key in each form, with its public key. */
async function keys() {
  const file = (name: string) => join(place.path, name)
  openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', file('sec1'))
  openssl('pkcs8', '-topk8', '-nocrypt', '-in', file('sec1'), '-out', file('plain'))
  const password = PASSWORD.COSIGN_PASSWORD
  openssl(
    'pkcs8',
    '-topk8',
    '-v2',
    'aes-256-cbc',
    '-passout',
    `pass:${password}`,
    '-in',
    file('sec1'),
    '-out',
    file('encrypted'),
  )
  openssl('pkcs8', '-topk8', '-nocrypt', '-outform', 'DER', '-in', file('sec1'), '-out', file('der'))
  const sigstore = boxed(await readFile(file('der')), password)
  await writeFile(file('sigstore'), sigstore)
  await writeFile(file('cosign'), sigstore.replaceAll('SIGSTORE', 'COSIGN'))
  openssl('ec', '-in', file('sec1'), '-pubout', '-out', file('pub'))
  return { file, verify: file('pub') }
}

describe('a signed cache', () => {
  it('is made with every form of a key', async () => {
    const { file, verify } = await keys()
    const all = []
    for (const name of ['plain', 'encrypted', 'sigstore', 'cosign']) {
      all.push(exampleCache())
      await saveTo(all.at(-1)!, { sign: file(name) }, PASSWORD)
    }
    // All that the same key has signed is there, for those who verify it and for all others.
    expect([await load({ verify }), await load({})]).toEqual([text(...all), text(...all)])
    expect((await config()).mediaType).toBe(SIGNED_MEDIA_TYPE)
    // What openssl says of it.
    const envelope = JSON.parse(await readFile(join(path, 'blobs', (await config()).digest.replace(':', '/')), 'utf8'))
    const payload = Buffer.from(envelope.payload, 'base64')
    const head = `DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${payload.length} `
    await writeFile(file('signed'), Buffer.concat([Buffer.from(head), payload]))
    await writeFile(file('signature'), Buffer.from(envelope.signatures[0].sig, 'base64'))
    expect(openssl('dgst', '-sha256', '-verify', verify, '-signature', file('signature'), file('signed'))).toContain(
      'OK',
    )
  })

  it('is used if it has the signature that is asked for', async () => {
    const [one, other] = [await keyFiles(place.path, 'one'), await keyFiles(place.path, 'other')]
    await saveTo(exampleCache(), {})
    const unusable = (problem: string) => ({ code: 'CACHE_UNUSABLE', message: expect.stringContaining(problem) })
    await expect(load({ verify: one.verify })).rejects.toMatchObject(unusable('it is not signed'))
    // What nobody has signed is not signed with the rest.
    const signed = exampleCache()
    await saveTo(signed, { sign: one.sign })
    expect(await load({ verify: one.verify })).toBe(text(signed))
    await expect(load({ verify: other.verify })).rejects.toMatchObject(unusable('its signature is not one of the key'))
    const again = exampleCache()
    await saveTo(again, { sign: other.sign })
    expect(await load({ verify: other.verify })).toBe(text(again))
  })

  it('is not replaced by one without a signature', async () => {
    const { sign, verify } = await keyFiles(place.path)
    const signed = exampleCache()
    await saveTo(signed, { sign })
    await expect(saveTo(exampleCache(), {})).rejects.toMatchObject({ code: 'CACHE_NOT_EXPORTED' })
    await expect(saveTo(exampleCache(), { reset: 'true' })).rejects.toThrow('there is a signed cache')
    expect(await load({ verify })).toBe(text(signed))
  })

  it('needs keys that can be read, and shows nothing of them', async () => {
    const { file } = await keys()
    openssl('genpkey', '-algorithm', 'RSA', '-out', file('rsa'))
    const problems = []
    for (const [name, env] of [
      ['none', {}],
      ['rsa', {}],
      ['pub', {}],
      ['encrypted', {}],
      ['encrypted', { COSIGN_PASSWORD: 'wrong' }],
      ['sigstore', { COSIGN_PASSWORD: 'wrong' }],
    ] as const) {
      const error = await to({ sign: file(name) }, env).check!().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'CACHE_INVALID' })
      problems.push((error as Error).message.replace(place.path, ''))
    }
    expect(problems).toEqual([
      '--cache-to: cannot read the key /none: ENOENT',
      '--cache-to: the key in /rsa is none of the curve P-256',
      '--cache-to: /pub has no such key',
      '--cache-to: the key in /encrypted has a password',
      '--cache-to: COSIGN_PASSWORD does not open the key in /encrypted',
      '--cache-to: COSIGN_PASSWORD does not open the key in /sigstore',
    ])
    expect(() => to({ sign: '' })).toThrow('sign names no key')
    expect(() => to({ verify: 'x' })).toThrow('unknown attribute "verify"')
    expect(() => prepareCacheTo([{ type: 'inline', attrs: { sign: 'x' } }], {})).toThrow('cannot be signed')
  })

  it.each(['s3', 'gha'] as const)('is kept by services as well: %s', async (type) => {
    const { sign, verify } = await keyFiles(place.path)
    await using machines = new Machines()
    const server = type === 's3' ? await startS3() : await startActions()
    try {
      const origin = `${server.server.origin}`
      const keys = { access_key_id: 'test', secret_access_key: 'top secret' }
      const s3 = { bucket: 'bucket', region: 'eu-x', endpoint_url: origin, use_path_style: 'true', ...keys }
      const token = actionsToken({ 'refs/heads/main': 3 })
      const attrs = type === 's3' ? s3 : { version: '2', url_v2: `${origin}/`, token }
      const exporter = (key: Record<string, string>) => ({
        exporter: () => prepareCacheTo([{ type, attrs: { ...attrs, ...key } }], {})[0]!.open!(machines.next()),
      })
      const caches = [exampleCache(), exampleCache()]
      for (const cache of caches) await save(exporter({ sign }), cache)
      await expect(save(exporter({}), exampleCache())).rejects.toThrow('there is a signed cache')
      await using importer = await prepareCacheFrom([{ type, attrs: { ...attrs, verify } }], {})[0]!.open(
        machines.next(),
      )
      const { documents } = await importer.load({ signal })
      expect(serializeDocument(mergeDocuments(...documents)).toString()).toBe(text(...caches))
      const other = (await keyFiles(place.path, 'other')).verify
      const unverified = { type, attrs: { ...attrs, verify: other } }
      await using stranger = await prepareCacheFrom([unverified], {})[0]!.open(machines.next())
      await expect(stranger.load({ signal })).rejects.toThrow('its signature is not one of the key')
    } finally {
      await server.server[Symbol.asyncDispose]()
    }
  })
})
