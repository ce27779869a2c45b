/**
 * What a store keeps beside its content: leases, locks, signs of life, the cache of stat, records. Whatever stands in the
 * place of one of them, a build gives the right image or says in words what is wrong, and so do prune and du; nothing waits
 * for ever, and no file is written that a link names. TSBUILD_HOUSEKEEPING_CASES asks for more.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { build } from '../build.ts'
import { BuildError } from '../errors.ts'
import { diskUsage, prune } from './storage.ts'

const CASES = Number(process.env.TSBUILD_HOUSEKEEPING_CASES ?? 40)
const SEED = Number(process.env.TSBUILD_HOUSEKEEPING_SEED ?? 1)

const place = fs.mkdtempSync(join(tmpdir(), 'tsbuild-housekeeping-'))
const context = join(place, 'context')
const outside = join(place, 'outside')
const root = join(place, 'store')
/** By what is in the last file of the context. */
const expected: Record<string, string> = {}

/** As large as before, and as old. */
function fill(letter: string): void {
  fs.writeFileSync(join(context, 'c'), letter.repeat(1000))
  for (const name of ['a', 'b', 'c']) fs.utimesSync(join(context, name), 1, 1)
}

async function image(): Promise<string> {
  const dockerfileText = 'FROM scratch\nCOPY . /\nCOPY --chmod=600 a /b\n'
  const buildArgs = { SOURCE_DATE_EPOCH: '1' }
  const result = await build({ context, dockerfileText, buildArgs, root, env: {}, tags: ['n:1'] })
  return result.digest!
}

beforeAll(async () => {
  fs.mkdirSync(context)
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(join(context, name), name.repeat(1000))
  fs.mkdirSync(outside)
  fs.writeFileSync(join(outside, 'file'), 'theirs')
  for (const letter of ['d', 'c']) {
    fill(letter)
    expected[letter] = await image()
    fs.rmSync(root, { recursive: true })
  }
})
afterAll(() => fs.rmSync(place, { recursive: true, force: true }))

/** Where things are, and where things of others might be: `<name>` stands for one that is there. */
const PLACES = [
  ...['leases', 'locks', 'alive', 'stat-cache', 'tmp', 'records', 'gate.lock', 'quarantine'],
  ...['leases/x', 'leases/1-1-1', 'leases/1-1-1-abcdef01-abcdef.1', 'leases/.x', 'alive/1-1-1-abcdef01-abcdef'],
  ...['alive/x.new', 'locks/gate.lock', 'locks/index.json.lock', 'locks/images.lock', 'tmp/1-1-1-abcdef01-abcdef.x'],
  ...['stat-cache/<name>', 'records/<name>', 'records/<name>/<name>', 'locks/<name>', 'quarantine/x'],
]
const OWN_LEASE = 'started 1\nblob sha256:0\nsnapshot x\n'

type Harm = (path: string, random: number) => void
const HARMS: Readonly<Record<string, Harm>> = {
  empty: (path) => fs.writeFileSync(path, ''),
  cut: (path, random) => {
    const text = fs.lstatSync(path, { throwIfNoEntry: false })?.isFile()
      ? fs.readFileSync(path)
      : Buffer.from(OWN_LEASE)
    fs.writeFileSync(path, text.subarray(0, random % (text.length + 1)))
  },
  'random bytes': (path, random) => fs.writeFileSync(path, randomBytes(1 + (random % 5000))),
  'another type': (path, random) =>
    fs.writeFileSync(path, ['null', '[]', '5', '{"key":5}', '\0', 'started x\n'][random % 6]!),
  'a lease of what is not': (path) => fs.writeFileSync(path, OWN_LEASE),
  huge: (path) => {
    fs.writeFileSync(path, '')
    fs.truncateSync(path, 5 * 2 ** 30)
  },
  'a directory': (path) => fs.mkdirSync(join(path, 'in/it'), { recursive: true }),
  'a link to nothing': (path) => fs.symlinkSync('/nowhere/at/all', path),
  'a link to itself': (path) => fs.symlinkSync(path, path),
  'a link to a file outside': (path) => fs.symlinkSync(join(outside, 'file'), path),
  // As somebody makes who moves a part of the store to another disk.
  'a link to another directory': (path) => {
    const elsewhere = fs.mkdtempSync(join(place, 'elsewhere-'))
    fs.symlinkSync(elsewhere, path)
  },
  'a fifo': (path) => void execFileSync('mkfifo', [path]),
  nothing: () => {},
}

function inPlace(pattern: string, random: number): string {
  let path = root
  for (const part of pattern.split('/')) {
    const names = part === '<name>' && fs.lstatSync(path).isDirectory() ? fs.readdirSync(path).sort() : []
    path = join(path, part === '<name>' ? (names[random % names.length] ?? 'x') : part)
  }
  return path
}

/** @returns what a call gives, or what it says */
async function attempt<T>(call: () => Promise<T>, story: string): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    expect(error, story).toBeInstanceOf(BuildError)
    const { code, message } = error as BuildError
    expect(code, `${story}: ${message}`).not.toBe('INTERNAL')
    expect(message, story).not.toMatch(/\bE[A-Z]{4,}\b|undefined|TypeError|\[object/)
    return undefined
  }
}

it(`whatever stands in the place of what is kept beside the content (${CASES} cases from seed ${SEED})`, async () => {
  const harm = fc.tuple(fc.constantFrom(...PLACES), fc.constantFrom(...Object.keys(HARMS)), fc.nat(100_000))
  const property = fc.asyncProperty(
    fc.array(harm, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
    async (all, changed) => {
      fs.rmSync(root, { recursive: true, force: true })
      fill('c')
      expect(await image()).toBe(expected.c)
      for (const [pattern, how, random] of all) {
        try {
          const path = inPlace(pattern, random)
          fs.mkdirSync(dirname(path), { recursive: true })
          if (how !== 'cut') fs.rmSync(path, { recursive: true, force: true })
          HARMS[how]!(path, random)
        } catch {
          // An earlier harm is in the way of this one.
        }
      }
      const story = JSON.stringify(all)
      const letter = changed ? 'd' : 'c'
      fill(letter)
      const digest = await attempt(image, story)
      if (digest !== undefined) expect(digest, story).toBe(expected[letter])
      await attempt(() => diskUsage({ root, env: {} }), story)
      await attempt(() => prune({ root, env: {}, all: true }), story)
      const again = await attempt(image, story)
      if (again !== undefined) expect(again, story).toBe(expected[letter])
      expect(fs.readdirSync(outside), story).toEqual(['file'])
      expect(fs.readFileSync(join(outside, 'file'), 'utf8'), story).toBe('theirs')
    },
  )
  await fc.assert(property, { numRuns: CASES, seed: SEED })
})
