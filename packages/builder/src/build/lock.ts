/** The call that writes the lock file: every source that a Dockerfile can reach, and what it is now. */

import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseReference } from '@tsbuild/registry-client'
import { fetchGit, resolveGit } from '../context/git.ts'
import { replaceFile } from '../export/atomic.ts'
import type { FoundImage } from '../image/resolve.ts'
import type { ParsedDockerfile } from '../instructions/nodes.ts'
import {
  gitKey,
  httpKey,
  imageKey,
  isCommit,
  isNamed,
  type LockEntry,
  type LockKey,
  lockErrors,
  lockKey,
  parseLock,
  renderLock,
} from '../lockfile/index.ts'
import type { Place } from '../options.ts'
import { planBuild } from '../plan/plan.ts'
import { SourceFile } from '../source.ts'
import { downloaded } from '../steps/http-step.ts'
import type { LockOptions, LockResult } from './lock-options.ts'
import { checkOptions } from './option-schema.ts'
import type { Pins } from './pins.ts'
import { planOptions, resolveFor } from './plan-all.ts'
import { Session } from './session.ts'
import { asBuildError, type BuildSettings, resolveBuildSettings } from './settings.ts'
import { readSources } from './sources.ts'

/**
 * Writes what the base images, URLs and git refs are that a Dockerfile leaves open, for all stages that can be built. What
 * is locked already stays as it is unless `update` says otherwise.
 *
 * @throws BuildError
 */
export async function lock(call: LockOptions<Place> = {}): Promise<LockResult> {
  let root: string | undefined
  try {
    const { update, dryRun, lock: named, ...options } = checkOptions('lock', call)
    const settings = resolveBuildSettings({ ...options, pull: true })
    root = settings.root
    await using session = await Session.open(settings, 'ask')
    const parsed = await readSources(session)
    const { path, text } = await session.contexts.lockFile(named)
    if (path === undefined) throw lockErrors.lockNowhere([])
    const old = text === undefined ? [] : parseLock(new SourceFile(basename(path), text))
    const isRenewed = (key: LockKey) =>
      typeof update === 'object' ? update.some((name) => isNamed(key, name)) : update === true
    const search = new Search(
      session,
      old.filter((entry) => !isRenewed(entry)),
    )
    const entries = await search.run(parsed, settings)
    if (typeof update === 'object') requireNames(update, entries)
    const content = renderLock(entries)
    if (dryRun !== true && content !== text)
      await replaceFile(path, (temporary) => writeFile(temporary, content, { flag: 'wx', mode: 0o644 }))
    return { path, ...difference(old, entries) }
  } catch (error) {
    throw asBuildError(error, { signal: call?.signal, root })
  }
}

function requireNames(names: readonly string[], entries: readonly LockEntry[]): void {
  const unknown = names.find((name) => !entries.some((entry) => isNamed(entry, name)))
  if (unknown !== undefined) throw lockErrors.lockName([unknown, entries.map(({ source }) => source)])
}

function difference(old: readonly LockEntry[], entries: readonly LockEntry[]): Omit<LockResult, 'path'> {
  const byKey = (list: readonly LockEntry[]) => new Map(list.map((entry) => [lockKey(entry), entry]))
  const [before, after] = [byKey(old), byKey(entries)]
  return {
    entries,
    added: entries.filter((entry) => !before.has(lockKey(entry))),
    renewed: entries.flatMap((entry) => {
      const was = before.get(lockKey(entry))
      return was !== undefined && was.digest !== entry.digest ? [{ before: was, after: entry }] : []
    }),
    removed: old.filter((entry) => !after.has(lockKey(entry))),
  }
}

/** Nothing is run, so that nothing need be allowed. */
const EVERYTHING = new Set(['network.host', 'security.insecure'])

/** Plans every stage that can be built, and notes which sources it asks for. */
class Search implements Pins {
  readonly #session: Session
  readonly #known: ReadonlyMap<string, LockEntry>
  /** How each source is looked up. */
  readonly #found = new Map<string, { readonly key: LockKey; readonly lookUp: () => Promise<string> }>()
  readonly #images = new Map<string, FoundImage>()

  /** @param known what need not be looked up */
  constructor(session: Session, known: readonly LockEntry[]) {
    this.#session = session
    this.#known = new Map(known.map((entry) => [lockKey(entry), entry]))
  }

  async run(parsed: ParsedDockerfile, settings: BuildSettings): Promise<LockEntry[]> {
    this.#session.usePins(this)
    const targets = [...parsed.stages.flatMap(({ from }) => from.stageName ?? []), undefined]
    for (const platform of settings.platforms) {
      for (const target of targets) {
        const stages = await resolveFor(platform, parsed, this.#session, settings, this.#images, false, target)
        planBuild(stages, { ...planOptions(settings), pins: this, allow: EVERYTHING })
      }
    }
    const entries = await Promise.all(
      [...this.#found.values()].map(async ({ key, lookUp }): Promise<LockEntry> => {
        const digest = this.#known.get(lockKey(key))?.digest ?? (await lookUp())
        return { ...key, digest }
      }),
    )
    return entries.sort((a, b) => Buffer.compare(Buffer.from(lockKey(a)), Buffer.from(lockKey(b))))
  }

  image(reference: string): string {
    const key = imageKey(reference)
    if (key === undefined) return reference
    const digest = this.#known.get(lockKey(key))?.digest
    this.#note(key, async () => this.#digestOf(key.source))
    return digest === undefined ? reference : `${key.source}@${digest}`
  }

  http(url: string): undefined {
    const { client, store, signal } = this.#session
    this.#note(
      httpKey(url),
      async () => (await downloaded({ url, checksum: undefined }, { store, client }, signal)).digest,
    )
  }

  git(url: string, ref: string | undefined): undefined {
    if (!isCommit(ref)) this.#note(gitKey(url, ref), () => this.#commitOf(url, ref))
  }

  #note(key: LockKey, lookUp: () => Promise<string>): void {
    const title = `[internal] look up ${key.source}`
    const shown = key.kind === 'image' ? lookUp : () => this.#session.task(title, lookUp)
    if (!this.#found.has(lockKey(key))) this.#found.set(lockKey(key), { key, lookUp: shown })
  }

  /** What the name was resolved to. */
  #digestOf(source: string): string {
    const ref = [...this.#images.keys()].find((name) => name.startsWith(`${source}@`))
    return parseReference(ref!).digest!
  }

  async #commitOf(url: string, ref: string | undefined): Promise<string> {
    const { store, signal, settings, git } = this.#session
    const options = { signal, env: settings.env, access: git }
    const { commit } = await resolveGit({ url, ref }, options)
    if (isCommit(commit)) return commit
    // The beginning of a hash: only who has the commits can tell.
    const directory = this.#session.use(await store.blobs.temporary('git')).path
    return (await fetchGit({ url, ref, submodules: false }, `${directory}/checkout`, options)).commit
  }
}
