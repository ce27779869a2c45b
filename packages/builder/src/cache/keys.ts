/** Keys that caches are signed with: EC P-256, in the files that cosign makes, or openssl. No message has a part of a key. */
import { createPrivateKey, createPublicKey, type KeyObject, scrypt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { schema } from '@tsbuild/registry-client'
import type { Env } from './backend.ts'
import { cacheErrors } from './errors.ts'

const PASSWORD = 'COSIGN_PASSWORD'
/** The scrypt of a key file may need this much memory; cosign's needs 64 MiB. */
const MAX_MEMORY = 512 << 20

/** @throws BuildError CACHE_INVALID */
export async function readPublicKey(path: string): Promise<KeyObject> {
  const flag = '--cache-from'
  const pem = await readPem(flag, path)
  return onCurve(flag, path, () => createPublicKey(pem))
}

/** @throws BuildError CACHE_INVALID */
export async function readPrivateKey(path: string, env: Env): Promise<KeyObject> {
  const flag = '--cache-to'
  const pem = await readPem(flag, path)
  const password = env[PASSWORD]
  const box = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([^-]*)-----END/.exec(pem)?.[1]
  const isEncrypted = box !== undefined || /ENCRYPTED/.test(pem)
  if (isEncrypted && password === undefined)
    throw cacheErrors.invalid([flag, `the key in ${path} has a password`], { hint: `set ${PASSWORD}` })
  if (box === undefined)
    return onCurve(
      flag,
      path,
      () => createPrivateKey(isEncrypted ? { key: pem, passphrase: password } : pem),
      isEncrypted,
    )
  const der = await openBox(Buffer.from(box, 'base64'), password!).catch(() => undefined)
  return onCurve(flag, path, () => createPrivateKey({ key: der!, format: 'der', type: 'pkcs8' }), true)
}

async function readPem(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'it cannot be read'
    throw cacheErrors.invalid([flag, `cannot read the key ${path}: ${reason}`], { hint: KEY_HINT })
  }
}

const KEY_HINT = 'cosign generate-key-pair makes such keys'

function onCurve(flag: string, path: string, parse: () => KeyObject, isEncrypted = false): KeyObject {
  let key: KeyObject
  try {
    key = parse()
  } catch {
    const problem = isEncrypted ? `${PASSWORD} does not open the key in ${path}` : `${path} has no such key`
    throw cacheErrors.invalid([flag, problem], { hint: KEY_HINT })
  }
  if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  throw cacheErrors.invalid([flag, `the key in ${path} is none of the curve P-256`], { hint: KEY_HINT })
}

/** What cosign encrypts its keys in. */
interface Box {
  readonly kdf: {
    readonly name: string
    readonly params: { readonly N: number; readonly r: number; readonly p: number }
    readonly salt: string
  }
  readonly cipher: { readonly name: string; readonly nonce: string }
  readonly ciphertext: string
}

const boxSchema = schema.object<Box>({
  kdf: schema.object<Box['kdf']>({
    name: schema.oneOf('scrypt'),
    params: schema.object<Box['kdf']['params']>({ N: schema.integer, r: schema.integer, p: schema.integer }),
    salt: schema.text,
  }),
  cipher: schema.object<Box['cipher']>({ name: schema.oneOf('nacl/secretbox'), nonce: schema.text }),
  ciphertext: schema.text,
})

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt)

/** undefined: it is another password. */
async function openBox(json: Buffer, password: string): Promise<Buffer | undefined> {
  const { kdf, cipher, ciphertext } = schema.parseDocument(json, boxSchema)
  const { N, r, p } = kdf.params
  const key = await derive(password, Buffer.from(kdf.salt, 'base64'), 32, { N, r, p, maxmem: MAX_MEMORY })
  const { default: nacl } = await import('tweetnacl')
  const content = nacl.secretbox.open(Buffer.from(ciphertext, 'base64'), Buffer.from(cipher.nonce, 'base64'), key)
  return content === null ? undefined : Buffer.from(content)
}
