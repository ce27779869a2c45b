/**
 * Tags of a repository (distribution-spec "Listing Tags").
 */
import type { CallOptions } from './content.ts'
import { registryErrors } from './errors.ts'
import { getDocument } from './manifests.ts'
import { nextPage, pageLimit } from './pages.ts'
import { onEachHost, type RepositoryAccess } from './repository-access.ts'
import type { HostClient } from './transport/host-client.ts'

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
    return { host, tags: parseTags(bytes, what), next: nextPage(headers, url), linked: headers.has('link') }
  }
  // The first page decides which server is asked for the others.
  let page = await onEachHost(access, 'resolve', signal, (host) => fetchPage(host, `tags/list${query()}`))
  for (let count = 1; ; count++) {
    yield* page.tags
    const last = page.tags.at(-1)
    if (last === undefined || count >= pageLimit) return
    // Some registries cut the list at `n` without a Link; only a page as long as asked for can have been cut.
    const cut = !page.linked && pageSize !== undefined && page.tags.length >= pageSize && last !== after
    if (page.next === undefined && !cut) return
    after = last
    page = await fetchPage(page.host, page.next ?? `tags/list${query()}`)
  }
}

function parseTags(bytes: Buffer, what: string): string[] {
  let tags: unknown
  try {
    tags = (JSON.parse(bytes.toString()) as { tags?: unknown }).tags ?? []
  } catch (cause) {
    throw registryErrors.badResponse([what, 'the list of tags is not JSON'], { cause })
  }
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
    throw registryErrors.badResponse([what, 'the list of tags is not a list of texts'])
  }
  return tags
}
