/**
 * Tags of a repository (distribution-spec "Listing Tags").
 */

import type { CallOptions } from '../model/content.ts'
import { registryErrors } from '../model/errors.ts'
import { list, object, optional, parseDocument, SchemaProblem, text } from '../model/schema.ts'
import { readBody } from '../transport/http.ts'
import type { HostClient } from './host-client.ts'
import { getDocument } from './manifests.ts'
import { nextPage, pageLimit } from './pages.ts'
import { onEachHost, type RepositoryAccess } from './repository-access.ts'

export interface ListTagsOptions extends CallOptions {
  /** Tags per request; the registry may give fewer. */
  readonly pageSize?: number | undefined
  /** Only tags after this one, in the registry's order. */
  readonly after?: string | undefined
}

/** All tags in the registry's order, fetched page by page as they are asked for. */
export async function* listTags(access: RepositoryAccess, options: ListTagsOptions = {}): AsyncGenerator<string> {
  const { signal, pageSize } = options
  const what = `${access.registry}/${access.repository}`
  let after = options.after
  const query = (): string => {
    const pairs: string[] = []
    if (pageSize !== undefined) pairs.push(`n=${pageSize}`)
    if (after !== undefined) pairs.push(`last=${encodeURIComponent(after)}`)
    return pairs.length === 0 ? '' : `?${pairs.join('&')}`
  }
  const fetchPage = async (host: HostClient, path: string | URL) => {
    const { bytes, headers, url } = await getDocument(host, access, path, { accept: 'application/json' }, what, signal)
    return { host, tags: parseNames(bytes, 'tags', what), next: nextPage(headers, url), linked: headers.has('link') }
  }
  // The first page decides which server is asked for the others.
  let page = await onEachHost(access, 'resolve', signal, (host) => fetchPage(host, `tags/list${query()}`))
  for (let count = 1; ; count++) {
    yield* page.tags
    const { tags, next, linked } = page
    const last = tags.at(-1)
    if (count >= pageLimit) return
    // A page may be empty and still not be the last one: what it had was filtered. Some registries cut the list at `n` without a Link; only a page just as long as asked for can have been cut.
    const cut = !linked && last !== undefined && tags.length === pageSize
    if (next === undefined && !cut) return
    after = last ?? after
    page = await fetchPage(page.host, next ?? `tags/list${query()}`)
    // Others know neither `n` nor `last` and have given everything at once.
    if (next === undefined && page.tags[0] === tags[0]) return
  }
}

/** Repositories of a registry, page by page. */
export async function* listCatalog(
  host: HostClient,
  what: string,
  limit: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  let next: string | URL | undefined = '_catalog'
  for (let count = 0; next !== undefined && count < pageLimit; count++) {
    const call = {
      method: 'GET',
      path: next,
      repository: '',
      scopes: ['registry:catalog:*'],
      expect: [200],
      what,
      signal,
    } as const
    const { names, following } = await host.receive({ what, signal }, async () => {
      const answer = await host.send(call)
      const bytes = await readBody(answer.body, limit, host.env.timeouts.documentMs)
      if (bytes === undefined) throw registryErrors.manifestTooLarge([what, limit])
      return { names: parseNames(bytes, 'repositories', what), following: nextPage(answer.headers, answer.url) }
    })
    yield* names
    next = following
  }
}

const texts = optional(list(text, 'texts'))
const namesSchema = object<{ readonly tags?: readonly string[]; readonly repositories?: readonly string[] }>({
  tags: texts,
  repositories: texts,
})

function parseNames(bytes: Buffer, key: 'tags' | 'repositories', what: string): readonly string[] {
  try {
    return parseDocument(bytes, namesSchema)[key] ?? []
  } catch (cause) {
    if (!(cause instanceof SchemaProblem)) throw cause
    throw registryErrors.badResponse([what, `the list of ${key}: ${cause.message}`], { cause })
  }
}
