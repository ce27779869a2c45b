/**
 * What a build gives is a function of what goes into it, not of what the store holds: random builds, each after others in
 * one store and again in an empty one, give the same images.
 *
 * TSBUILD_CACHE_CASES asks for more cases than usual, from a random seed; TSBUILD_CACHE_SEED repeats them. What fails is
 * made small and printed with its seed.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { BuildError, build, prune } from '@tsbuild/builder'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheDirectory } from '../support/base-images.ts'
import { type ImageConfig, listTar } from '../support/image-layout.ts'
import { builds, dockerfileOf, type RandomBuild, writeBases, writeContext } from '../support/random-builds.ts'
import { tempDirectory } from '../support/temp.ts'
import { gate } from '../support/tools.ts'

const needs = gate('root', 'busybox', 'tar')

const CASES = Number(process.env.TSBUILD_CACHE_CASES ?? 12)
const SEED = Number(process.env.TSBUILD_CACHE_SEED ?? (process.env.TSBUILD_CACHE_CASES ? Date.now() % 2 ** 31 : 4))

interface Place {
  readonly context: string
  readonly home: string
  readonly bases: Readonly<Record<string, string>>
}

/** What came of a build, as something that can be compared. */
interface Outcome {
  readonly error?: string
  /** Given when all times are. */
  readonly digest?: string | undefined
  readonly images?: readonly unknown[]
}

async function outcome(random: RandomBuild, root: string, { context, home, bases }: Place): Promise<Outcome> {
  const { epoch, platforms, buildArg, noCache } = random
  try {
    const result = await build({
      context,
      dockerfileText: dockerfileOf(random),
      root,
      buildContexts: bases,
      platforms,
      buildArgs: { V: buildArg, ...(epoch !== undefined && { SOURCE_DATE_EPOCH: String(epoch) }) },
      ...(noCache === 'everything' && { noCache: true }),
      ...(noCache === 'first stage' && { noCacheFilter: ['s0'] }),
      env: { PATH: process.env.PATH, HOME: home },
    })
    const images = []
    for (const { config, layers, diffIDs } of result.platforms) {
      const described = JSON.parse(readFileSync(blob(root, config.digest), 'utf8')) as ImageConfig
      // Coherent: every layer has its history entry and its digest.
      expect(described.history.filter((entry) => !entry.empty_layer)).toHaveLength(layers.length)
      expect(described.rootfs.diff_ids).toEqual(diffIDs)
      images.push({
        config: epoch === undefined ? withoutTimes(described) : described,
        layers: await Promise.all(layers.map((layer, i) => layerOf(blob(root, layer.digest), diffIDs[i]!, epoch))),
      })
    }
    return { images, digest: epoch === undefined ? undefined : result.digest }
  } catch (error) {
    if (!(error instanceof BuildError) || error.code === 'INTERNAL') throw error
    return { error: `${error.code}: ${error.message}` }
  }
}

function blob(root: string, digest: string): string {
  return join(root, 'blobs', ...digest.split(':'))
}

function withoutTimes({ created: _, rootfs: _r, history, ...config }: ImageConfig): unknown {
  return { ...config, history: history.map(({ created: _c, ...entry }) => entry) }
}

/** Later than all times that are given. */
const NOW = 1_700_000_000

async function layerOf(path: string, diffID: string, epoch: number | undefined): Promise<unknown> {
  // Nobody needed the files of a base image here; elsewhere perhaps.
  if (!existsSync(path)) return diffID
  const tar = gunzipSync(readFileSync(path))
  expect(`sha256:${createHash('sha256').update(tar).digest('hex')}`).toBe(diffID)
  const listed = await listTar(path)
  if (listed.has('bin/busybox')) return diffID
  const entries = [...listed].map(([name, { mtime, ...entry }]) => {
    if (epoch !== undefined) expect(mtime, `time of ${name}`).toBeLessThan(NOW)
    return [name, { ...entry, mtime: mtime < NOW ? mtime : 'now' }]
  })
  // Two files of one size differ in the digest, which times are part of.
  return { entries, ...(epoch !== undefined && { diffID }) }
}

/** Deletes what a store may lose at any time. */
async function disturb({ before }: RandomBuild, root: string, home: string): Promise<void> {
  const env = { PATH: process.env.PATH, HOME: home }
  if (before === 'prune') await prune({ root, env, all: true })
  else if (before === 'prune a part') await prune({ root, env, all: true, keepStorage: 2_500_000 })
  else if (before === 'lose snapshots') {
    for (const kind of ['overlay', 'copy']) {
      const directory = join(root, 'snapshots', kind)
      if (!existsSync(directory)) continue
      const lost = readdirSync(directory).filter((id) => /[02468ace]$/.test(id))
      for (const id of lost) await rm(join(directory, id), { recursive: true })
    }
  }
}

describe.skipIf(needs.skip)(`the cache${needs.note}`, () => {
  it(`gives what an empty store gives (${CASES} cases from seed ${SEED})`, async () => {
    // An empty store has no compiled code: half the time of a build.
    enableCompileCache(join(cacheDirectory(), 'compiled'))
    await using directory = await tempDirectory('tsbuild-test-')
    const place = { context: directory.join('context'), home: directory.path, bases: await writeBases(directory.path) }
    let count = 0
    const property = fc.asyncProperty(builds, async (all) => {
      const stores = directory.join(`stores-${++count}`)
      try {
        for (const [i, random] of all.entries()) {
          await writeContext(place.context, random)
          await disturb(random, join(stores, 'warm'), place.home)
          const warm = await outcome(random, join(stores, 'warm'), place)
          const cold = await outcome(random, join(stores, `cold-${i}`), place)
          if (process.env.TSBUILD_CACHE_VERBOSE)
            console.log(
              performance.now() | 0,
              process.cpuUsage().user / 1e6,
              count,
              i,
              warm.error ?? warm.digest ?? 'undated',
            )
          expect(warm, `build ${i + 1} of ${all.length}:\n${told(all)}`).toEqual(cold)
        }
      } finally {
        await rm(stores, { recursive: true, force: true })
      }
    })
    await fc.assert(property, {
      seed: SEED,
      numRuns: CASES,
      examples: [],
      endOnFailure: process.env.TSBUILD_CACHE_SHRINK === undefined,
    })
  }, 3_600_000)
})

function told(all: readonly RandomBuild[]): string {
  return all
    .map((random) => {
      const { stages: _, files, ...rest } = random
      return `${dockerfileOf(random)}\n# ${JSON.stringify(rest)}\n# ${JSON.stringify(files)}`
    })
    .join('\n\n--- then\n')
}
