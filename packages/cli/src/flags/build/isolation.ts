/** `--isolation`. */
import type { BuildOptions } from '@tsbuild/builder'

const LEVELS = ['auto', 'namespaces', 'oci', 'chroot'] as const

/** docker calls it `default` when nothing special is asked for. */
export const ISOLATION_CHOICES: readonly string[] = [...LEVELS, 'default']

/** @param value one of {@link ISOLATION_CHOICES}: the parser has checked it */
export function parseIsolation(value: string | undefined): NonNullable<BuildOptions['isolation']> | undefined {
  return value === 'default' ? 'auto' : LEVELS.find((level) => level === value)
}
