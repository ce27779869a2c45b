import { formatReference, parseReference, registryErrors, withDefaultTag } from '@tsbuild/registry-client'

/** Names of a comma separated list in full form: `docker.io/library/app:latest`. */
export function normalizedNames(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .map(normalizedName)
}

/** A name in full form for what is not made yet: its digest cannot be chosen. @throws RegistryError REFERENCE_INVALID */
export function normalizedName(name: string): string {
  const reference = parseReference(name)
  if (reference.digest !== undefined)
    throw registryErrors.referenceInvalid([name, 'refusing to create a tag with a digest reference'])
  return formatReference(withDefaultTag(reference))
}
