import { describe, expect, it } from 'vitest'
import { Digester, DigestVerifier, digestOf, isDigest, parseDigest, verified } from './digest.ts'

const bytes = Buffer.from('content')

describe('digests', () => {
  it.for(['sha256', 'sha384', 'sha512'] as const)('%s of bytes at once and in pieces', (algorithm) => {
    const digest = digestOf(bytes, algorithm)
    expect(isDigest(digest)).toBe(true)
    const digester = new Digester(algorithm).update(bytes.subarray(0, 3)).update(bytes.subarray(3))
    expect(digester.digest()).toBe(digest)
    expect(digester.size).toBe(7)
  })

  it.for([
    `sha256:${'a'.repeat(63)}`,
    `sha256:${'A'.repeat(64)}`,
    `sha1:${'a'.repeat(40)}`,
    'sha256:../../x',
    '',
    `sha256:${'a'.repeat(64)}\n`,
  ])('refuses %j', (text) => {
    expect(isDigest(text)).toBe(false)
    expect(() => parseDigest(text)).toThrow('invalid digest')
  })
})

async function drain(chunks: Buffer[], size = 7, digest = digestOf(bytes)): Promise<string> {
  let text = ''
  for await (const chunk of verified(
    (async function* () {
      yield* chunks
    })(),
    { digest, size },
  ))
    text += chunk.toString()
  return text
}

describe('verified streams', () => {
  it('pass what is right', async () => {
    expect(await drain([bytes.subarray(0, 2), bytes.subarray(2)])).toBe('content')
  })

  it('stop before the first byte too many', async () => {
    const verifier = new DigestVerifier({ digest: digestOf(bytes), size: 7 })
    verifier.update(bytes)
    expect(() => verifier.update(Buffer.from('x'))).toThrow(/size mismatch.*expected 7 bytes, got more/)
    expect(verifier.size).toBe(7)
  })

  it('refuse what is short or wrong', async () => {
    await expect(drain([bytes.subarray(1)])).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    await expect(drain([Buffer.from('CONTENT')])).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })
})
