/**
 * `RUN --mount`: its fields as written when the file is parsed, and what they mean once variables have values.
 * As in the reference, everything but `from` is judged in the second step, so that a stage that is not built cannot
 * fail because of it.
 */
import { posix } from 'node:path'
import type { Flag } from '../dockerfile/ast.ts'
import { BuildError } from '../errors.ts'
import type { Location, SourceFile } from '../source.ts'
import { cleanPath } from '../util/inroot.ts'
import { CsvProblem, splitCsv } from './csv.ts'
import { instructionErrors } from './errors.ts'
import { applyField, type MountDraft, type sharings } from './mount-fields.ts'
import type { MountFlag } from './nodes.ts'

/** A file or directory of the context, a stage or an image. */
export interface ResolvedBind {
  readonly type: 'bind'
  /** Stage, image or named context; undefined: the build context. */
  readonly from: string | undefined
  /** Path in the source as written; '' is its root. */
  readonly source: string
  /** Absolute. */
  readonly target: string
  /** false: writes are seen by the command and thrown away afterwards. */
  readonly readonly: boolean
}

/** A directory that survives builds. */
export interface ResolvedCache {
  readonly type: 'cache'
  /** As written, by default the target, cleaned. */
  readonly id: string
  readonly sharing: (typeof sharings)[number]
  /** What the cache begins with; undefined: nothing. */
  readonly from: string | undefined
  readonly source: string
  readonly target: string
  readonly readonly: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** A directory in memory. */
export interface ResolvedTmpfs {
  readonly type: 'tmpfs'
  readonly target: string
  /** Bytes; undefined: no limit. */
  readonly size: number | undefined
}

/** A secret as a file, an environment variable, or both. */
export interface ResolvedSecret {
  readonly type: 'secret'
  readonly id: string
  /** Absolute; undefined if the secret is only an environment variable. */
  readonly target: string | undefined
  readonly env: string | undefined
  readonly required: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** The socket of an ssh agent. */
export interface ResolvedSsh {
  readonly type: 'ssh'
  readonly id: string
  /** Absolute; undefined: a place of the builder's choice. */
  readonly target: string | undefined
  readonly required: boolean
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** A mount that is ready to be made. */
export type ResolvedMount = ResolvedBind | ResolvedCache | ResolvedTmpfs | ResolvedSecret | ResolvedSsh

/** What a mount needs to know of the stage. */
export interface MountContext {
  /** Working directory that relative targets count from. */
  readonly cwd: string
}

/**
 * Reads the fields of one flag.
 *
 * @throws FLAG_CSV, MOUNT_FROM_VARIABLE, placed at the flag
 */
export function parseMount(flag: Flag, file: SourceFile): MountFlag {
  const place = { file, flag }
  const fields = splitFields(place).map((text) => {
    const equals = text.indexOf('=')
    const key = (equals < 0 ? text : text.slice(0, equals)).toLowerCase()
    const value = equals < 0 ? undefined : text.slice(equals + 1)
    if (key === 'from' && value !== undefined && /\$./.test(value)) {
      throw instructionErrors.mountFromVariable([], { at: placeOf(place) })
    }
    return { key, value, text }
  })
  return { fields, ...place }
}

function splitFields(place: Pick<MountFlag, 'file' | 'flag'>): string[] {
  try {
    return splitCsv(place.flag.value ?? '')
  } catch (error) {
    if (!(error instanceof CsvProblem)) throw error
    throw instructionErrors.csv(['mounts', error.message], { at: placeOf(place) })
  }
}

function placeOf({ file, flag }: Pick<MountFlag, 'file' | 'flag'>): Location {
  return { file, range: flag.range }
}

/**
 * What a mount means.
 *
 * @param expand replaces variables in a value
 * @throws FIELD_FORM, FIELD_UNKNOWN, FIELD_VALUE, MOUNT_FIELD_FOR_TYPE, MOUNT_TYPE, MOUNT_SHARING, MOUNT_TARGET, placed
 *   at the flag; and what `expand` throws
 */
export function resolveMount(mount: MountFlag, expand: (text: string) => string, { cwd }: MountContext): ResolvedMount {
  const at = placeOf(mount)
  const draft: MountDraft = { type: 'bind' }
  const expandPlaced = (text: string): string => {
    try {
      return expand(text)
    } catch (error) {
      throw error instanceof BuildError ? error.with({ at }) : error
    }
  }
  for (const field of mount.fields) applyField(draft, field, expandPlaced, at)
  const { type } = draft
  const wrong = (problem: string) => instructionErrors.fieldForType([problem], { at })
  for (const key of ['mode', 'uid', 'gid'] as const) {
    if (draft[key] !== undefined && (type === 'bind' || type === 'tmpfs')) {
      throw wrong(`${key} not allowed for "${type}" type mounts`)
    }
  }
  if (type === 'secret') checkSecret(draft, wrong)
  if (draft.sharing !== undefined && type !== 'cache') throw wrong(`invalid cache sharing set for ${type} mount`)
  if (draft.env !== undefined && type !== 'secret') throw wrong(`env not allowed for "${type}" type mounts`)

  const absolute = (target: string): string => {
    return cleanPath(`/${target.startsWith('/') ? '' : cwd}/${target}`)
  }
  const place = (): string => {
    const path = absolute(draft.target ?? '')
    if (path === '/') throw instructionErrors.mountTarget([path], { at })
    return path
  }
  const owner = { uid: draft.uid ?? 0, gid: draft.gid ?? 0 }
  const from = draft.from || undefined
  const source = draft.source ?? ''
  const given = draft.target ? absolute(draft.target) : undefined
  const required = draft.required ?? false
  switch (type) {
    case 'bind':
      return { type, from, source, target: place(), readonly: draft.readonly ?? true }
    case 'cache': {
      const id = draft.id || cleanPath(draft.target ?? '')
      const { sharing = 'shared', readonly = false, mode = 0o755 } = draft
      return { type, id, sharing, from, source, target: place(), readonly, mode, ...owner }
    }
    case 'tmpfs':
      return { type, target: place(), size: draft.size }
    case 'secret': {
      const id = source || draft.id || posix.basename(given ?? '')
      const env = draft.env || undefined
      const target = given ?? (env === undefined ? `/run/secrets/${posix.basename(id)}` : undefined)
      return { type, id, target, env, required, mode: draft.mode ?? 0o400, ...owner }
    }
    case 'ssh': {
      if (source !== '') throw wrong('ssh does not support source')
      return { type, id: draft.id || 'default', target: given, required, mode: draft.mode ?? 0o600, ...owner }
    }
  }
}

function checkSecret(draft: MountDraft, wrong: (problem: string) => Error): void {
  if (draft.from) throw wrong('secret mount should not have a from')
  if (draft.sharing !== undefined) throw wrong('secret mount should not define sharing')
  if (!draft.source && !draft.target && !draft.id) throw wrong('invalid secret mount. one of source, target required')
  if (draft.source && draft.id) throw wrong("both source and id can't be set")
}
