/** `--context`: from kaniko's prefixes to what the library takes. */
import { join } from 'node:path'
import type { SecretSource } from '@tsbuild/builder'
import { UsageError } from '../usage-error.ts'
import type { KanikoDraft } from './draft.ts'

export interface KanikoContext {
  /** A directory, a URL, or `-`. */
  readonly context: string
  /** The archive that is read in place of stdin. */
  readonly archive?: string
  /** What git needs to prove who one is. */
  readonly secrets?: readonly SecretSource[]
}

/** How an archive gets here from a place that is not read, by the context's prefix. */
const PIPED: Readonly<Record<string, string>> = {
  's3:': 'aws s3 cp CONTEXT - | tsbuild kaniko --context tar://stdin',
  'gs:': 'gcloud storage cat CONTEXT | tsbuild kaniko --context tar://stdin',
}

/** @throws UsageError for a context that cannot be read */
export function kanikoContext(draft: KanikoDraft): KanikoContext {
  const { context: text, subPath } = draft
  if (text === '') throw new UsageError('please specify a path to the build context with the --context flag')
  const [, scheme, rest = ''] = /^([a-z0-9]+:)\/\/(.*)$/s.exec(text) ?? []
  if (scheme === undefined || scheme === 'dir:') {
    const directory = scheme === undefined ? text : rest
    return { context: subPath === undefined ? directory : join(directory, subPath) }
  }
  if (scheme === 'git:') return gitContext(draft, rest)
  const pipe = PIPED[scheme]
  if (pipe !== undefined)
    throw new UsageError(
      `contexts in ${scheme}// are not read`,
      `pipe the archive in: ${pipe.replace('CONTEXT', () => text)}`,
    )
  if (scheme !== 'tar:' && scheme !== 'https:' && scheme !== 'http:')
    throw new UsageError(
      'unknown build context prefix provided, please use one of the following: dir://, tar://, git://, https://',
    )
  if (subPath !== undefined)
    throw new UsageError(
      '--context-sub-path is not supported for archives',
      `make the archive of that directory: tar -C ${subPath} -czf context.tar.gz .`,
    )
  if (scheme !== 'tar:') return { context: text }
  return rest === 'stdin' ? { context: '-' } : { context: '-', archive: rest }
}

/** `HOST/REPOSITORY[#REF[#COMMIT]]`, fetched by https unless $GIT_PULL_METHOD says http. */
function gitContext(draft: KanikoDraft, text: string): KanikoContext {
  const { env, subPath, gitBranch, gitSubmodules } = draft
  const [place = '', ref = '', commit = ''] = text.split('#')
  const base = `${env.GIT_PULL_METHOD === 'http' ? 'http' : 'https'}://${place.replace(/\/+$/, '')}`
  const query = new URLSearchParams()
  // As kaniko has it: no submodules unless they are asked for.
  if (gitSubmodules !== true) query.set('submodules', 'false')
  const wanted = commit || gitBranch || ref
  const fragment = `${encodeURIComponent(wanted).replaceAll('%2F', '/')}${subPath === undefined ? '' : `:${subPath}`}`
  const url = `${base}${base.endsWith('.git') ? '' : '.git'}`
  const secret = gitSecret(env, base)
  return {
    context: `${url}${query.size > 0 ? `?${query}` : ''}${fragment === '' ? '' : `#${fragment}`}`,
    ...(secret && { secrets: [secret] }),
  }
}

/** The header that git sends to this host alone. */
function gitSecret(env: KanikoDraft['env'], base: string): SecretSource | undefined {
  const [name, password] = env.GIT_TOKEN ? [env.GIT_TOKEN, ''] : [env.GIT_USERNAME ?? '', env.GIT_PASSWORD ?? '']
  if ((name === '' && password === '') || !URL.canParse(base)) return undefined
  const value = `basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
  return { id: `GIT_AUTH_HEADER.${new URL(base).host}`, value }
}
