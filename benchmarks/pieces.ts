/**
 * Compressing layers: sizes against one run of zlib's level 6, times against pigz -6 in the same run, and how much is
 * compressed again where little has changed.
 *
 *     node benchmarks/pieces.ts [rounds] [archive …]
 *
 * Needs tar and pigz. Without archives it makes some: small texts, installed programs, and a file that is half noise.
 * Exits with 1 if a size is more than 2 % above zlib's.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import zlib from 'node:zlib'
import { BlobFile } from '../packages/builder/src/layer/blob-file.ts'
import { CompressedWriter } from '../packages/builder/src/layer/compress.ts'
import { openStore } from '../packages/builder/src/store/store.ts'

const [rounds = '3', ...given] = process.argv.slice(2)
const base = mkdtempSync(join(tmpdir(), 'bench-pieces-'))
const store = await openStore(join(base, 'store'))

function sh(script: string): void {
  const { status } = spawnSync('bash', ['-c', script], { cwd: base, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`failed: ${script}`)
}

function makeArchives(): string[] {
  const words = Array.from({ length: 400 }, (_, i) => `${'get set exports require module'.split(' ')[i % 5]}${i ** 3}`)
  for (let pack = 0; pack < 500; pack++) {
    const lib = join(base, 'texts', `package-${pack}`, 'lib')
    mkdirSync(lib, { recursive: true })
    for (let i = 0; i < 40; i++) {
      const text = Array.from(
        { length: 20 + (((pack * 40 + i) * 7919) % 500) },
        (_, k) => words[(i * 31 + k * k) % 400],
      )
      writeFileSync(join(lib, `${i}.js`), text.join(' '))
    }
  }
  sh('tar -cf texts.tar -C texts .')
  sh('(tar -cf - /usr/bin /usr/lib 2>/dev/null || true) | head -c 157286400 > programs.tar')
  const half = Array.from({ length: 100 }, () => [randomBytes(1 << 19), Buffer.alloc(1 << 19, words.join(' '))]).flat()
  writeFileSync(join(base, 'half'), Buffer.concat(half))
  sh('tar -cf half-noise.tar half')
  return ['texts.tar', 'programs.tar', 'half-noise.tar'].map((name) => join(base, name))
}

interface Run {
  readonly wall: number
  readonly cpu: number
  readonly size: number
  /** Pieces that were compressed. */
  readonly made: number
}

async function compress(data: Buffer, known: boolean): Promise<Run> {
  const [start, before] = [performance.now(), process.cpuUsage()]
  let made = 0
  const pieces = {
    ...store.pieces,
    async open(format: string) {
      const opened = await store.pieces.open(known ? format : 'none')
      return {
        find(key: Buffer) {
          const bytes = opened.find(key)
          if (!bytes) made++
          return bytes
        },
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
      }
    },
  }
  const path = join(base, 'blob')
  rmSync(path, { force: true })
  const file = new BlobFile(path, 0)
  const writer = new CompressedWriter(file, { compression: 'gzip', pieces })
  for (let at = 0; at < data.length; ) {
    const chunk = writer.buffer()
    const length = data.copy(chunk, 0, at)
    await writer.write(chunk, length)
    at += length
  }
  const blob = await writer.end()
  await writer.settle()
  await file[Symbol.asyncDispose]()
  const { user, system } = process.cpuUsage(before)
  const run = { wall: performance.now() - start, cpu: (user + system) / 1000, size: blob.size, made }
  if (!known) {
    await store.blobs.adopt(path, blob)
    if (blob.pieces) await store.pieces.save(blob.digest, blob.pieces)
  }
  return run
}

function pigz(path: string): Pick<Run, 'wall' | 'cpu'> {
  const script = `TIMEFORMAT='%R %U %S'; time pigz -6 < ${path} | sha256sum > /dev/null`
  const { stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  const [wall = 0, user = 0, system = 0] = stderr.trim().split(' ').map(Number)
  return { wall: wall * 1000, cpu: (user + system) * 1000 }
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!

let failed = false
try {
  console.log(
    '| archive | MB | size to zlib -6 | to pigz -6: wall, CPU | one block changed: wall, CPU | pieces compressed |',
  )
  console.log('|---|---|---|---|---|---|')
  for (const path of given.length > 0 ? given : makeArchives()) {
    const data = readFileSync(path)
    const changed = Buffer.from(data).fill('changed', data.length >> 1, (data.length >> 1) + 100)
    const usual = zlib.gzipSync(data, { level: 6 }).length
    const [cold, warm, theirs]: [Run[], Run[], Pick<Run, 'wall' | 'cpu'>[]] = [[], [], []]
    for (let round = 0; round < Number(rounds); round++) {
      theirs.push(pigz(path))
      cold.push(await compress(data, false))
      warm.push(await compress(changed, true))
    }
    const ratio = (runs: Run[], of: 'wall' | 'cpu') =>
      (median(runs.map((run) => run[of])) / median(theirs.map((run) => run[of]))).toFixed(2)
    const { size, made } = cold[0]!
    if (size > usual * 1.02) failed = true
    const columns = [
      basename(path),
      (data.length / 1e6).toFixed(0),
      `${((size / usual - 1) * 100).toFixed(2)} %`,
      `${ratio(cold, 'wall')} ×, ${ratio(cold, 'cpu')} ×`,
      `${ratio(warm, 'wall')} ×, ${ratio(warm, 'cpu')} ×`,
      `${warm[0]!.made} of ${made}`,
    ]
    console.log(`| ${columns.join(' | ')} |`)
  }
} finally {
  rmSync(base, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
