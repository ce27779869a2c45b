/**
 * Transfers against peers, by ratio: pull and push of 1 × 512 MiB and 200 × 1 MiB, and copy within a registry, all on
 * loopback against distribution's registry. Needs docker-registry and GNU time; peers are those of skopeo, crane and
 * oras that are in PATH.
 *
 *     node benchmarks/registry.ts [rounds]
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Descriptor, digestOf, mediaTypes, OciLayout } from '@tsbuild/registry-client'
import { buildSync } from 'esbuild'
import { DockerRegistry, hasProgram } from '../packages/registry-client/src/testing/docker-registry.ts'

const rounds = Number(process.argv[2] ?? 3)
const work = mkdtempSync(join(tmpdir(), 'registry-bench-'))
const images = { big: { layers: 1, bytes: 512 << 20 }, many: { layers: 200, bytes: 1 << 20 } } as const
type Image = keyof typeof images
type Operation = 'push' | 'pull' | 'copy'

/** How a tool does an operation: its command line. */
type Tool = (operation: Operation, image: Image, host: string, out: string) => string[] | undefined

/** Our side: bundled, with what is loaded on demand in files of its own. */
const client = join(work, 'bundle', 'client.mjs')
const source = `
import { copy, OciLayout, RegistryClient } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../packages/registry-client/src/index.ts')).pathname)}
const [operation, image, host, layout, out] = process.argv.slice(2)
await using client = new RegistryClient({ credentials: false })
const at = (name) => client.repository(host + '/' + name)
if (operation === 'push') await copy(await OciLayout.open(layout), image, at('pushed'), image)
if (operation === 'pull') await copy(at('source'), image, await OciLayout.create(out), image)
if (operation === 'copy') await copy(at('source'), image, at('copied'), image)
`
const layout = join(work, 'layout')

const tools: Record<string, Tool> = {
  tsbuild: (operation, image, host, out) => [process.execPath, client, operation, image, host, layout, out],
  skopeo: (operation, image, host, out) => {
    const from = operation === 'push' ? `oci:${layout}:${image}` : `docker://${host}/source:${image}`
    const to = operation === 'pull' ? `oci:${out}:${image}` : `docker://${host}/${operation}-skopeo:${image}`
    const flags = ['--quiet', '--src-tls-verify=false', '--dest-tls-verify=false', '--preserve-digests']
    return ['skopeo', 'copy', ...flags, from, to]
  },
  crane: (operation, image, host, out) => {
    if (operation === 'push') return undefined
    const from = `${host}/source:${image}`
    if (operation === 'pull') return ['crane', 'pull', '--format=oci', from, out]
    return ['crane', 'copy', from, `${host}/copy-crane:${image}`]
  },
  oras: (operation, image, host, out) => {
    const from =
      operation === 'push'
        ? [`${layout}:${image}`, '--from-oci-layout']
        : [`${host}/source:${image}`, '--from-plain-http']
    const to =
      operation === 'pull'
        ? [`${out}:${image}`, '--to-oci-layout']
        : [`${host}/${operation}-oras:${image}`, '--to-plain-http']
    return ['oras', 'cp', ...from, ...to]
  },
}

interface Usage {
  readonly wall: number
  readonly cpu: number
  /** Peak resident set, MiB. */
  readonly rss: number
}

function measure(command: readonly string[]): Usage {
  const result = spawnSync('/usr/bin/time', ['-f', '%e %U %S %M', ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (result.status !== 0) throw new Error(`${command.join(' ')}: ${result.stderr}`)
  const [wall, user, system, rss] = result.stderr.trim().split('\n').at(-1)!.split(' ').map(Number) as [
    number,
    number,
    number,
    number,
  ]
  return { wall, cpu: user + system, rss: rss / 1024 }
}

async function makeImage(name: Image): Promise<void> {
  const store = await OciLayout.create(layout)
  const add = async (bytes: Buffer, mediaType: string): Promise<Descriptor> => {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
    await store.pushBlob(descriptor, async function* () {
      yield bytes
    })
    return descriptor
  }
  const layers: Descriptor[] = []
  for (let n = 0; n < images[name].layers; n++)
    layers.push(await add(randomBytes(images[name].bytes), mediaTypes.ociLayer))
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }
  const config = await add(
    Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs })),
    mediaTypes.ociConfig,
  )
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
  await store.pushManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest, { tags: [name] })
}

/** Everything is new for each run: peers remember which registry has which blob. */
async function round(tool: string, operation: Operation, image: Image): Promise<Usage | undefined> {
  const out = join(work, 'out')
  rmSync(out, { recursive: true, force: true })
  await using registry = await DockerRegistry.start()
  const command = tools[tool]!(operation, image, registry.host, out)
  if (command === undefined) return undefined
  if (operation !== 'push') {
    const seed = spawnSync(
      'skopeo',
      tools.skopeo!('push', image, registry.host, out)!
        .slice(1)
        .map((arg) => arg.replace('push-skopeo', 'source')),
    )
    if (seed.status !== 0) throw new Error(seed.stderr.toString())
  }
  return measure(command)
}

function best(runs: readonly Usage[]): Usage {
  const least = (key: keyof Usage) => Math.min(...runs.map((run) => run[key]))
  return { wall: least('wall'), cpu: least('cpu'), rss: Math.max(...runs.map(({ rss }) => rss)) }
}

try {
  writeFileSync(join(work, 'client.ts'), source)
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
  buildSync({
    entryPoints: [join(work, 'client.ts')],
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    splitting: true,
    outdir: join(work, 'bundle'),
    outExtension: { '.js': '.mjs' },
    banner,
    logLevel: 'error',
  })
  for (const image of Object.keys(images) as Image[]) await makeImage(image)
  console.log('operation        tool      wall s   cpu s  rss MiB   wall ratio  cpu ratio   (ours / theirs)')
  for (const image of Object.keys(images) as Image[]) {
    for (const operation of ['pull', 'push', 'copy'] as const) {
      let ours: Usage | undefined
      for (const tool of Object.keys(tools)) {
        if (tool !== 'tsbuild' && !hasProgram(tool)) continue
        const runs: Usage[] = []
        for (let n = 0; n < rounds; n++) {
          const usage = await round(tool, operation, image)
          if (usage !== undefined) runs.push(usage)
        }
        if (runs.length === 0) continue
        const usage = best(runs)
        ours ??= usage
        const ratio = (key: 'wall' | 'cpu') => (usage === ours ? '' : (ours![key] / usage[key]).toFixed(2)).padStart(11)
        const figures = [
          usage.wall.toFixed(2).padStart(8),
          usage.cpu.toFixed(2).padStart(8),
          usage.rss.toFixed(0).padStart(8),
        ]
        console.log(
          `${`${operation} ${image}`.padEnd(16)} ${tool.padEnd(8)} ${figures.join('')}  ${ratio('wall')}${ratio('cpu')}`,
        )
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
