/** Reads private keys: OpenSSH's own format and PEM (PKCS#1, PKCS#8, SEC1), without a passphrase. */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { systemReason } from '../../util/system-error.ts'
import { sandboxErrors } from '../errors.ts'
import { SshReader, sshNumber, sshString } from './frames.ts'

/** A key as an agent offers it. */
export interface AgentKey {
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` … */
  readonly type: string
  /** Public key in the SSH wire format. */
  readonly blob: Buffer
  readonly comment: string
  readonly privateKey: KeyObject
}

const MAGIC = 'openssh-key-v1\0'
const FILE_LIMIT = 1024 * 1024
const CURVES: Readonly<Record<string, { readonly ssh: string; readonly bytes: number }>> = {
  'P-256': { ssh: 'nistp256', bytes: 32 },
  'P-384': { ssh: 'nistp384', bytes: 48 },
  'P-521': { ssh: 'nistp521', bytes: 66 },
}

/** The keys of a file. Throws SSH_UNAVAILABLE for what is no private key or is protected by a passphrase. */
export async function readKey(path: string): Promise<AgentKey[]> {
  try {
    const text = await readFile(path)
    if (text.length > FILE_LIMIT) throw new Error('the file is too large')
    if (isPublicKey(text)) throw new PublicKeyError('it is a public key')
    const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END OPENSSH PRIVATE KEY-----/.exec(
      text.toString('latin1'),
    )?.[1]
    if (body !== undefined) return parseOpenSsh(Buffer.from(body.replace(/\s+/g, ''), 'base64'))
    return [agentKey(createPrivateKey(text), basename(path))]
  } catch (error) {
    const why = systemReason(error)
    throw sandboxErrors.sshUnavailable([`cannot use ${path} as an SSH key: ${why}`], {
      hint:
        error instanceof PublicKeyError
          ? `name the private key that belongs to it: ${path.replace(/\.pub$/, '')}`
          : 'keys with a passphrase have to be added to an agent: ssh-add',
    })
  }
}

class PublicKeyError extends Error {}

/** The one-line form of OpenSSH, that of RFC 4716, and PEM. */
function isPublicKey(text: Buffer): boolean {
  const start = text.toString('latin1', 0, 200).trimStart()
  return /^((ssh|ecdsa|sk)-\S+ AAAA|---- BEGIN SSH2 PUBLIC KEY|-----BEGIN (RSA )?PUBLIC KEY)/.test(start)
}

/** PROTOCOL.key of OpenSSH. */
function parseOpenSsh(data: Buffer): AgentKey[] {
  if (data.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('not an OpenSSH key')
  const reader = new SshReader(data.subarray(MAGIC.length))
  const cipher = reader.text()
  if (cipher !== 'none') throw new Error('the key is protected by a passphrase')
  reader.text()
  reader.string()
  const count = reader.uint32()
  for (let i = 0; i < count; i++) reader.string()
  const secret = new SshReader(reader.string())
  const [check, again] = [secret.uint32(), secret.uint32()]
  if (check !== again) throw new Error('the key is damaged')
  const keys: AgentKey[] = []
  for (let i = 0; i < count; i++) keys.push(parsePrivate(secret))
  return keys
}

function parsePrivate(reader: SshReader): AgentKey {
  const type = reader.text()
  const jwk = privateJwk(type, reader)
  return agentKey(createPrivateKey({ key: jwk, format: 'jwk' }), reader.text())
}

function privateJwk(type: string, reader: SshReader): JsonWebKey {
  const number = (bytes?: number): string => {
    let digits = reader.string()
    while (digits.length > (bytes ?? 1) && digits[0] === 0) digits = digits.subarray(1)
    return bytes === undefined
      ? digits.toString('base64url')
      : Buffer.concat([Buffer.alloc(bytes - digits.length), digits]).toString('base64url')
  }
  if (type === 'ssh-ed25519') {
    const x = reader.string()
    return {
      kty: 'OKP',
      crv: 'Ed25519',
      x: x.toString('base64url'),
      d: reader.string().subarray(0, 32).toString('base64url'),
    }
  }
  if (type === 'ssh-rsa') {
    const [n, e, d, qi, p, q] = [number(), number(), number(), number(), number(), number()]
    const [dInt, pInt, qInt] = [d, p, q].map((text) =>
      BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`),
    ) as [bigint, bigint, bigint]
    const reduced = (m: bigint): string => {
      const hex = (dInt % (m - 1n)).toString(16)
      return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url')
    }
    return { kty: 'RSA', n, e, d, p, q, qi, dp: reduced(pInt), dq: reduced(qInt) }
  }
  const curve = Object.entries(CURVES).find(([, { ssh }]) => type === `ecdsa-sha2-${ssh}`)
  if (curve === undefined) throw new Error(`keys of type ${type} are not supported`)
  reader.string()
  const [crv, { bytes }] = curve
  const point = reader.string()
  const x = point.subarray(1, 1 + bytes).toString('base64url')
  const y = point.subarray(1 + bytes).toString('base64url')
  return { kty: 'EC', crv, x, y, d: number(bytes) }
}

/** The public half in the wire format, beside the private key. */
function agentKey(privateKey: KeyObject, comment: string): AgentKey {
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
  const bytes = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url')
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') {
    const type = 'ssh-ed25519'
    return { type, blob: Buffer.concat([sshString(type), sshString(bytes(jwk.x))]), comment, privateKey }
  }
  if (jwk.kty === 'RSA') {
    const type = 'ssh-rsa'
    return {
      type,
      blob: Buffer.concat([sshString(type), sshNumber(bytes(jwk.e)), sshNumber(bytes(jwk.n))]),
      comment,
      privateKey,
    }
  }
  const curve = CURVES[jwk.crv ?? '']
  if (jwk.kty !== 'EC' || curve === undefined) throw new Error('this type of key is not supported')
  const type = `ecdsa-sha2-${curve.ssh}`
  const point = Buffer.concat([Buffer.of(4), bytes(jwk.x), bytes(jwk.y)])
  return { type, blob: Buffer.concat([sshString(type), sshString(curve.ssh), sshString(point)]), comment, privateKey }
}
