/**
 * How documents of caches are written down: plainly, or signed in a DSSE envelope. Layers need no signature, as the
 * document has their digests.
 */
import { type KeyObject, sign, verify } from 'node:crypto'
import { schema } from '@tsbuild/registry-client'
import { CACHE_MEDIA_TYPE, type CacheDocument, parseCacheDocument, serializeDocument } from './document.ts'
import { cacheErrors } from './errors.ts'

/** Media type of a signed document. */
export const SIGNED_MEDIA_TYPE = 'application/vnd.dsse.envelope.v1+json'

export const DOCUMENT_TYPES: readonly string[] = [CACHE_MEDIA_TYPE, SIGNED_MEDIA_TYPE]

export interface DocumentCodec {
  /** Of what is written. */
  readonly mediaType: string
  encode(document: CacheDocument): Buffer
  /** @throws schema.SchemaProblem when it is none that counts */
  decode(bytes: Uint8Array): CacheDocument
}

/** Reads every document, whoever has signed it. */
export const PLAIN: DocumentCodec = {
  mediaType: CACHE_MEDIA_TYPE,
  encode: serializeDocument,
  decode(bytes) {
    const envelope = parseEnvelope(bytes)
    return parseCacheDocument(envelope === undefined ? bytes : payloadOf(envelope))
  },
}

/** Reads what `key` has signed. */
export function verifyingCodec(key: KeyObject): DocumentCodec {
  return {
    ...PLAIN,
    decode(bytes) {
      const envelope = parseEnvelope(bytes)
      if (envelope === undefined) throw new schema.SchemaProblem('it is not signed')
      const payload = payloadOf(envelope)
      const signed = authenticated(payload)
      const isOurs = envelope.signatures.some(({ sig }) => verify('sha256', signed, key, Buffer.from(sig, 'base64')))
      if (!isOurs) throw new schema.SchemaProblem('its signature is not one of the key')
      return parseCacheDocument(payload)
    },
  }
}

/** Writes signed documents, and adds to those that the same key has signed: others are replaced. */
export function signingCodec(privateKey: KeyObject, publicKey: KeyObject): DocumentCodec {
  return {
    ...verifyingCodec(publicKey),
    mediaType: SIGNED_MEDIA_TYPE,
    encode(document) {
      const payload = serializeDocument(document)
      const sig = sign('sha256', authenticated(payload), privateKey).toString('base64')
      const envelope: Envelope = {
        payloadType: CACHE_MEDIA_TYPE,
        payload: payload.toString('base64'),
        signatures: [{ sig }],
      }
      return Buffer.from(JSON.stringify(envelope))
    },
  }
}

/** Writes plain documents, and none over a signed one. @param name of the cache */
export function unsignedCodec(name: string): DocumentCodec {
  return {
    ...PLAIN,
    decode(bytes) {
      if (parseEnvelope(bytes) === undefined) return parseCacheDocument(bytes)
      throw cacheErrors.notExported([name, 'there is a signed cache, which is left as it is'], {
        hint: 'sign this one too, with sign=KEYFILE, or give it another name',
      })
    },
  }
}

interface Envelope {
  readonly payloadType: string
  readonly payload: string
  readonly signatures: readonly { readonly sig: string }[]
}

const envelopeSchema = schema.object<Envelope>({
  payloadType: schema.text,
  payload: schema.text,
  signatures: schema.list(schema.object<{ readonly sig: string }>({ sig: schema.text }), 'signatures'),
})

/** undefined: it is no envelope. */
function parseEnvelope(bytes: Uint8Array): Envelope | undefined {
  try {
    return schema.parseDocument(bytes, envelopeSchema)
  } catch (error) {
    if (error instanceof schema.SchemaProblem) return undefined
    throw error
  }
}

function payloadOf({ payloadType, payload }: Envelope): Buffer {
  if (payloadType !== CACHE_MEDIA_TYPE) throw new schema.SchemaProblem('what is signed there is no cache')
  return Buffer.from(payload, 'base64')
}

/** What a DSSE signature is made of. */
function authenticated(payload: Buffer): Buffer {
  const head = `DSSEv1 ${CACHE_MEDIA_TYPE.length} ${CACHE_MEDIA_TYPE} ${payload.length} `
  return Buffer.concat([Buffer.from(head), payload])
}
