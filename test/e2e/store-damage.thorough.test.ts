/**
 * Whatever is deleted or damaged in a store, between builds and while one runs: the image is right, or an error says what
 * is wrong, and what is not broken for good mends itself. TSBUILD_DAMAGE_ROUNDS says how often (default 2).
 */
import { appendFileSync, closeSync, lstatSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, inject, it } from 'vitest'
import { pathsBelow } from '../support/leftovers.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const ROUNDS = Number(process.env.TSBUILD_DAMAGE_ROUNDS ?? 2)
const LONGEST = 300_000 + ROUNDS * 120_000

const dockerfile = (last: number) => `
FROM ${inject('registry')}/busybox AS base
COPY . /src
RUN mkdir /made && for i in $(seq 50); do echo $i > /made/$i; done
FROM base AS other
RUN find /src -type f | sort | xargs cat > /joined
FROM base
COPY --from=other /joined /
COPY --from=base /made /again
RUN find /src /made -type f | sort | xargs cat | sha256sum > /sum; echo ${last} > /last
`

async function build(place: Workspace, last: number, root: string, archive: string) {
  await rm(archive, { force: true })
  const output = `type=oci,dest=${archive},rewrite-timestamp=true`
  const args = ['--root', root, '--build-arg', 'SOURCE_DATE_EPOCH=0', '-f', '-', '-o', output, place.join('context')]
  return await place.run(args, { stdin: dockerfile(last), timeout: LONGEST })
}

const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
  return seed / 2 ** 32
}

/** Damages or deletes something; returns what was done. */
function damage(root: string, random: () => number, during: boolean): string {
  const paths = pathsBelow(root, (path) => !path.includes('/compile-cache/'))
  const name = paths[Math.floor(random() * paths.length)]
  if (name === undefined) return 'nothing'
  const path = join(root, name)
  try {
    const stat = lstatSync(path)
    // A file that a RUN is just reading may change under it: that is not noticed, but what is missing is.
    const only = !stat.isFile() || stat.size === 0 || (during && name.startsWith('snapshots'))
    const how = only ? 0 : Math.floor(random() * 4)
    if (how === 0) rmSync(path, { recursive: true, force: true })
    else if (how === 1) truncateSync(path, Math.floor(random() * stat.size))
    else if (how === 2) appendFileSync(path, 'x')
    else flipBit(path, Math.floor(random() * stat.size), 1 << Math.floor(random() * 8))
    return `${['deleted', 'cut', 'lengthened', 'flipped a bit of'][how]} ${name}`
  } catch (error) {
    return `${name}: ${(error as Error).message}`
  }
}

function flipBit(path: string, at: number, bit: number): void {
  const byte = readFileSync(path)[at]!
  const fd = openSync(path, 'r+')
  try {
    writeSync(fd, Buffer.of(byte ^ bit), 0, 1, at)
  } finally {
    closeSync(fd)
  }
}

it.skipIf(needs.skip)(
  `a damaged store gives the right image or an error${needs.note}`,
  { timeout: LONGEST },
  async () => {
    await using place = await openWorkspace()
    await place.files(
      Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`d${i % 5}/f${i}`, `content of ${i}\n`])),
    )
    const expected: Buffer[] = []
    for (const last of [0, 1]) {
      const archive = place.join('expected.tar')
      expect(await build(place, last, place.join('empty'), archive)).toMatchObject({ code: 0 })
      expected[last] = await readFile(archive)
    }
    const seed = Number(process.env.TSBUILD_DAMAGE_SEED ?? 1)
    for (let round = 0; round < ROUNDS; round++) {
      const random = seeded(seed * 7919 + round)
      const root = place.join(`store-${round}`)
      const made = await build(place, 0, root, place.join('made.tar'))
      expect(made, made.stderr).toMatchObject({ code: 0 })
      const log: string[] = []
      const harm = (times: number, during: boolean) => {
        for (let i = 0; i < times; i++) log.push(damage(root, random, during))
      }
      // Between builds.
      harm(1 + Math.floor(random() * 20), false)
      for (const [last, during] of [
        [1, false],
        [0, true],
        [1, true],
        [0, false],
        [1, false],
      ] as const) {
        log.push(`build ${last}`)
        const archive = place.join('out.tar')
        const building = build(place, last, root, archive)
        for (let i = 0; during && i < 5; i++) {
          await delay(random() * 400)
          harm(2, true)
        }
        const { code, stderr } = await building
        const story = `seed ${seed}, round ${round}\n${log.join('\n')}\n${stderr}`
        if (code === 0) expect((await readFile(archive)).equals(expected[last]!), story).toBe(true)
        else {
          expect(stderr, story).toMatch(/^ERROR: ./m)
          expect(stderr, story).not.toMatch(/mistake in tsbuild|undefined|TypeError/)
          log.push(`failed: ${/^ERROR: .*/m.exec(stderr)![0]}`)
        }
      }
      // What cannot be mended by building again is only what says that another hand is needed.
      await rm(join(root, 'index.json'), { force: true })
      await rm(join(root, 'oci-layout'), { force: true })
      let last = await build(place, 0, root, place.join('out.tar'))
      for (let again = 0; last.code !== 0 && again < 5; again++)
        last = await build(place, 0, root, place.join('out.tar'))
      expect(last, `seed ${seed}, round ${round}\n${log.join('\n')}\n${last.stderr}`).toMatchObject({ code: 0 })
      await rm(root, { recursive: true, force: true })
    }
  },
)
