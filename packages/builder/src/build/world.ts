/** The questions of stages, answered from a session: base images, named contexts, times of contexts. */
import type { Platform } from '@tsbuild/registry-client'
import { fetchGit } from '../context/git.ts'
import { checkName, type FoundImage } from '../image/resolve.ts'
import type { Location } from '../source.ts'
import type { NamedContext, StageWorld } from '../stages/world.ts'
import { downloaded } from '../steps/http-step.ts'
import type { Session } from './session.ts'

/** @param found collects every image that was resolved, by its reference */
export function stageWorld(session: Session, found: Map<string, FoundImage>): StageWorld {
  const keep = (image: FoundImage): FoundImage => {
    found.set(image.ref, image)
    return image
  }
  const resolveImage = async (reference: string, platform: Platform, at?: Location): Promise<FoundImage> => {
    return keep(await session.resolveImage(session.pins?.image(reference, at) ?? reference, platform))
  }
  return {
    checkName,
    resolveImage,
    hasNamedContext: (name) => session.contexts.find(name) !== undefined,
    async namedContext(name, platform): Promise<NamedContext | undefined> {
      const context = session.contexts.find(name)
      if (!context) return undefined
      switch (context.kind) {
        case 'scratch':
          return { kind: 'scratch' }
        case 'image':
          return { kind: 'image', image: await resolveImage(context.reference, platform) }
        case 'layout':
          return { kind: 'image', image: keep(await session.contexts.openLayout(context, platform, session.images)) }
        case 'tree':
          // What is missing in a lock file is said at the place that needs it.
          session.contexts.pin(context.name)
          return { kind: 'tree', context: context.name }
      }
    },
    async contextTime(name) {
      const context = name === 'context' ? { kind: 'tree' as const, name } : session.contexts.find(name)
      return context?.kind === 'tree' ? await session.contexts.time(context.name) : undefined
    },
    async sourceTime(source) {
      const { store, signal, settings, client, pins } = session
      if (source.kind === 'http') {
        const checksum = source.checksum ?? pins?.http(source.url, undefined)
        return (await downloaded({ ...source, checksum }, { store, client }, signal)).mtime || undefined
      }
      const commit = source.checksum === undefined ? pins?.git(source.url, source.ref, undefined) : undefined
      const directory = session.use(await store.blobs.temporary('git')).path
      const options = { signal, env: settings.env, access: session.git }
      return (await fetchGit({ ...source, commit, submodules: false }, `${directory}/checkout`, options)).time
    },
  }
}
