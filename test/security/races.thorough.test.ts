/** An attacker changes what the builder walks over, between one look and the next: nothing outside is seen or touched. */
import { chmod, chown, cp, lstat, mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { startSwapper, startSwapperIn } from '../../packages/builder/src/sandbox/testing/swapper.ts'
import { busyboxLayout } from '../support/base-images.ts'
import { userCases } from '../support/users.ts'

/** RUNs of one build that meet the attacker. */
const ROUNDS = 12
/** Builds whose RUN leaves a directory that the attacker changes. */
const BUILDS = 4
/** Files in it. */
const FILES = 300
/** Their time, in seconds. */
const TIME = 1_000_000_000

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

  it.skipIf(skip)('what a RUN has left never leads the builder out', async () => {
    await using opened = await open()
    const { place, options } = opened
    await cp(await busyboxLayout(), place.join('busybox'), { recursive: true })
    const base = ['--build-context', `busybox=oci-layout://${place.join('busybox')}`]
    const outside = place.join('outside')
    await mkdir(outside)
    // Like the files of the image, so that the builder finds them as they were and would drop them.
    const names = Array.from({ length: FILES }, (_, i) => `f${i}`)
    for (const path of [outside, ...names.map((name) => `${outside}/${name}`)]) {
      if (path !== outside) await writeFile(path, 'same\n', { mode: 0o644 })
      await chown(path, options.uid ?? 0, options.gid ?? 0)
      await utimes(path, TIME, TIME)
    }
    const look = async (): Promise<unknown[]> => {
      const found = (await readdir(outside)).sort()
      return await Promise.all(
        ['.', ...found].map(async (name) => {
          const { mode, uid, gid, size, mtimeMs, ctimeMs } = await lstat(`${outside}/${name}`)
          return { name, mode, uid, gid, size, mtimeMs, ctimeMs }
        }),
      )
    }
    const before = await look()
    const made = `mkdir /d && cd /d && for f in ${names.join(' ')}; do echo same > $f; done && touch -d @${TIME} * .`
    const opens = `for f in /d/*; do : >> $f; done; ln -s ${outside} /l`
    const dockerfile = (round: string): string => `FROM busybox\nRUN ${made}\nRUN : ${round}; ${round && opens}\n`
    await place.must([...base, await place.files({ Dockerfile: dockerfile('') }, 'base')], options)
    await using _attacker = await startSwapperIn(`${place.root}/snapshots/*/.new-*/*/fs`, 'd', 'l')
    for (let round = 1; round <= BUILDS; round++) {
      const context = await place.files({ Dockerfile: dockerfile(`round ${round}`) }, `round-${round}`)
      // Whatever it makes of the attack.
      await place.run([...base, '--progress=plain', context], options)
    }
    expect(await look()).toEqual(before)
  })
})

/** Where the only cache of a store keeps what is in it. */
async function cacheData(root: string): Promise<string> {
  const caches = (await readdir(`${root}/cache-mounts`)).filter((name) => name !== 'locks')
  expect(caches).toHaveLength(1)
  return `${root}/cache-mounts/${caches[0]}/data`
}
