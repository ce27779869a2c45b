import { execFileSync } from 'node:child_process'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { readDockerfile, readFetchedDockerfile, readIgnoreFile } from './dockerfile-file.ts'
import { type Fixture, makeTree, temporaryDirectory } from './fixture.test-support.ts'

const directory = temporaryDirectory()
afterAll(() => directory[Symbol.dispose]())

let root: string
let count = 0
beforeEach(() => {
  root = `${directory.path}/${count++}/context`
})

describe('readDockerfile', () => {
  it.each<[string, Fixture, string, string]>([
    ['Dockerfile', { Dockerfile: 'one' }, 'Dockerfile', 'one'],
    ['another name', { 'sub/My.Dockerfile': 'two' }, 'sub/My.Dockerfile', 'two'],
    ['a link', { Dockerfile: { link: 'd/real' }, 'd/real': 'three' }, 'Dockerfile', 'three'],
    ['a link to outside', { Dockerfile: { link: '../outside' }, '../outside': 'four' }, 'Dockerfile', 'four'],
    ['lower case', { dockerfile: 'five' }, 'Dockerfile', 'five'],
    ['both cases', { dockerfile: 'six', Dockerfile: 'seven' }, 'Dockerfile', 'seven'],
  ])('%s', (_, tree, name, text) => {
    makeTree(root, tree)
    expect(readDockerfile(`${root}/${name}`).text).toBe(text)
  })

  it('does not look for other cases of other names', () => {
    makeTree(root, { 'my.dockerfile': '' })
    expect(() => readDockerfile(`${root}/My.Dockerfile`)).toThrow(
      expect.objectContaining({
        code: 'DOCKERFILE_NOT_FOUND',
        message: 'failed to read dockerfile: open My.Dockerfile: no such file or directory',
      }),
    )
  })

  it('waits for no fifo and reads no directory', () => {
    makeTree(root, { 'Dockerfile/x': '' })
    expect(() => readDockerfile(`${root}/Dockerfile`)).toThrow(
      expect.objectContaining({ code: 'DOCKERFILE_UNREADABLE' }),
    )
    execFileSync('mkfifo', [`${root}/pipe`])
    expect(() => readDockerfile(`${root}/pipe`)).toThrow(
      expect.objectContaining({ message: expect.stringContaining('not a regular file') }),
    )
  })
})

describe('readFetchedDockerfile', () => {
  it('follows links inside the context only', () => {
    makeTree(root, {
      Dockerfile: { link: '../../secret' },
      'd/Dockerfile': { link: '/real' },
      real: 'inside',
      '../../secret': 'outside',
    })
    expect(() => readFetchedDockerfile(root, 'Dockerfile')).toThrow(
      expect.objectContaining({ code: 'DOCKERFILE_NOT_FOUND' }),
    )
    expect(() => readFetchedDockerfile(root, '../../secret')).toThrow(
      expect.objectContaining({ code: 'DOCKERFILE_NOT_FOUND' }),
    )
    expect(readFetchedDockerfile(root, 'd/Dockerfile').text).toBe('inside')
  })
})

describe('readIgnoreFile', () => {
  it.each<[string, Fixture, string | undefined, string | undefined]>([
    ['none', { a: '' }, 'Dockerfile', undefined],
    ['of the context', { '.dockerignore': 'c' }, 'Dockerfile', 'c'],
    ['of the Dockerfile', { '.dockerignore': 'c', 'Dockerfile.dockerignore': 'd' }, 'Dockerfile', 'd'],
    ['beside the Dockerfile', { '.dockerignore': 'c', 'sub/X.dockerignore': 's' }, 'sub/X', 's'],
    ['of another Dockerfile', { '.dockerignore': 'c', 'Dockerfile.dockerignore': 'd' }, 'Other', 'c'],
    ['of a named context', { '.dockerignore': 'c', 'Dockerfile.dockerignore': 'd' }, undefined, 'c'],
    ['through a link inside', { '.dockerignore': { link: '/x' }, x: 'x' }, undefined, 'x'],
    ['through a link to outside', { '.dockerignore': { link: '../y' }, '../y': 'y' }, undefined, undefined],
  ])('%s', (_, tree, dockerfile, text) => {
    makeTree(root, tree)
    expect(readIgnoreFile(root, dockerfile && `${root}/${dockerfile}`)?.text).toBe(text)
  })
})
