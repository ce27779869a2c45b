import { describe, expect, it } from 'vitest'
import { secretPatterns } from './secret-scan.ts'

describe('patterns of a secret', () => {
  const secret = Buffer.from('p@ss word/1234')
  const found = (text: Buffer) => secretPatterns(secret).some((pattern) => text.includes(pattern))

  it.each<[string, Buffer]>([
    ['as it is', Buffer.from(`key=${secret}`)],
    ['URL-encoded', Buffer.from(`https://x/?k=${encodeURIComponent(secret.toString())}`)],
    ['as a form field', Buffer.from(new URLSearchParams({ k: secret.toString() }).toString())],
    ...[0, 1, 2, 3, 4].map(
      (n) =>
        [
          `in base64 behind ${n} bytes`,
          Buffer.from(Buffer.from(`${'u'.repeat(n)}${secret}:rest`).toString('base64')),
        ] as [string, Buffer],
    ),
    ['in base64url', Buffer.from(Buffer.from(`a:${secret}`).toString('base64url'))],
  ])('find it %s', (_, text) => expect(found(text)).toBe(true))

  it('find nothing in other texts', () => expect(found(Buffer.from('p@ss word/123'))).toBe(false))
  it('ignore the newline at the end of a file', () =>
    expect(secretPatterns(Buffer.from('12345678\n')).some((p) => p.equals(Buffer.from('12345678')))).toBe(true))
  it('are not made of short secrets', () => expect(secretPatterns(Buffer.from('1234567'))).toEqual([]))
})
