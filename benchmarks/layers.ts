/**
 * Packing and unpacking layers, as ratios to tar, pigz and sha256sum in the same run.
 *
 *     node benchmarks/layers.ts [rounds]
 *
 * Needs tar, pigz and sha256sum. Exits with 1 if packing 50,000 small files takes more than 1.3 times as long as
 * `tar -c | pigz -6 | sha256sum`.
 */
import { spawnSync } from 'node:child_process'
import { createReadStream, lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packLayer } from '../packages/builder/src/layer/pack.ts'
import { unpackLayer } from '../packages/builder/src/layer/unpack.ts'
import type { Change } from '../packages/builder/src/snapshot/snapshotter.ts'
import { readDirectory } from '../packages/builder/src/util/raw-path.ts'

const rounds = Number(process.argv[2] ?? 3)
const bound = 1.3
const base = mkdtempSync(join(tmpdir(), 'bench-layers-'))

/** Files as an installed tree of packages has them: small texts, many alike. */
function makeSmallFiles(root: string): void {
  let seed = 1
  const random = (most: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    return seed % most
  }
  const words = Array.from(
    { length: 800 },
    (_, i) => `${'const function return import export value'.split(' ')[i % 6]}${i.toString(36)}`,
  )
  for (let pack = 0; pack < 1000; pack++) {
    const lib = join(root, `package-${pack}`, 'dist', 'lib')
    mkdirSync(lib, { recursive: true })
    for (let i = 0; i < 50; i++) {
      const text = Array.from({ length: 60 + random(800) }, () => words[random(words.length)]).join(' ')
      writeFileSync(join(lib, `module-${i}.js`), text.slice(0, 300 + random(4500)))
    }
  }
}

/** 200 MiB in one file: half of it text, half of it noise. */
function makeBigFile(root: string): void {
  const { status } = spawnSync(
    'sh',
    ['-c', 'tar -cf - /usr/bin /usr/lib 2>/dev/null | head -c 104857600 > big; head -c 104857600 /dev/urandom >> big'],
    { cwd: root },
  )
  if (status !== 0) throw new Error('cannot make the big file')
}

async function* changesOf(root: string, at = ''): AsyncGenerator<Change> {
  const pending = [at]
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of readDirectory(join(root, directory))) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      const fsPath = `${root}/${path}`
      yield { kind: 'upsert', path, fsPath, stat: lstatSync(fsPath, { bigint: true }) }
      if (entry.isDirectory()) pending.push(path)
    }
  }
}

interface Cost {
  readonly wall: number
  readonly cpu: number
}

async function ours(work: () => Promise<unknown>): Promise<Cost> {
  const [start, before] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(before)
  return { wall: performance.now() - start, cpu: (user + system) / 1000 }
}

/** Runs a pipeline of commands; bash adds up what its children cost. */
function theirs(script: string): Cost {
  const { status, stderr } = spawnSync(
    'bash',
    ['-o', 'pipefail', '-c', `TIMEFORMAT='%R %U %S'; time { ${script}; } >/dev/null`],
    { encoding: 'utf8' },
  )
  const [wall = 0, user = 0, system = 0] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number)
  if (status !== 0) throw new Error(stderr)
  return { wall: wall * 1000, cpu: (user + system) * 1000 }
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!
let counter = 0
const fresh = (name: string) => join(base, `${name}-${counter++}`)

/** Runs both in turns, so that what else the machine does hits both. Returns the ratio of wall time. */
async function compare(name: string, work: () => Promise<unknown>, script: () => string): Promise<number> {
  const [a, b]: [Cost[], Cost[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    b.push(theirs(script()))
    a.push(await ours(work))
  }
  const ratio = (of: 'wall' | 'cpu') => median(a.map((c) => c[of])) / median(b.map((c) => c[of]))
  const wall = median(a.map((c) => c.wall)).toFixed(0)
  console.log(
    `${name.padEnd(36)} ${wall.padStart(7)} ms ${ratio('wall').toFixed(2).padStart(6)} × wall ${ratio('cpu').toFixed(2).padStart(6)} × CPU`,
  )
  return ratio('wall')
}

let failed = false
try {
  for (const [name, make] of [
    ['50,000 small files', makeSmallFiles],
    ['200 MiB in one file', makeBigFile],
  ] as const) {
    const root = fresh('root')
    mkdirSync(root)
    make(root)
    const layer = fresh('layer')
    await packLayer(changesOf(root), { compression: 'gzip' }, layer)
    console.log(`${name}: ${statSync(layer).size} bytes as gzip`)
    const ratio = await compare(
      'pack, to tar | pigz -6 | sha256sum',
      () => packLayer(changesOf(root), { compression: 'gzip' }, fresh('out')),
      () => `tar -cf - -C ${root} . | pigz -6 | tee ${fresh('out')} | sha256sum`,
    )
    if (make === makeSmallFiles && ratio > bound) failed = true
    await compare(
      'pack zstd, to tar | zstd -T0',
      () => packLayer(changesOf(root), { compression: 'zstd' }, fresh('out')),
      () => `tar -cf - -C ${root} . | zstd -T0 | tee ${fresh('out')} | sha256sum`,
    )
    await compare(
      'unpack, to tar -xz',
      () => {
        const to = fresh('unpacked')
        mkdirSync(to)
        const options = { diffID: undefined, root: to }
        return unpackLayer(
          createReadStream(layer, { highWaterMark: 262144 }),
          'application/vnd.oci.image.layer.v1.tar+gzip',
          options,
        )
      },
      () => {
        const to = fresh('unpacked')
        mkdirSync(to)
        return `tar -xzf ${layer} -C ${to}`
      },
    )
  }
} finally {
  rmSync(base, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
