/** For tests: JSON documents that are nearly what they should be. */
import fc from 'fast-check'

/** Texts of `document` with some of its values replaced, removed or doubled, at any depth. */
export function mutations(document: unknown): fc.Arbitrary<string> {
  const places = paths(document)
  const replacement = fc.oneof(
    fc.constantFrom('null', '1e999', '-1', '0.5', '""', '"x"', '[]', '{}', '[null]', '[[]]', '{"a":1}', 'true', '[5]'),
    fc.constantFrom('"\\u0000"', '"__proto__"', '{"__proto__":{"a":1}}', '{"a":null}', '9007199254740993'),
    fc.json({ maxDepth: 3 }),
  )
  const change = fc.tuple(fc.constantFrom(...places), fc.option(replacement, { nil: undefined }))
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => print(document, changes))
}

/** Every place of a value in a document, as JSON pointers. */
function paths(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([key, item]) => paths(item, `${at}/${key}`))]
}

/** JSON by hand, as some of the replacements are no values of JavaScript. */
function print(value: unknown, changes: readonly (readonly [string, string | undefined])[], at = ''): string {
  const change = changes.find(([place]) => place === at)
  if (change?.[1] !== undefined) return change[1]
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const kept = Object.entries(value).filter(
    ([key]) => !changes.some(([p, r]) => p === `${at}/${key}` && r === undefined),
  )
  const items = kept.map(([key, item]) => [key, print(item, changes, `${at}/${key}`)] as const)
  return Array.isArray(value)
    ? `[${items.map(([, item]) => item).join(',')}]`
    : `{${items.map(([key, item]) => `${JSON.stringify(key)}:${item}`).join(',')}}`
}
