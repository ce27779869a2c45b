import { formatReference, parseReference, withDefaultTag } from '@tsbuild/registry-client'

/** Names of a comma separated list in full form: `docker.io/library/app:latest`. */
export function normalizedNames(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .map(normalizedName)
}

/** A name in full form. @throws RegistryError REFERENCE_INVALID */
export function normalizedName(name: string): string {
  return formatReference(withDefaultTag(parseReference(name)))
}
