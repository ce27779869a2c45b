/**
 * Builds, prunes, automatic collection, removals of images, pushes and kill -9 side by side on one store. TSBUILD_STRESS_ROUNDS says how often
 * (default 2). Every image must be, byte for byte, the one that an empty store gives; what is pushed as well, or there is
 * an error.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, inject, it } from 'vitest'
import { type Descriptor, readFromTar } from '../support/image-layout.ts'
import { processesOf } from '../support/leftovers.ts'
import { type Finished, type Running, until } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const ROUNDS = Number(process.env.TSBUILD_STRESS_ROUNDS ?? 2)
const FILES = 400
/** Milliseconds: many times what it takes, on a machine that does other things as well. */
const LONGEST = 300_000 + ROUNDS * 120_000

const dockerfile = (last: number) => `
FROM ${inject('registry')}/busybox AS base
COPY . /src
RUN mkdir /made && for i in $(seq ${FILES / 4}); do echo $i > /made/$i; done
FROM base AS other
RUN find /src -type f | sort | xargs cat > /joined
FROM base
COPY --from=other /joined /
RUN find /src /made -type f | sort | xargs cat | sha256sum > /sum-${last % 3}; echo ${last} > /last
`

/** Each build has a process collect what is too much when it has ended, and everything is. */
const COLLECTING = { TSBUILD_GC: 'interval=0s,max-used-space=1' }

const nameOf = (last: number) => `${inject('registry')}/stress:${last}`

interface Build {
  readonly running: Running
  readonly last: number
  readonly archive: string
}

function startBuild(place: Workspace, last: number, name: string, root = place.root): Build {
  const archive = place.join(`${name}.tar`)
  const args = [
    '--root',
    root,
    '--progress=plain',
    '--build-arg',
    'SOURCE_DATE_EPOCH=0',
    '-f',
    '-',
    '-o',
    `type=oci,dest=${archive},rewrite-timestamp=true`,
    '-o',
    `type=image,name=${nameOf(last)},rewrite-timestamp=true`,
  ]
  const running = place.start([...args, place.join('context')], {
    stdin: dockerfile(last),
    timeout: LONGEST,
    env: COLLECTING,
  })
  return { running, last, archive }
}

/** The digest of the image in an archive. */
async function digestOf(archive: string): Promise<string> {
  const index = JSON.parse(await readFromTar(archive, 'index.json')) as { manifests: [{ digest: string }] }
  return index.manifests[0].digest
}

/** What a registry has: all of it, and that image. */
async function checkPushed(last: number, digest: string): Promise<void> {
  const repository = `http://${inject('registry')}/v2/stress`
  const accept = 'application/vnd.oci.image.manifest.v1+json'
  const answer = await fetch(`${repository}/manifests/${last}`, { headers: { accept } })
  expect(answer.headers.get('docker-content-digest')).toBe(digest)
  const { layers, config } = (await answer.json()) as Record<'layers', Descriptor[]> & { config: Descriptor }
  for (const { digest } of [config, ...layers])
    expect((await fetch(`${repository}/blobs/${digest}`, { method: 'HEAD' })).status).toBe(200)
}

const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
  return seed / 2 ** 32
}

const title = `builds and prunes in one store, some killed, give the right images${needs.note}`

it.skipIf(needs.skip)(title, { timeout: LONGEST }, async () => {
  await using place = await openWorkspace()
  await place.files(
    Object.fromEntries(Array.from({ length: FILES }, (_, i) => [`d${i % 20}/f${i}`, `content of ${i}\n`.repeat(20)])),
  )
  const expected = new Map<number, Buffer>()
  const digests: string[] = []
  const variants = 3
  for (let last = 0; last < variants; last++) {
    const alone = startBuild(place, last, `alone-${last}`, place.join(`empty-${last}`))
    expect(await alone.running.finished).toMatchObject({ code: 0 })
    expected.set(last, await readFile(alone.archive))
    digests.push(await digestOf(alone.archive))
  }
  const random = seeded(Number(process.env.TSBUILD_STRESS_SEED ?? 1))
  const check = async ({ last, archive }: Build, result: Finished) => {
    expect(result, result.stderr).toMatchObject({ code: 0 })
    expect((await readFile(archive)).equals(expected.get(last)!), `the image of ${last}\n${result.stderr}`).toBe(true)
  }
  const warm = startBuild(place, 0, 'warm')
  await check(warm, await warm.running.finished)

  for (let round = 0; round < ROUNDS; round++) {
    const pick = () => Math.floor(random() * variants)
    const work: Promise<void>[] = []
    const later = (ms: number, start: () => Promise<void>) => work.push(delay(ms).then(start))
    const spread = 1500
    for (const name of ['a', 'b'])
      later(random() * spread, async () => {
        const build = startBuild(place, pick(), `${name}-${round}`)
        await check(build, await build.running.finished)
      })
    for (const all of [['--all'], [], ['--auto']])
      later(random() * spread, async () => {
        expect(await place.run(['prune', ...all], { env: COLLECTING })).toMatchObject({ code: 0 })
      })
    later(random() * spread, async () => {
      const killed = random() < 0.5 ? place.start(['prune', '--all']) : startBuild(place, pick(), 'killed').running
      await delay(random() * spread)
      killed.child.kill('SIGKILL')
      await killed.finished
    })
    later(random() * spread, async () => {
      // There, or gone by another round: both are answers.
      expect((await place.run(['rmi', '-f', nameOf(pick())])).code).toBe(0)
    })
    later(random() * spread, async () => {
      const last = pick()
      const { code, stderr } = await place.run(['push', nameOf(last)], { timeout: LONGEST })
      // Removed before or meanwhile.
      if (code !== 0) expect(stderr).toMatch(/^ERROR: (?!.*mistake in tsbuild)./m)
      else await checkPushed(last, digests[last]!)
    })
    await Promise.all(work)
  }
  const final = startBuild(place, 0, 'final')
  await check(final, await final.running.finished)
  await until('the last collection', async () => processesOf(place.root).length === 0)
})
