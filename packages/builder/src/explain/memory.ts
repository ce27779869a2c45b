/** The builds that a store remembers, for comparison: of each Dockerfile, context and target the latest ones. */
import { schema } from '@tsbuild/registry-client'
import type { BuildExplanation } from '../explanation.ts'
import type { Records } from '../store/records.ts'
import type { EarlierBuild } from './compare.ts'
import { pack, unpack } from './packed.ts'

const KIND = 'builds'
/** Key under which stands which place was built last. */
const LATEST = 'latest'
/** How many builds of one place are remembered. */
const KEPT = 8

/** What makes a build the same one as an earlier one, for whoever asks why it was not faster. */
export interface BuildPlace {
  readonly context: string
  readonly dockerfile: string
  readonly target: string
}

export interface RememberedBuild extends EarlierBuild {
  readonly explanation: BuildExplanation
}

interface Stored {
  readonly place: BuildPlace
  /** The latest first: JSON, compressed, in base64. */
  readonly builds: readonly string[]
}

const placeSchema = schema.object<BuildPlace>({ context: schema.text, dockerfile: schema.text, target: schema.text })
const storedSchema = schema.object<Stored>({ place: placeSchema, builds: schema.list(schema.text, 'texts') })
const buildSchema = schema.object<EarlierBuild & { explanation: unknown }>({
  started: schema.size,
  steps: schema.list(schema.anything, 'steps') as schema.Schema<EarlierBuild['steps']>,
  explanation: schema.anything,
}) as schema.Schema<RememberedBuild>

/** The builds of a place, the latest first. @param most how many of them are wanted */
export async function earlierBuilds(records: Records, place: BuildPlace, most = KEPT): Promise<RememberedBuild[]> {
  const packed = (await stored(records, place)).slice(0, most)
  const builds = await Promise.all(packed.map((each) => unpack(each, (text) => buildSchema(JSON.parse(text), ''))))
  return builds.flatMap((build) => build ?? [])
}

/** Remembers a build. */
export async function rememberBuild(records: Records, place: BuildPlace, build: RememberedBuild): Promise<void> {
  const packed = await pack(JSON.stringify(build))
  if (packed === undefined) return
  const builds = [packed, ...(await stored(records, place))].slice(0, KEPT)
  await records.put(KIND, keyOf(place), { place, builds } satisfies Stored)
  await records.put(KIND, LATEST, place)
}

/** What was built last with this store; undefined: nothing that is remembered. */
export async function latestPlace(records: Records): Promise<BuildPlace | undefined> {
  return checked(placeSchema, await records.get<unknown>(KIND, LATEST))
}

async function stored(records: Records, place: BuildPlace): Promise<readonly string[]> {
  return checked(storedSchema, await records.get<unknown>(KIND, keyOf(place)))?.builds ?? []
}

function checked<T>(check: schema.Schema<T>, value: unknown): T | undefined {
  try {
    return value === undefined ? undefined : check(value, '')
  } catch {
    return undefined
  }
}

function keyOf({ context, dockerfile, target }: BuildPlace): string {
  return JSON.stringify([context, dockerfile, target])
}
