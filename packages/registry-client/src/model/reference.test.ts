import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRegistryError } from './errors.ts'
import { familiarReference, formatReference, parseReference, withDefaultTag } from './reference.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('parseReference', () => {
  it.for([
    ['busybox', 'docker.io/library/busybox', 'busybox'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['library/busybox', 'docker.io/library/busybox', 'busybox'],
    ['docker.io/busybox', 'docker.io/library/busybox', 'busybox'],
    ['index.docker.io/library/busybox', 'docker.io/library/busybox', 'busybox'],
    ['registry-1.docker.io/user/app', 'docker.io/user/app', 'user/app'],
    ['user/app:v1', 'docker.io/user/app:v1', 'user/app:v1'],
    ['localhost/app', 'localhost/app', 'localhost/app'],
    ['localhost:5000/app', 'localhost:5000/app', 'localhost:5000/app'],
    ['127.0.0.1:5000/a/b_c/d__e/f-g/h.i', '127.0.0.1:5000/a/b_c/d__e/f-g/h.i', '127.0.0.1:5000/a/b_c/d__e/f-g/h.i'],
    ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app'],
    ['Registry.Example.com/app', 'registry.example.com/app', 'registry.example.com/app'],
    ['Host/app', 'Host/app', 'Host/app'],
    [`app@${digest}`, `docker.io/library/app@${digest}`, `app@${digest}`],
    [`r.io/app:v1@${digest}`, `r.io/app:v1@${digest}`, `r.io/app:v1@${digest}`],
    ['app:A_b.c-D', 'docker.io/library/app:A_b.c-D', 'app:A_b.c-D'],
  ] as const)('%s → %s', ([text, full, familiar]) => {
    const reference = parseReference(text)
    expect(formatReference(reference)).toBe(full)
    expect(familiarReference(reference)).toBe(familiar)
    expect(parseReference(full)).toEqual(reference)
  })

  it.for([
    ['', 'the name is empty'],
    ['Busybox', 'repository name (library/Busybox) must be lowercase'],
    ['r.io/App', 'repository name (App) must be lowercase'],
    ['http://r.io/x', 'a reference has no scheme'],
    ['r.io/../x', 'invalid repository name'],
    ['r.io/a/../../v2/x', 'invalid repository name'],
    ['r.io/%2e%2e/x', 'invalid repository name'],
    ['r.io/x:../../y', 'invalid repository name'],
    ['r.io/x@sha256:../../x', 'invalid digest'],
    ['r.io/x@sha256:abc', 'invalid digest'],
    ['r.io/x@md5:0123', 'invalid digest'],
    [`r.io/x@sha256:${'A'.repeat(64)}`, 'invalid digest'],
    ['r.io/x:', 'invalid tag'],
    ['r.io/x:-a', 'invalid tag'],
    [`r.io/x:${'a'.repeat(129)}`, 'invalid tag'],
    ['r.io//x', 'invalid repository name'],
    ['r.io/x/', 'invalid repository name'],
    ['/x', 'invalid repository name'],
    ['-r.io/x', 'invalid registry'],
    ['r_r.io/x', 'invalid registry'],
    ['a b', 'invalid repository name'],
    ['a\nb', 'invalid repository name'],
    [`r.io/${'a'.repeat(256)}`, 'more than 255 characters'],
    ['a'.repeat(64), '64-byte hexadecimal'],
  ] as const)('refuses %j', ([text, why]) => {
    expect(() => parseReference(text)).toThrow(why)
    expect(() => parseReference(text)).toThrow('invalid reference format')
  })

  it('adds latest only where there is neither tag nor digest', () => {
    expect(withDefaultTag(parseReference('app')).tag).toBe('latest')
    expect(withDefaultTag(parseReference('app:v1')).tag).toBe('v1')
    expect(withDefaultTag(parseReference(`app@${digest}`)).tag).toBeUndefined()
  })

  it('survives any text, and what it accepts round-trips and has no way up in it', () => {
    const piece = fc.constantFrom(
      'a',
      'B',
      '/',
      ':',
      '@',
      '.',
      '..',
      '-',
      '_',
      '%2e',
      'localhost',
      '5000',
      digest,
      ' ',
      '[::1]',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('')
        try {
          const reference = parseReference(text)
          expect(parseReference(formatReference(reference))).toEqual(reference)
          expect(`/${reference.repository}/`).not.toContain('/../')
        } catch (error) {
          if (!isRegistryError(error, 'REFERENCE_INVALID')) throw error
        }
      }),
    )
  })
})
