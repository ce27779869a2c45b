import { describe, expect, it } from 'vitest'
import { prepareCacheFrom, prepareCacheTo } from './spec.ts'

const entry = (text: string) => {
  const [type = '', ...pairs] = text.split(',')
  return { type, attrs: Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2))) }
}

describe('--cache-to', () => {
  it.each([
    ['registry,ref=a/b', { name: 'registry docker.io/a/b:latest', mode: 'min', ignoreError: false }],
    [
      'registry,REF=host:1/b:c,mode=max,ignore-error=true',
      { name: 'registry host:1/b:c', mode: 'max', ignoreError: true },
    ],
    ['local,dest=/x,compression=zstd,compression-level=22', { name: 'local /x', compression: 'zstd', level: 22 }],
    ['local,dest=/x,compression=uncompressed,force-compression=true', { compression: 'none', force: true }],
    ['inline', { name: 'inline', mode: 'min', open: undefined }],
    ['local,dest=/x', { mounts: undefined, warnings: [] }],
    ['local,dest=/x,mounts=true', { mounts: { ids: undefined, maxSize: 2 * 1024 ** 3 }, warnings: [] }],
    [
      'local,dest=/x,mounts=true,mounts-id=npm;/root/.cache,mounts-max-size=1.5GB',
      { mounts: { ids: new Set(['npm', '/root/.cache']), maxSize: 1.5 * 1024 ** 3 } },
    ],
  ])('%s', (text, expected) => expect(prepareCacheTo([entry(text)], {})).toMatchObject([expected]))

  it.each([
    ['registry', 'ref is required for registry cache'],
    ['registry,ref=A', 'repository name'],
    ['registry,ref=a/b,foo=1', 'unknown attribute "foo" of cache type registry'],
    ['registry,ref=a/b,verify=key', 'unknown attribute "verify"'],
    [`registry,ref=a/b@sha256:${'0'.repeat(64)}`, 'ref has a digest'],
    ['registry,ref=a/b,mode=all', 'unknown mode "all": expected one of min, max'],
    ['registry,ref=a/b,ignore-error=maybe', 'non-bool value for ignore-error: "maybe"'],
    ['registry,ref=a/b,compression=estargz', 'unsupported layer compression type: "estargz"'],
    ['registry,ref=a/b,compression-level=10', 'out of range: gzip has 0 to 9'],
    ['registry,ref=a/b,oci-mediatypes=false,image-manifest=true', 'image-manifest=true needs oci-mediatypes=true'],
    ['registry,ref=a/b,mounts=maybe', 'non-bool value for mounts: "maybe"'],
    ['registry,ref=a/b,mounts=true,mounts-max-size=lots', 'invalid mounts-max-size "lots"'],
    ['registry,ref=a/b,mounts=true,mounts-id=;', 'mounts-id names no cache mount'],
    ['registry,ref=a/b,mount-id=npm', 'unknown attribute "mount-id"'],
    ['local', 'dest is required for local cache'],
    ['local,dest=/x,tag=a b', 'invalid tag "a b"'],
    ['bogus', 'unknown cache type "bogus"'],
    ['toString', 'unknown cache type'],
  ])('refuses %s', (text, message) => {
    expect(() => prepareCacheTo([entry(text)], {})).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID', message: expect.stringContaining(message) }),
    )
    expect(() => prepareCacheTo([entry(text)], {})).toThrow('--cache-to: ')
  })

  it('says what has no effect', () => {
    expect(prepareCacheTo([entry('inline,mode=max')], {})[0]!.warnings).toEqual([
      '--cache-to type=inline: mode=max has no effect: an image has its own layers only',
    ])
    expect(prepareCacheTo([entry('local,dest=/x,src=/y')], {})[0]!.warnings).toEqual([
      '--cache-to type=local: src has no effect here',
    ])
    expect(prepareCacheTo([entry('local,dest=/x,mounts-id=npm')], {})[0]!.warnings).toEqual([
      '--cache-to: mounts-id and mounts-max-size have no effect without mounts=true',
    ])
    expect(prepareCacheTo([entry('inline,mounts=true')], {})).toMatchObject([
      {
        mounts: undefined,
        warnings: ['--cache-to type=inline: mounts=true has no effect: an image carries no cache mounts'],
      },
    ])
  })
})

describe('--cache-from', () => {
  it.each([
    ['registry,ref=a/b', { name: 'registry docker.io/a/b:latest', warnings: [] }],
    ['local,src=/x', { name: 'local /x', mounts: true }],
    ['local,src=/x,mounts=false', { mounts: false, warnings: [] }],
    ['local,src=/x,mounts-id=npm', { warnings: ['--cache-from type=local: mounts-id has no effect here'] }],
    ['local,src=/x,mode=max', { warnings: ['--cache-from type=local: mode has no effect here'] }],
  ])('%s', (text, expected) => expect(prepareCacheFrom([entry(text)], {})).toMatchObject([expected]))

  it.each([
    ['inline', 'there is no type inline here'],
    ['local,dest=/x', 'src is required for local cache'],
    ['local,src=/x,digest=abc', 'invalid digest "abc"'],
    ['registry,ref=a,refs=b', 'unknown attribute "refs" of cache type registry'],
  ])('refuses %s', (text, message) =>
    expect(() => prepareCacheFrom([entry(text)], {})).toThrow(
      expect.objectContaining({ code: 'CACHE_INVALID', message: expect.stringContaining(message) }),
    ),
  )

  it('takes each once, in their order', () => {
    const names = prepareCacheFrom(['registry,ref=b', 'registry,ref=a', 'registry,ref=b'].map(entry), {})
    expect(names.map(({ name }) => name)).toEqual([
      'registry docker.io/library/b:latest',
      'registry docker.io/library/a:latest',
    ])
  })
})
