/** An attacker changes what the builder walks over, between one look and the next: nothing outside is seen or touched. */
import { chmod, cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { startSwapper } from '../../packages/builder/src/sandbox/testing/swapper.ts'
import { busyboxLayout } from '../support/base-images.ts'
import { userCases } from '../support/users.ts'

/** RUNs of one build that meet the attacker. */
const ROUNDS = 12

describe.each(userCases('root', 'busybox'))('$title', ({ skip, open }) => {
  it.skipIf(skip)('the source of a cache mount never leaves the cache', async () => {
    await using opened = await open()
    const { place, options } = opened
    await cp(await busyboxLayout(), place.join('busybox'), { recursive: true })
    const base = ['--build-context', `busybox=oci-layout://${place.join('busybox')}`]
    const outside = place.join('outside')
    await mkdir(outside)
    await chmod(outside, 0o777)
    await writeFile(`${outside}/marker`, 'of the host\n')
    const first = await place.files(
      { Dockerfile: 'FROM busybox\nRUN --mount=type=cache,id=c,target=/c mkdir /c/good\n' },
      'first',
    )
    await place.must([...base, first], options)
    const data = await cacheData(place.root)
    await symlink(outside, `${data}/evil`)
    const runs = Array.from({ length: ROUNDS }, (_, i) => {
      const look = 'if [ -e /m/marker ]; then echo SEEN; fi; echo x > /m/written'
      return `RUN --mount=type=cache,id=c,source=good,target=/m echo ${i}; ${look}`
    })
    const second = await place.files({ Dockerfile: `FROM busybox\n${runs.join('\n')}\n` }, 'second')
    await using _attacker = await startSwapper(`${data}/good`, `${data}/evil`)
    const built = await place.run(['--progress=plain', ...base, second], options)
    const lines = (what: RegExp): number => built.stderr.match(what)?.length ?? 0
    expect({ code: built.code, seen: lines(/^#\d+ [\d.]+ SEEN$/gm), ran: lines(/^#\d+ [\d.]+ \d+$/gm) }).toEqual({
      code: 0,
      seen: 0,
      ran: ROUNDS,
    })
    expect(await readdir(outside)).toEqual(['marker'])
  })
})

/** Where the only cache of a store keeps what is in it. */
async function cacheData(root: string): Promise<string> {
  const caches = (await readdir(`${root}/cache-mounts`)).filter((name) => name !== 'locks')
  expect(caches).toHaveLength(1)
  return `${root}/cache-mounts/${caches[0]}/data`
}
