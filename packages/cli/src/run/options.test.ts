import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../usage-error.ts'
import { makeVolumes, parseMount, parseTmpfs, parseVolume, volumeNotices } from './mounts.ts'
import { parseLimits, parseVariables } from './options.ts'

describe('flags of run', () => {
  it.each([
    ['/a:/b', { source: '/a', target: '/b', readonly: false }],
    ['./a:/b:ro', { source: './a', target: '/b', readonly: true }],
    ['.:/b:rw,z', { source: '.', target: '/b', readonly: false }],
  ])('--volume %s', (text, expected) => expect(parseVolume(text)).toEqual(expected))

  it('--volume says of z and Z that they have no effect', () => {
    expect(volumeNotices(['/a:/b:ro,z', '/a:/b:Z', '/a:/z', '/z:/b:ro'])).toEqual([
      'z and Z of -v /a:/b:ro,z have no effect: files are not relabelled for SELinux',
      'z and Z of -v /a:/b:Z have no effect: files are not relabelled for SELinux',
    ])
  })

  it.each(['/a', '/a:', ':/b', '/a:b', 'name:/b', '/a:/b:rx', '/a:/b:ro:x'])('--volume %s is refused', (text) =>
    expect(() => parseVolume(text)).toThrow(UsageError),
  )

  it.each([
    ['/t', { target: '/t' }],
    ['/t:', { target: '/t' }],
    ['/t:rw,size=64m,mode=0755,exec,nosuid', { target: '/t', size: 64 * 2 ** 20, mode: 0o755, exec: true }],
  ])('--tmpfs %s', (text, expected) => expect(parseTmpfs(text)).toEqual(expected))

  it.each(['t', '/t:ro', '/t:uid=5', '/t:mode=9', '/t:size='])('--tmpfs %s is refused', (text) =>
    expect(() => parseTmpfs(text)).toThrow(UsageError),
  )

  it.each([
    ['type=bind,src=/,dst=/m', { volume: { source: '/', target: '/m', readonly: false } }],
    ['type=bind,source=.,target=/m,readonly', { volume: { source: '/', target: '/m', readonly: true } }],
    ['type=bind,source=/,destination=/m,ro=false', { volume: { source: '/', target: '/m', readonly: false } }],
    ['type=tmpfs,dst=/m,tmpfs-size=1m,tmpfs-mode=1770', { tmpfs: { target: '/m', size: 2 ** 20, mode: 0o1770 } }],
  ])('--mount %s', (text, expected) => expect(parseMount(text, '/')).toEqual(expected))

  it.each([
    ['dst=/m,src=x', '--mount type=volume is not supported'],
    ['type=bnd,dst=/m', 'type=bnd is not supported'],
    ['type=bind,dst=/m', 'needs a source'],
    ['type=bind,src=/', 'a target is required'],
    ['type=bind,src=/,dst=m', 'mount path must be absolute'],
    ['type=bind,src=/nope,dst=/m', 'bind source path does not exist: /nope'],
    ['type=bind,src=/,dst=/m,tmpfs-size=1', 'tmpfs-size cannot be given for type=bind'],
    ['type=tmpfs,dst=/m,readonly', 'readonly cannot be given for type=tmpfs'],
    ['type=bind,src=/,dst=/m,volume-nocopy', 'unknown key "volume-nocopy"'],
  ])('--mount %s is refused', (text, message) => expect(() => parseMount(text, '/')).toThrow(message))

  it('makes directories of volumes that are missing and leaves files alone', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsbuild-volumes-'))
    try {
      writeFileSync(join(directory, 'file'), 'x')
      const paths = ['file', 'a/b'].map((name) => join(directory, name))
      await makeVolumes(paths.map((source) => ({ source, target: '/x' })))
      await expect(makeVolumes([{ source: join(directory, 'file/below'), target: '/x' }])).rejects.toThrow(
        /file\/below: not a directory$/,
      )
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('--env and --env-file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tsbuild-env-'))
    try {
      const file = join(directory, 'env')
      writeFileSync(file, '# a comment\n\nA=1\r\n  B=x = y\nC\nUNSET\n')
      const variables = parseVariables(['A=2', 'D', 'EMPTY='], [file], { C: 'c', D: 'd' })
      expect(variables).toEqual(['A=1', 'B=x = y', 'C=c', 'A=2', 'D=d', 'EMPTY='])
    } finally {
      rmSync(directory, { recursive: true })
    }
    for (const text of ['=x', 'A B=x']) expect(() => parseVariables([text], [], {})).toThrow(UsageError)
  })

  it('limits', () => {
    expect(parseLimits({})).toEqual({})
    const sets = { 'cpuset-cpus': '0,2', 'cpuset-mems': '0' }
    const limits = { memory: '1m', 'memory-swap': '-1', cpus: '0.5', ...sets, 'pids-limit': '-1' }
    expect(parseLimits(limits)).toEqual({
      memory: 2 ** 20,
      memorySwap: -1,
      cpuPeriod: 100_000,
      cpuQuota: 50_000,
      cpusetCpus: '0,2',
      cpusetMems: '0',
      pids: -1,
    })
    expect(parseLimits({ cpus: '0' })).toEqual({})
    for (const bad of [{ cpus: '0.001' }, { cpus: 'x' }, { memory: 'much' }, { memory: '-1' }, { 'pids-limit': '-2' }])
      expect(() => parseLimits(bad)).toThrow(UsageError)
    expect(() => parseLimits({ cpus: '9999' })).toThrow(/^range of CPUs is from 0\.01 to \d+\.00, as there are only/)
    expect(() => parseLimits({ cpus: '1', 'cpu-quota': '5000' })).toThrow('--cpus and --cpu-quota cannot both be set')
  })
})
