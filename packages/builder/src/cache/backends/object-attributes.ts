/** What the attributes of caches that are objects by name have in common. */
import type { AttributeReader } from '../../util/attributes.ts'
import { parseMilliseconds } from '../duration.ts'

/** BuildKit's is `buildkit`: so neither meets the other's document, and both share blobs. */
export const DEFAULT_NAME = 'tsbuild'

/** `a;b`: the names of one document. */
export function namesOf(attrs: AttributeReader<'name'>): string[] {
  const names = (attrs.text('name') ?? '').split(';').filter((name) => name !== '')
  return names.length === 0 ? [DEFAULT_NAME] : [...new Set(names)]
}

/** A part of a key: HTTP knows no names of objects with `.` and `..` in them. */
export function keyPart<Name extends string>(attrs: AttributeReader<Name>, name: Name, fallback: string): string {
  return checkedKey(attrs, name, attrs.text(name) ?? fallback)
}

/** @see keyPart */
export function checkedKey<Name extends string>(attrs: AttributeReader<Name>, name: string, key: string): string {
  if (/[\0-\x1f\x7f]/.test(key) || key.split('/').some((part) => part === '.' || part === '..') || key.length > 800)
    attrs.fail(`invalid ${name} ${JSON.stringify(key)}`)
  return key
}

/** Milliseconds. */
export function durationOf<Name extends string>(attrs: AttributeReader<Name>, name: Name, fallback: number): number {
  const text = attrs.text(name)
  if (text === undefined) return fallback
  return parseMilliseconds(text) ?? attrs.fail(`invalid ${name} ${JSON.stringify(text)}: write it as 24h or 10m`)
}

/** A URL of a service, without what would be secret in it. */
export function serviceUrl<Name extends string>(attrs: AttributeReader<Name>, name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return attrs.fail(`${name} is not a URL with http or https`)
  if (url.username !== '' || url.password !== '') return attrs.fail(`${name} has a user or password in it`)
  url.hash = ''
  return url
}
