import fc from 'fast-check'
import { expect, it } from 'vitest'
import { resolveWith } from './inroot.ts'

/** A tree of directories and links, by path. */
type Links = ReadonlyMap<string, string | 'directory'>

const names = ['a', 'b', 'c']
const name = fc.constantFrom(...names)
const target = fc
  .array(fc.constantFrom('a', 'b', 'c', '..', '.', '', 'none'), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('/') || '/')
/** Every directory down to the second level has links and directories of these names. */
const tree: fc.Arbitrary<Links> = fc
  .array(fc.oneof(target, fc.constant('directory' as const)), { minLength: 12, maxLength: 12 })
  .map((kinds) => {
    const links = new Map<string, string | 'directory'>()
    for (const [i, outer] of names.entries()) {
      links.set(outer, kinds[i]!)
      if (kinds[i] !== 'directory') continue
      for (const [j, inner] of names.entries()) links.set(`${outer}/${inner}`, kinds[3 + 3 * i + j]!)
    }
    return links
  })

const reader = (links: Links) => (path: string) => {
  const found = links.get(path)
  return found === undefined ? ('absent' as const) : found === 'directory' ? found : { link: found }
}

it('resolves to a path inside the root that has no links, the same one again', () => {
  fc.assert(
    fc.property(tree, fc.array(fc.oneof(name, fc.constantFrom('..', 'none')), { maxLength: 8 }), (links, parts) => {
      let resolved: string
      try {
        resolved = resolveWith(reader(links), parts.join('/'))
      } catch (error) {
        expect(error).toMatchObject({ code: 'ELOOP' })
        return
      }
      const done = resolved === '' ? [] : resolved.split('/')
      expect(done).not.toContain('..')
      for (let i = 1; i <= done.length; i++)
        expect(['directory', undefined]).toContain(links.get(done.slice(0, i).join('/')))
      expect(resolveWith(reader(links), resolved)).toBe(resolved)
    }),
    { numRuns: 3000 },
  )
})
