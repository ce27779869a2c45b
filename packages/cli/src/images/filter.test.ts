import { describe, expect, it } from 'vitest'
import { imageFilter, matchesPattern } from './filter.ts'
import type { ListedImage } from './rows.ts'

const image = (name: string, created: number, labels: Record<string, string> = {}): ListedImage => ({
  image: { name, digest: 'sha256:00', mediaType: '', platforms: [], size: 0 },
  id: 'sha256:11',
  created,
  labels: [labels],
})

const ALL = [
  image('docker.io/library/app:1', 1000, { a: 'x' }),
  image('docker.io/library/app:2', 2000, { a: 'y' }),
  image('registry.example:5000/team/app:1', 3000),
]

const chosen = async (...filters: string[]): Promise<number[]> => {
  const fits = await imageFilter(filters, async (name) => ALL[Number(name)]!, 3_600_000 + 2500)
  return ALL.flatMap((one, i) => (fits(one) ? [i] : []))
}

describe('images --filter', () => {
  it.each<[string[], number[]]>([
    [[], [0, 1, 2]],
    [['label=a'], [0, 1]],
    [['label=a=y'], [1]],
    [['label=a', 'label=a=x'], [0]],
    [['before=1'], [0]],
    [['since=0'], [1, 2]],
    [['until=1h'], [0, 1]],
    [['dangling=true'], []],
    [['dangling=false'], [0, 1, 2]],
    [['reference=app'], [0, 1]],
    [
      ['reference=app:1', 'reference=*/*/app'],
      [0, 2],
    ],
    [['reference=a?p:[12]', 'label=a=x'], [0]],
  ])('%j', async (filters, expected) => expect(await chosen(...filters)).toEqual(expected))

  it.each(['size=1', 'label', 'label=', 'dangling=maybe', 'until=soon'])('%s is refused', async (filter) => {
    await expect(imageFilter([filter], async () => ALL[0]!, 0)).rejects.toThrow(/invalid/)
  })

  it('compares patterns in steps that both lengths bound', () => {
    expect(matchesPattern('a'.repeat(2000), `${'*a'.repeat(500)}b`)).toBe(false)
    expect(matchesPattern('a-]', 'a[^b-z]\\]')).toBe(true)
  })
})
