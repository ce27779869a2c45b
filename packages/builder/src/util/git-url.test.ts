import { describe, expect, it } from 'vitest'
import { redactUrl, redactUrls } from '../redact.ts'
import { parseGitUrl } from './git-url.ts'

const none = { ref: undefined, subdir: undefined, checksum: undefined, keepGitDir: undefined, submodules: undefined }

describe('parseGitUrl', () => {
  it.each([
    ['https://example.com/foo.git', { remote: 'https://example.com/foo.git' }],
    ['https://u:p@example.com/foo.git', { remote: 'https://u:p@example.com/foo.git' }],
    ['https://example.com/foo.git#deadbeef', { remote: 'https://example.com/foo.git', ref: 'deadbeef' }],
    ['https://example.com/foo.git#release/1.2', { remote: 'https://example.com/foo.git', ref: 'release/1.2' }],
    ['https://example.com/f.git#a/b:c/d', { remote: 'https://example.com/f.git', ref: 'a/b', subdir: 'c/d' }],
    ['https://example.com/f.git#:c', { remote: 'https://example.com/f.git', subdir: 'c' }],
    ['git://example.com/foo', { remote: 'git://example.com/foo' }],
    ['ssh://git@example.com:22/foo', { remote: 'ssh://git@example.com:22/foo' }],
    ['git@github.com:moby/buildkit', { remote: 'git@github.com:moby/buildkit' }],
    ['git@github.com:moby/buildkit.git#v1:d', { remote: 'git@github.com:moby/buildkit.git', ref: 'v1', subdir: 'd' }],
    ['https://x.y/f.git?ref=a&subdir=b', { remote: 'https://x.y/f.git', ref: 'a', subdir: 'b' }],
    ['https://x.y/f.git?tag=v1', { remote: 'https://x.y/f.git', ref: 'refs/tags/v1' }],
    ['https://x.y/f.git?branch=refs/heads/b', { remote: 'https://x.y/f.git', ref: 'refs/heads/b' }],
    ['https://x.y/f.git?commit=abc123', { remote: 'https://x.y/f.git', ref: 'abc123', checksum: 'abc123' }],
    ['https://x.y/f.git?checksum=abc#v1', { remote: 'https://x.y/f.git', ref: 'v1', checksum: 'abc' }],
    ['https://x.y/f.git?submodules=false', { remote: 'https://x.y/f.git', submodules: false }],
    ['https://x.y/f.git?keep-git-dir', { remote: 'https://x.y/f.git', keepGitDir: true }],
  ])('%s', (text, want) => expect(parseGitUrl(text)).toEqual({ ...none, ...want }))

  it.each([
    'https://example.com/',
    'https://example.com/foo',
    'https://example.com/foo.git/',
    'https://example.com/foo.git.bar',
    'http://github.com/docker/docker.git:#branch',
    'custom.xyz/moby/buildkit.git',
    './foo.git',
    '../foo.git',
    '/foo.git',
    'foo.git',
    'ftp://x.y/f.git',
    'file:///tmp/x.git',
    'ext::sh -c date.git',
    'github.com/moby/buildkit',
    '-u@host:x',
    'git@-oProxyCommand=x:y',
  ])('%s is no repository', (text) => expect(parseGitUrl(text)).toBeUndefined())

  it('takes the short form where it is asked for', () => {
    expect(parseGitUrl('github.com/a/b#c', true)).toEqual({ ...none, remote: 'https://github.com/a/b', ref: 'c' })
  })

  it.each([
    ['https://x.y/f.git#-x', 'begins with a dash'],
    ['https://x.y/f.git?ref=--upload-pack=x', 'begins with a dash'],
    ['https://x.y/f.git?ref=a#b', 'ref conflicts: "b" vs "a"'],
    ['https://x.y/f.git?subdir=a#:b', 'subdir conflicts: "b" vs "a"'],
    ['https://x.y/f.git?tag=a&branch=b', 'branch conflicts with tag'],
    ['https://x.y/f.git?ref=a&ref=b', 'query "ref" has multiple values'],
    ['https://x.y/f.git?ref=', 'query "ref" has no value'],
    ['https://x.y/f.git?foo=1', 'unexpected query "foo"'],
    ['https://x.y/f.git?submodules=maybe', 'invalid submodules value: "maybe"'],
  ])('%s is refused', (text, message) => expect(() => parseGitUrl(text)).toThrow(message))
})

it('takes credentials out of URLs', () => {
  expect(redactUrl('https://u:secret@x.y/z')).toBe('https://xxxxx@x.y/z')
  expect(redactUrl('https://u:s@e@cret@x.y/z')).toBe('https://xxxxx@x.y/z')
  expect(redactUrl('ssh://git@x.y/z')).toBe('ssh://git@x.y/z')
  expect(redactUrl('ssh://git:secret@x.y/z')).toBe('ssh://git:xxxxx@x.y/z')
  expect(redactUrls('ADD http://a:b@c/d https://e@f/g /h@i')).toBe('ADD http://xxxxx@c/d https://xxxxx@f/g /h@i')
  expect(redactUrl('https://x.y/z@1')).toBe('https://x.y/z@1')
  expect(redactUrl('git@github.com:a/b')).toBe('git@github.com:a/b')
})
