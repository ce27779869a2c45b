import { formatReference, parseReference, registryErrors, withDefaultTag } from '@tsbuild/registry-client'
import { exportErrors } from './attrs.ts'

/** Names of a comma separated list in full form: `docker.io/library/app:latest`. */
export function normalizedNames(list: string | undefined): string[] {
  return splitNames(list).map(normalizedName)
}

/** Names of repositories. @throws BuildError OUTPUT_INVALID for one with a tag or digest, REFERENCE_INVALID */
export function bareNames(list: string | undefined): string[] {
  return splitNames(list).map((name) => {
    refuseTag(name)
    return formatReference(parseReference(name))
  })
}

/** What is pushed by its digest has no other name. @throws BuildError OUTPUT_INVALID */
export function refuseTag(name: string): void {
  const { tag, digest } = parseReference(name)
  if (tag !== undefined || digest !== undefined)
    throw exportErrors.outputInvalid([`can't push tagged ref ${name} by digest`])
}

function splitNames(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** A name in full form for what is not made yet: its digest cannot be chosen. @throws RegistryError REFERENCE_INVALID */
export function normalizedName(name: string): string {
  const reference = parseReference(name)
  if (reference.digest !== undefined)
    throw registryErrors.referenceInvalid([name, 'refusing to create a tag with a digest reference'])
  return formatReference(withDefaultTag(reference))
}
