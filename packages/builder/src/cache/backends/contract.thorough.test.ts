/** The contract of shared caches, for each kind of place. */
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Descriptor, mediaTypes, OciLayout, parseManifest, RegistryClient } from '@tsbuild/registry-client'
import { type FaultRule, TestRegistry } from '@tsbuild/registry-client/testing'
import { expect } from 'vitest'
import { type BackendSubject, backendContract, type Damage, type Fault } from '../backend.contract.ts'
import type { CacheServices } from '../backend.ts'
import { prepareCacheFrom, prepareCacheTo } from '../spec.ts'
import type { ImageForm } from './image-form.ts'
import { openRegistryExporter } from './registry.ts'
import { keyFiles, temporaryDirectory } from './temporary.test-support.ts'

backendContract('local', () => localSubject(false), 30)
backendContract('local, signed', () => localSubject(true), 2)
const manifest = { type: 'manifest', mediaType: mediaTypes.ociManifest } as const
const index = { type: 'index', mediaType: mediaTypes.ociIndex } as const
backendContract('registry', (writers) => registrySubject(manifest, writers), 30)
backendContract('registry, as an index', (writers) => registrySubject(index, writers), 2)

async function localSubject(isSigned: boolean): Promise<BackendSubject> {
  const resources = new AsyncDisposableStack()
  const directory = resources.use(await temporaryDirectory())
  const disk = isRoot ? await smallDisk(join(directory.path, 'disk'), resources) : undefined
  const path = join(disk ?? directory.path, 'cache')
  const { sign, verify } = isSigned ? await keyFiles(directory.path) : {}
  const [from] = prepareCacheFrom([{ type: 'local', attrs: { src: path, ...(verify && { verify }) } }], {})
  const [to] = prepareCacheTo([{ type: 'local', attrs: { dest: path, ...(sign && { sign }) } }], {})
  const spoil = async ({ digest }: Pick<Descriptor, 'digest'>, how: Damage) => {
    const file = join(path, 'blobs', digest.replace(':', '/'))
    if (how === 'missing') await rm(file)
    else if (how === 'truncated') await truncate(file, 10)
    else await writeFile(file, flipped(await readFile(file)))
  }
  return {
    importer: () => from!.open(noServices),
    exporter: () => to!.open!(noServices),
    spoil,
    async spoilDocument(how) {
      await using layout = await OciLayout.open(path)
      const { bytes, descriptor } = await layout.fetchManifest('latest')
      const document = parseManifest(bytes, descriptor.mediaType)
      if (document.kind === 'manifest') await spoil(document.manifest.config, how)
    },
    faults: disk === undefined ? {} : { 'full disk': fullDisk(disk) },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

const isRoot = process.getuid?.() === 0

async function smallDisk(path: string, resources: AsyncDisposableStack): Promise<string> {
  await mkdir(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tsbuild-test', path])
  resources.defer(async () => void execFileSync('umount', ['-l', path]))
  return path
}

function fullDisk(path: string): Fault {
  const filler = join(path, 'filler')
  const files = async () => (await readdir(path, { recursive: true })).filter((name) => name !== 'filler').sort()
  let before: string[] = []
  return {
    total: false,
    async begin() {
      before = await files()
      await writeFile(filler, Buffer.alloc(64 << 20)).catch(() => undefined)
    },
    async heal() {
      expect(await files()).toEqual(before)
      await rm(filler)
    },
  }
}

const noServices = undefined as unknown as CacheServices

async function registrySubject(form: ImageForm, writers: number): Promise<BackendSubject> {
  const registry = await TestRegistry.start()
  const clients: RegistryClient[] = []
  let idleMs = 30_000
  const services = (): CacheServices => {
    const retry = { attempts: 2, baseMs: 1, capMs: 2, maxRetryAfterMs: 10 }
    const client = new RegistryClient({ credentials: false, env: {}, retry, timeouts: { idleMs } })
    clients.push(client)
    return { client, repository: (reference) => client.repository(reference) }
  }
  const ref = `${registry.host}/app:cache`
  const [from] = prepareCacheFrom([{ type: 'registry', attrs: { ref } }], {})
  const stored = () => registry.store.repository('app')
  const spoil = async ({ digest }: Pick<Descriptor, 'digest'>, how: Damage) => {
    const { blobs } = stored()
    const bytes = blobs.get(digest)!
    if (how === 'missing') blobs.delete(digest)
    else blobs.set(digest, how === 'truncated' ? bytes.subarray(0, 10) : flipped(bytes))
  }
  const fault = (total: boolean, rule: Omit<FaultRule, 'times'>): Fault => ({
    total,
    begin: async () => registry.inject({ times: 1000, ...rule }),
    heal: async () => registry.reset(),
  })
  return {
    importer: () => from!.open(services()),
    async exporter() {
      const all = { name: `registry ${ref}`, reference: { registry: registry.host, repository: 'app', tag: 'cache' } }
      return openRegistryExporter({ ...all, insecure: false, form }, services(), writers === 1 ? 1 : undefined)
    },
    spoil,
    async spoilDocument(how) {
      const { manifests, tags } = stored()
      const { bytes, mediaType } = manifests.get(tags.get('cache')!)!
      const document = parseManifest(bytes, mediaType)
      await spoil(document.kind === 'manifest' ? document.manifest.config : document.index.manifests.at(-1)!, how)
    },
    faults: {
      gone: fault(true, { fault: { kind: 'lose-answer' } }),
      403: fault(true, { fault: { kind: 'status', status: 403 } }),
      429: fault(true, { fault: { kind: 'status', status: 429, headers: { 'retry-after': '0' } } }),
      500: fault(true, { fault: { kind: 'status', status: 500 } }),
      silent: {
        total: true,
        async begin() {
          idleMs = 200
          registry.inject({ times: 1000, fault: { kind: 'stall', afterBytes: 0 } })
        },
        async heal() {
          idleMs = 30_000
          registry.reset()
        },
      },
      'cut off': fault(true, { method: 'GET', fault: { kind: 'reset', afterBytes: 5 } }),
      'no room for blobs': fault(false, { method: 'POST', fault: { kind: 'status', status: 507 } }),
      'no manifests': fault(false, { method: 'PUT', path: /manifests/, fault: { kind: 'status', status: 500 } }),
      'lost answers': fault(false, { method: 'PUT', path: /manifests/, fault: { kind: 'lose-answer' } }),
      'too large': fault(false, { method: 'PUT', path: /manifests/, fault: { kind: 'status', status: 413 } }),
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]()
      await registry[Symbol.asyncDispose]()
    },
  }
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy[copy.length >> 1]! ^= 0xff
  return copy
}
