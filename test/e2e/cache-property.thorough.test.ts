/**
 * What a build gives is a function of what goes into it, not of what the store holds: random builds, each after others in
 * one store and again in an empty one, give the same images. There are two such stores, as of two machines, which share a
 * cache.
 *
 * TSBUILD_CACHE_CASES asks for more cases than usual, from a random seed; TSBUILD_CACHE_SEED repeats them. The first case
 * that fails is printed; TSBUILD_CACHE_SHRINK=1 makes it small, which takes its time.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { BuildError, type BuildOptions, build, prune } from '@tsbuild/builder'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheDirectory } from '../support/base-images.ts'
import type { ImageConfig } from '../support/image-layout.ts'
import { builds, dockerfileOf, type RandomBuild } from '../support/random-builds.ts'
import { writeBases, writeContext } from '../support/random-inputs.ts'
import { tarEntries } from '../support/tar-entries.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root', 'busybox', 'tar', 'setfattr')

const CASES = Number(process.env.TSBUILD_CACHE_CASES ?? 6)
const SEED = Number(process.env.TSBUILD_CACHE_SEED ?? (process.env.TSBUILD_CACHE_CASES ? Date.now() % 2 ** 31 : 4))

interface Place {
  readonly workspace: Workspace
  readonly bases: Readonly<Record<string, string>>
}

/** Where a build finds its context and keeps what it makes. */
interface Where {
  readonly context: string
  readonly root: string
  /** What machines share, and how much of it. */
  readonly shared?: { readonly directory: string; readonly mode: 'min' | 'max' }
}

/** What came of a build, as something that can be compared. */
interface Outcome {
  readonly error?: string
  /** Given when all times are. */
  readonly digest?: string | undefined
  readonly images?: readonly unknown[]
}

function buildArgs({ epoch, buildArg }: RandomBuild): Record<string, string> {
  return { V: buildArg, ...(epoch !== undefined && { SOURCE_DATE_EPOCH: String(epoch) }) }
}

/** A cache that is read and written; all layers are fetched, so that they can be looked at. */
function sharing({ root, shared }: Where): Pick<BuildOptions, 'cacheFrom' | 'cacheTo' | 'outputs'> {
  if (shared === undefined) return {}
  const { directory, mode } = shared
  return {
    cacheFrom: [{ type: 'local', attrs: { src: directory } }],
    cacheTo: [{ type: 'local', attrs: { dest: directory, mode } }],
    outputs: [{ type: 'oci', attrs: { dest: `${root}.tar` } }],
  }
}

async function outcome(random: RandomBuild, where: Where, { workspace, bases }: Place): Promise<Outcome> {
  const { context, root } = where
  const { epoch, platforms, noCache } = random
  try {
    const result = await build({
      context,
      dockerfileText: dockerfileOf(random),
      root,
      buildContexts: bases,
      platforms,
      buildArgs: buildArgs(random),
      ...sharing(where),
      ...(noCache === 'everything' && { noCache: true }),
      ...(noCache === 'first stage' && { noCacheFilter: ['s0'] }),
      env: { PATH: process.env.PATH, HOME: workspace.home },
    })
    const images = result.platforms.map(({ config, layers, diffIDs }) => {
      const described = JSON.parse(readFileSync(blob(root, config.digest), 'utf8')) as ImageConfig
      // Coherent: every layer has its history entry and its digest.
      expect(described.history.filter((entry) => !entry.empty_layer)).toHaveLength(layers.length)
      expect(described.rootfs.diff_ids).toEqual(diffIDs)
      return {
        config: epoch === undefined ? withoutTimes(described) : described,
        layers: layers.map((layer, i) => layerOf(blob(root, layer.digest), diffIDs[i]!, epoch)),
      }
    })
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

function layerOf(path: string, diffID: string, epoch: number | undefined): unknown {
  // Nobody needed the files of a base image here; elsewhere perhaps.
  if (!existsSync(path)) return diffID
  const tar = gunzipSync(readFileSync(path))
  expect(`sha256:${createHash('sha256').update(tar).digest('hex')}`).toBe(diffID)
  const listed = tarEntries(tar)
  if (listed.has('./bin/busybox') || listed.has('bin/busybox')) return diffID
  const entries = [...listed].map(([name, { mtime, ...entry }]) => {
    if (epoch !== undefined) expect(mtime, `time of ${name}`).toBeLessThan(NOW)
    return [name, { ...entry, mtime: mtime < NOW ? mtime : 'now' }]
  })
  return { entries, ...(epoch !== undefined && { diffID }) }
}

/** Does to a store what it has to bear at any time. */
async function disturb(random: RandomBuild, { context, root }: Where, { workspace, bases }: Place): Promise<void> {
  const { before, platforms } = random
  const env = { PATH: process.env.PATH, HOME: workspace.home }
  if (before === 'prune') await prune({ root, env, all: true })
  else if (before === 'prune a part') await prune({ root, env, all: true, reservedSpace: 2_500_000 })
  else if (before === 'lose snapshots') {
    for (const kind of ['overlay', 'copy']) {
      const directory = join(root, 'snapshots', kind)
      if (!existsSync(directory)) continue
      const lost = readdirSync(directory).filter((id) => /[02468ace]$/.test(id))
      for (const id of lost) await rm(join(directory, id), { recursive: true })
    }
  } else if (typeof before === 'number') {
    const options = [
      ...Object.entries(bases).map(([name, at]) => `--build-context=${name}=${at}`),
      ...Object.entries(buildArgs(random)).map(([name, value]) => `--build-arg=${name}=${value}`),
      ...['--root', root, '--progress=plain', `--platform=${platforms.join()}`, '-f', '-', context],
    ]
    const building = workspace.start(options, { stdin: dockerfileOf(random), timeout: 600_000 })
    building.child.stderr!.on('data', () => {
      if (building.stderr().split('\n').length > before) building.child.kill('SIGKILL')
    })
    await building.finished
  }
}

/** Does each of these builds after the others, in one of two stores and with one context that is written anew. */
async function inWarmStores(all: readonly RandomBuild[], directory: string, place: Place): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const [i, random] of all.entries()) {
    const shared = { directory: join(directory, 'shared'), mode: i % 2 === 0 ? 'max' : 'min' } as const
    const root = join(directory, i % 3 === 1 ? 'other' : 'warm')
    const where = { context: join(directory, 'warm-context'), root, shared }
    await writeContext(where.context, random)
    await disturb(random, where, place)
    outcomes.push(await outcome(random, where, place))
  }
  return outcomes
}

/** Does each of these builds in a store of its own; the same one again is not done again. */
async function inEmptyStores(all: readonly RandomBuild[], directory: string, place: Place): Promise<Outcome[]> {
  const known = new Map<string, Outcome>()
  const outcomes: Outcome[] = []
  for (const [i, random] of all.entries()) {
    const key = JSON.stringify({ ...random, before: undefined, noCache: undefined })
    const where = { context: join(directory, 'cold-context'), root: join(directory, `cold-${i}`) }
    if (!known.has(key)) {
      await writeContext(where.context, random)
      known.set(key, await outcome(random, where, place))
    }
    outcomes.push(known.get(key)!)
  }
  return outcomes
}

describe.skipIf(needs.skip)(`the cache${needs.note}`, () => {
  it(`gives what an empty store gives (${CASES} cases from seed ${SEED})`, async () => {
    // An empty store has no compiled code: half the time of a build.
    enableCompileCache(join(cacheDirectory(), 'compiled'))
    await using workspace = await openWorkspace()
    const place = { workspace, bases: await writeBases(workspace.path) }
    let count = 0
    const property = fc.asyncProperty(builds, async (all) => {
      const directory = workspace.join(`case-${++count}`)
      try {
        const [warm, cold] = await Promise.all([
          inWarmStores(all, directory, place),
          inEmptyStores(all, directory, place),
        ])
        for (const i of all.keys()) expect(warm[i], `build ${i + 1} of ${all.length}:\n${told(all)}`).toEqual(cold[i])
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    })
    await fc.assert(property, {
      seed: SEED,
      numRuns: CASES,
      endOnFailure: process.env.TSBUILD_CACHE_SHRINK === undefined,
    })
  }, 7_200_000)
})

function told(all: readonly RandomBuild[]): string {
  return all
    .map((random) => {
      const { stages: _, files, ...rest } = random
      return `${dockerfileOf(random)}\n# ${JSON.stringify(rest)}\n# ${JSON.stringify(files)}`
    })
    .join('\n\n--- then\n')
}
