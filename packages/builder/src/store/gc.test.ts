import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mediaTypes } from '@tsbuild/registry-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spaceLimits } from './collect.ts'
import {
  collect,
  diskUsage,
  isCollectionDue,
  openStore,
  type PruneOptions,
  prune,
  type SnapshotTable,
  type Store,
  type StoredThing,
  type UsageFilter,
} from './index.ts'

const HOUR = 3_600_000
const now = Date.now() + 1000

let root: string
let store: Store
/** The worker's snapshots. */
let snapshots: Map<string, StoredThing>
let table: SnapshotTable

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'gc-'))
  store = await openStore(root)
  snapshots = new Map()
  table = {
    async *list() {
      yield* snapshots.values()
    },
    async remove(id) {
      snapshots.delete(id)
    },
    purge: async () => [],
  }
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

async function blob(content: string, age: number): Promise<string> {
  const { digest } = await store.blobs.put([Buffer.from(content)] as unknown as AsyncIterable<Uint8Array>)
  setAge(store.blobs.path(digest), age)
  return digest
}

function setAge(path: string, age: number): void {
  const time = (now - age) / 1000
  utimesSync(path, time, time)
}

function setRecordAge(key: string, age: number): void {
  setAge(join(root, 'records/step', createHash('sha256').update(key).digest('hex')), age)
}

function snapshot(id: string, size: number, age: number): string {
  snapshots.set(id, { id, size, created: now - age, lastUsed: now - age })
  return id
}

/** A record of a step with a layer and a snapshot of 1000 bytes each, last used `age` ago. */
async function step(key: string, age: number): Promise<{ layer: string; snapshot: string }> {
  const made = { layer: await blob(key.padEnd(1000, '.'), age), snapshot: snapshot(`s-${key}`, 1000, age) }
  await store.records.put('step', key, made, { blobs: [made.layer], snapshots: [made.snapshot] })
  setRecordAge(key, age)
  return made
}

async function tag(name: string, layers: string[]): Promise<void> {
  const descriptor = async (mediaType: string, digest: string) => ({
    mediaType,
    digest: digest as `sha256:${string}`,
    size: (await store.blobs.size(digest))!,
  })
  const config = await descriptor(mediaTypes.ociConfig, await blob('{}', 0))
  const list = await Promise.all(layers.map((layer) => descriptor(mediaTypes.ociLayerGzip, layer)))
  const manifest = await blob(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: list }),
    0,
  )
  await store.images.tag(name, await descriptor(mediaTypes.ociManifest, manifest), now)
}

async function removedBy(options: PruneOptions): Promise<string[]> {
  const { removed } = await prune(store, table, options, now)
  return removed.filter(({ kind }) => kind !== 'blob').map(({ kind, id }) => `${kind} ${id}`)
}

it('deletes what nothing refers to, then all records, oldest first', async () => {
  const loose = await blob('loose', HOUR)
  snapshot('loose', 10, HOUR)
  const young = await step('young', HOUR)
  const old = await step('old', 3 * HOUR)
  const result = await prune(store, table, {}, now)
  expect(result.removed.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
    `blob ${loose}`,
    'snapshot loose',
    'record old',
    `blob ${old.layer}`,
    'snapshot s-old',
    'record young',
    `blob ${young.layer}`,
    'snapshot s-young',
  ])
  expect(result.left).toBe(0)
  expect(result.freed).toBeGreaterThan(4000)
  expect([await store.blobs.has(old.layer), snapshots.size, await store.records.get('step', 'old')]).toEqual([
    false,
    0,
    undefined,
  ])
})

it('deletes nothing in a dry run', async () => {
  const made = await step('a', HOUR)
  const planned = await prune(store, table, { dryRun: true }, now)
  expect(planned.removed).toHaveLength(3)
  expect([await store.blobs.has(made.layer), snapshots.size]).toEqual([true, 1])
})

it('keeps images, and their cache unless all is asked for', async () => {
  const kept = await step('kept', 5 * HOUR)
  await step('other', HOUR)
  await tag('image:1', [kept.layer])
  expect(await removedBy({})).toEqual(['record other', 'snapshot s-other'])
  expect(await removedBy({ all: true })).toEqual(['record kept', 'snapshot s-kept'])
  expect(await store.blobs.has(kept.layer)).toBe(true)
  await store.images.untag('image:1')
  await prune(store, table, {}, now)
  expect(await store.blobs.has(kept.layer)).toBe(false)
})

it('keeps the newest up to a size', async () => {
  for (const [key, age] of [
    ['a', 4],
    ['b', 3],
    ['c', 2],
    ['d', 1],
  ] as const)
    await step(key, age * HOUR)
  expect(await removedBy({ reservedSpace: 5000 })).toEqual(['record a', 'snapshot s-a', 'record b', 'snapshot s-b'])
  expect(await removedBy({ reservedSpace: 5000 })).toEqual([])
})

describe('limits', () => {
  const steps = async (...keys: string[]) => {
    for (const [i, key] of keys.entries()) await step(key, (keys.length - i) * HOUR)
  }

  it('of what is used', async () => {
    await steps('a', 'b', 'c')
    expect(await removedBy({ maxUsedSpace: 5000 })).toEqual(['record a', 'snapshot s-a'])
  })

  it('keep what is reserved, whatever else they say', async () => {
    await steps('a', 'b', 'c')
    expect(await removedBy({ maxUsedSpace: 1, reservedSpace: 5000 })).toEqual(['record a', 'snapshot s-a'])
  })

  it('of room that the disk has: nothing goes while there is enough, everything when there never can be', async () => {
    await steps('a', 'b')
    expect(await removedBy({ minFreeSpace: 1 })).toEqual([])
    expect(await removedBy({ minFreeSpace: 2 ** 52, reservedSpace: 2500 })).toEqual(['record a', 'snapshot s-a'])
    expect(await removedBy({ minFreeSpace: 2 ** 52 })).toEqual(['record b', 'snapshot s-b'])
  })

  it('do not count what images consist of', async () => {
    const { layer } = await step('image', 9 * HOUR)
    await tag('image:1', [layer])
    await steps('a', 'b')
    expect(await removedBy({ maxUsedSpace: 5500 })).toEqual(['record a', 'snapshot s-a'])
  })

  it('hold for what nothing refers to as well', async () => {
    const loose = await blob('loose'.repeat(100), HOUR)
    await prune(store, table, { maxUsedSpace: 5000 }, now)
    expect(await store.blobs.has(loose)).toBe(true)
  })
})

describe('filters', () => {
  /** One of each kind. */
  async function some(): Promise<{ loose: string }> {
    await step('a', 3 * HOUR)
    await step('b', 2 * HOUR)
    await store.records.put('fingerprint', 'f', {})
    setAge(join(root, 'records/fingerprint', createHash('sha256').update('f').digest('hex')), HOUR)
    mkdirSync(join(root, 'stat-cache'), { recursive: true })
    writeFileSync(join(root, 'stat-cache/ctx'), 'x')
    setAge(join(root, 'stat-cache/ctx'), HOUR)
    const mounts = new Set(['m'])
    table = {
      ...table,
      mounts: {
        list: async () =>
          [...mounts].map((id) => ({ id, description: 'pip', size: 7, created: now, lastUsed: now - HOUR })),
        remove: async (id) => mounts.delete(id),
      },
    }
    return { loose: await blob('loose', HOUR) }
  }

  it.each<[string, UsageFilter[], string[]]>([
    ['a type', [{ key: 'type', operator: '=', value: 'exec.cachemount' }], ['mount m']],
    ['another type', [{ key: 'type', operator: '=', value: 'source.local' }], ['context ctx']],
    ['what the builder noted', [{ key: 'type', operator: '=', value: 'internal' }], ['record f']],
    ['no type', [{ key: 'type', operator: '!=', value: 'regular' }], ['record f', 'mount m', 'context ctx']],
    ['a description', [{ key: 'description', operator: '~=', value: '^p' }], ['mount m']],
    ['what changes', [{ key: 'mutable', operator: 'true' }], ['mount m', 'context ctx']],
    ['a record by its key', [{ key: 'id', operator: '=', value: 'a' }], ['record a', 'snapshot s-a']],
    ['a record by what it holds', [{ key: 'id', operator: '~=', value: 's-b' }], ['record b', 'snapshot s-b']],
    [
      'all of several',
      [
        { key: 'mutable', operator: 'true' },
        { key: 'id', operator: '=', value: 'm' },
      ],
      ['mount m'],
    ],
    ['nothing', [{ key: 'type', operator: '=', value: 'frontend' }], []],
    ['what is in use', [{ key: 'inuse', operator: 'true' }], []],
  ])('choose %s', async (_, filters, expected) => {
    const { loose } = await some()
    expect((await removedBy({ filters })).sort()).toEqual(expected.sort())
    expect(await store.blobs.has(loose)).toBe(true)
    const rest = await diskUsage(store, table, now, { filters })
    expect(rest.items).toEqual([])
  })

  it('tell what an image shares', async () => {
    const { layer } = await step('image', HOUR)
    await tag('image:1', [layer])
    const usage = await diskUsage(store, table, now, { filters: [{ key: 'shared', operator: 'true' }] })
    expect(usage.items.map(({ kind }) => kind).sort()).toEqual(['blob', 'blob', 'blob', 'record'])
    expect(await removedBy({ all: true, filters: [{ key: 'shared', operator: 'true' }] })).toEqual([
      'record image',
      'snapshot s-image',
    ])
  })

  it('without one, caches of mounts and of contexts go as well', async () => {
    await some()
    const { left } = await prune(store, table, {}, now)
    expect(left).toBe(0)
  })
})

describe('automatic collection', () => {
  it('has the limits of buildkitd by default, and those that are set alone', () => {
    expect(spaceLimits({}, 50e9)).toEqual({ maxUsedSpace: 40e9, minFreeSpace: 10e9, reservedSpace: 5e9 })
    expect(spaceLimits({}, 1e12)).toEqual({ maxUsedSpace: 100e9, minFreeSpace: 200e9, reservedSpace: 10e9 })
    expect(spaceLimits({ maxUsedSpace: { percent: 50 } }, 1e12)).toEqual({
      maxUsedSpace: 500e9,
      minFreeSpace: 0,
      reservedSpace: 0,
    })
  })

  it('leaves a store alone that is below its limits', async () => {
    await step('old', 2000 * HOUR)
    const loose = await blob('loose', 2000 * HOUR)
    expect((await collect(store, table, {}, now)).removed).toEqual([])
    expect(await store.blobs.has(loose)).toBe(true)
  })

  it('takes what is old first, then what images do not share, at last the cache of images', async () => {
    const image = await step('image', 9 * HOUR)
    await tag('image:1', [image.layer])
    await step('old', 2000 * HOUR)
    await step('new', HOUR)
    const removed = async (maxUsedSpace: number) => {
      const result = await collect(store, table, { maxUsedSpace }, now)
      return result.removed.filter(({ kind }) => kind === 'record').map(({ id }) => id)
    }
    expect(await removed(4500)).toEqual(['old'])
    expect(await removed(2500)).toEqual(['new'])
    expect(await removed(1)).toEqual(['image'])
    expect(await store.blobs.has(image.layer)).toBe(true)
  })

  it('is due at times, for one of several who ask', async () => {
    expect(await isCollectionDue(root, HOUR, now)).toBe(false)
    expect(await isCollectionDue(root, HOUR, now + HOUR / 2)).toBe(false)
    expect(await isCollectionDue(root, HOUR, now + 2 * HOUR)).toBe(true)
    expect(await isCollectionDue(root, HOUR, now + 2 * HOUR)).toBe(false)
  })
})

it('keeps what was used lately', async () => {
  await step('old', 3 * HOUR)
  await step('new', HOUR)
  const fresh = await blob('fresh', HOUR)
  expect(await removedBy({ until: now - 2 * HOUR })).toEqual(['record old', 'snapshot s-old'])
  expect(await store.blobs.has(fresh)).toBe(true)
})

it('keeps what a record that stays shares with one that goes', async () => {
  const shared = await blob('shared', 9 * HOUR)
  for (const [key, age] of [
    ['old', 3],
    ['new', 1],
  ] as const) {
    await store.records.put('step', key, 1, { blobs: [shared, shared] })
    setRecordAge(key, age * HOUR)
  }
  expect(await removedBy({ until: now - 2 * HOUR })).toEqual(['record old'])
  expect(await store.blobs.has(shared)).toBe(true)
})

it('keeps what builds under way use', async () => {
  await using lease = await store.lease(now - 2 * HOUR)
  const wanted = await blob('wanted', 9 * HOUR)
  const wantedSnapshot = snapshot('wanted', 5, 9 * HOUR)
  await lease.keep({ blobs: [wanted], snapshots: [wantedSnapshot] })
  await step('during', HOUR)
  await step('before', 3 * HOUR)
  const fresh = await blob('fresh', HOUR)
  expect(await removedBy({ all: true })).toEqual(['record before', 'snapshot s-before'])
  expect([await store.blobs.has(wanted), await store.blobs.has(fresh), snapshots.has('wanted')]).toEqual([
    true,
    true,
    true,
  ])
  await lease[Symbol.asyncDispose]()
  expect((await removedBy({ all: true })).sort()).toEqual(['record during', 'snapshot s-during', 'snapshot wanted'])
})

it('leaves snapshots alone without a worker', async () => {
  await step('a', HOUR)
  await prune(store, undefined, {}, now)
  expect(snapshots.size).toBe(1)
})

it('shows what uses how much', async () => {
  const made = await step('a', 2 * HOUR)
  const loose = await blob('x'.repeat(500), HOUR)
  await tag('image:1', [made.layer])
  const usage = await diskUsage(store, table, now)
  const byId = new Map(usage.items.map((item) => [item.id, item]))
  expect(byId.get(made.layer)).toMatchObject({ kind: 'blob', size: 1000, users: 1, reclaimable: false })
  expect(byId.get(loose)).toMatchObject({ kind: 'blob', size: 500, users: 0, reclaimable: true })
  expect(byId.get('s-a')).toMatchObject({ kind: 'snapshot', size: 1000, users: 1, reclaimable: true })
  expect(usage.total).toBe(usage.items.reduce((sum, item) => sum + item.size, 0))
})

/** Has something done when prune has looked at the store and not deleted yet. */
function meanwhile(work: () => Promise<unknown>): SnapshotTable {
  return {
    ...table,
    async *list() {
      yield* snapshots.values()
      await work()
    },
  }
}

describe('what is used after prune has looked', () => {
  it('stays, when a build finds it in the cache', async () => {
    const hit = await step('hit', 3 * HOUR)
    await step('miss', 3 * HOUR)
    const other = await openStore(root)
    await using resources = new AsyncDisposableStack()
    const table = meanwhile(async () => {
      resources.use(await other.lease(now))
      await other.keep({ snapshots: [hit.snapshot] })
      expect(await other.blobs.has(hit.layer)).toBe(true)
    })
    await prune(store, table, { all: true }, now)
    expect([await store.blobs.has(hit.layer), [...snapshots.keys()]]).toEqual([true, [hit.snapshot]])
  })

  it('stays, when an image gets it that has a name', async () => {
    const made = await step('made', 3 * HOUR)
    await prune(
      store,
      meanwhile(() => tag('image:1', [made.layer])),
      { all: true },
      now,
    )
    expect(await store.blobs.has(made.layer)).toBe(true)
  })

  it('stays, when what its lease says cannot be read', async () => {
    const made = await step('made', 3 * HOUR)
    const other = await openStore(root)
    await using resources = new AsyncDisposableStack()
    const table = meanwhile(async () => {
      resources.use(await other.lease(now))
      const [name] = readdirSync(join(root, 'leases'))
      writeFileSync(join(root, 'leases', name!), 'sta')
    })
    expect((await prune(store, table, { all: true }, now)).removed).toEqual([])
    expect(await store.blobs.has(made.layer)).toBe(true)
  })

  it('stays, when the clock was set back since its build began', async () => {
    const made = await step('made', 3 * HOUR)
    const other = await openStore(root)
    await using _lease = await other.lease(now + 1000 * HOUR)
    await other.keep({ snapshots: [made.snapshot] })
    expect(await other.blobs.has(made.layer)).toBe(true)
    await prune(store, table, { all: true }, now)
    expect([await store.blobs.has(made.layer), snapshots.size]).toEqual([true, 1])
  })
})

it('has nobody claim anything while things are taken out of reach', async () => {
  const made = await step('made', HOUR)
  const other = await openStore(root)
  const order: string[] = []
  let claim: Promise<void> | undefined
  const table: SnapshotTable = {
    async *list() {
      yield* snapshots.values()
    },
    async remove(id) {
      claim ??= other.keep({ snapshots: [id] }).then(() => void order.push('claimed'))
      await new Promise((resolve) => setTimeout(resolve, 30))
      snapshots.delete(id)
      order.push('removed')
    },
    purge: async () => [],
  }
  await using _lease = await other.lease(now + HOUR)
  await prune(store, table, { all: true }, now)
  await claim
  expect([order, snapshots.has(made.snapshot)]).toEqual([['removed', 'claimed'], false])
})

it('passes over what cannot be deleted', async () => {
  const made = await step('made', HOUR)
  const failing: SnapshotTable = {
    ...table,
    remove: () => Promise.reject(new Error('not yours')),
    purge: async () => ['something else'],
  }
  const result = await prune(store, failing, {}, now)
  expect(result.skipped).toEqual([`snapshot ${made.snapshot}: not yours`, 'something else'])
  expect(result.removed.map(({ kind }) => kind)).toEqual(['record', 'blob'])
  expect(await store.blobs.has(made.layer)).toBe(false)
})
