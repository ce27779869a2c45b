import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { busyboxLayout } from '../support/base-images.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace } from '../support/workspace.ts'

const needs = gate('root', 'busybox', 'runc', 'setpriv')

const unprivileged = ['setpriv', '--bounding-set', '-sys_admin']
const levels = [
  { name: 'namespaces', isolation: 'namespaces', through: [] },
  { name: 'oci', isolation: 'oci', through: [] },
  { name: 'chroot', isolation: 'chroot', through: [] },
  { name: 'chroot where nothing can be mounted', isolation: 'chroot', through: unprivileged },
]

describe.each(levels)('RUN at level $name', ({ isolation, through }) => {
  it.skipIf(needs.skip)(`mounts over what the image has and leaves that as it was${needs.note}`, async () => {
    await using place = await openWorkspace()
    const context = await place.files({
      Dockerfile: `
        FROM busybox AS base
        RUN mkdir -p /data/deep && echo base > /data/f && echo base > /data/deep/f && echo '#!/bin/sh' > /script
        FROM base
        RUN --mount=type=cache,id=${isolation},target=/data test ! -e /data/f && echo cached > /data/c && mkdir /data/deep
        RUN --mount=type=cache,id=${isolation},target=/data cat /data/c > /seen && echo more >> /data/c
        RUN --mount=type=cache,id=${isolation},target=/data cat /data/c >> /seen
        RUN --mount=type=tmpfs,target=/data/deep echo x > /data/deep/x && test ! -e /data/deep/f
        RUN --mount=type=bind,target=/data/deep cat /data/deep/hello >> /seen && cat /data/f >> /seen
        RUN --mount=type=secret,id=s,target=/script,mode=0500 /script >> /seen
        RUN --mount=type=secret,id=s,target=/script test ! -x /script || ! /script`,
      hello: 'hello\n',
    })
    await place.files({ s: '#!/bin/sh\necho ran\n' }, 'secrets')
    const args = [
      ...['--progress=plain', `--isolation=${isolation}`, '--secret', `id=s,src=${place.join('secrets/s')}`],
      ...['--build-context', `busybox=oci-layout://${await busyboxLayout()}`, '-o', place.join('out'), context],
    ]
    await place.must(args, { through })
    const read = (name: string): Promise<string> => readFile(place.join('out', name), 'utf8')
    expect(await read('seen')).toBe('cached\ncached\nmore\nhello\nbase\nran\n')
    expect((await readdir(place.join('out/data'), { recursive: true })).sort()).toEqual(['deep', 'deep/f', 'f'])
    expect([await read('data/f'), await read('data/deep/f'), await read('script')]).toEqual([
      'base\n',
      'base\n',
      '#!/bin/sh\n',
    ])
  })
})

it.skipIf(needs.skip)(`RUNs that could reach each other's files run one at a time${needs.note}`, async () => {
  await using place = await openWorkspace()
  const stage = (name: string): string => `
    FROM busybox AS ${name}
    RUN : ${name}; date +%s > /from && sleep 2 && date +%s > /to`
  const copies = ['a', 'b'].map((name) => `COPY --from=${name} /from /to /${name}/`)
  const context = await place.files({
    Dockerfile: `${['a', 'b'].map(stage).join('\n')}\nFROM scratch\n${copies.join('\n')}\n`,
  })
  const base = ['--build-context', `busybox=oci-layout://${await busyboxLayout()}`]
  const args = ['--progress=plain', '--isolation=chroot', ...base, '-o', place.join('out'), context]
  await place.must(args, { through: unprivileged })
  const read = async (name: string): Promise<number> => Number(await readFile(place.join('out', name), 'utf8'))
  const [a, b] = [
    { from: await read('a/from'), to: await read('a/to') },
    { from: await read('b/from'), to: await read('b/to') },
  ]
  expect(a.to - a.from).toBeGreaterThan(0)
  expect(a.to <= b.from || b.to <= a.from, JSON.stringify({ a, b })).toBe(true)
})

it.skipIf(needs.skip)(`a program in another format is explained${needs.note}`, async () => {
  await using place = await openWorkspace()
  const context = await place.files({
    Dockerfile: 'FROM scratch\nCOPY --chmod=755 p /p\nRUN ["/p"]\n',
    p: 'no program',
  })
  const other = process.arch === 'arm64' ? 'linux/amd64' : 'linux/arm64'
  const foreign = await place.run(['--progress=plain', '--platform', other, context])
  expect(foreign.code).not.toBe(0)
  expect(foreign.stderr).toContain('exec /p: exec format error')
  expect(foreign.stderr).toMatch(new RegExp(`hint: the image is for ${other}.*qemu-user-static`))
  const own = await place.run(['--progress=plain', context])
  expect(own.stderr).toMatch(/hint: it is neither a program for linux\/\S+ nor a script/)
})
