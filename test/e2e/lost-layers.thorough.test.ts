/** Layers of earlier builds that cannot be used any more are made again, and go with a prune. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, diskUsage, prune } from '@tsbuild/builder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root')
const timeout = 600_000

// Layers of the first stage are never packed.
const DOCKERFILE = 'FROM scratch AS a\nCOPY a /x/a\nFROM scratch\nCOPY --from=a /x/a /\nCOPY b /b\n'

describe.skipIf(needs.skip)(`lost layers${needs.note}`, () => {
  let place: Workspace
  let context: string
  beforeEach(async () => {
    place = await openWorkspace()
    context = await place.files({ a: 'a', b: 'b' })
  })
  afterEach(() => place[Symbol.asyncDispose]())

  const store = () => ({ root: place.root, env: { PATH: process.env.PATH, HOME: place.home } })
  const snapshots = (...names: string[]) => join(place.root, 'snapshots', ...names)

  async function built(dockerfileText = DOCKERFILE) {
    return await build({
      context,
      dockerfileText,
      ...store(),
      // Files are handed out, too, so that there are snapshots.
      outputs: ['oci', 'tar'].map((type) => ({ type: type as 'oci', attrs: { dest: place.join(`${type}.tar`) } })),
    })
  }

  /** Makes the store one that was used with the other kind of snapshots, as far as anybody can see. */
  function changeKind(hint: boolean): void {
    const kind = readFileSync(snapshots('kind'), 'utf8')
    const other = kind === 'overlay' ? 'copy' : 'overlay'
    rmSync(snapshots(other), { recursive: true, force: true })
    renameSync(snapshots(kind), snapshots(other))
    if (hint) writeFileSync(snapshots('kind'), other)
  }

  it.each([true, false])('of the other kind of snapshots (known: %s)', { timeout }, async (hint) => {
    const first = await built()
    changeKind(hint)
    const after = `${DOCKERFILE}COPY --from=a /x /again/\n`
    const again = await built(after)
    expect(again.platforms[0]!.diffIDs.slice(0, 2)).toEqual(first.platforms[0]!.diffIDs)
    expect((await built(after)).steps).toMatchObject({ total: 4, cached: 4 })
  })

  it.each(['null', '{"format":1,"based":5,"rootChanged":null,"boot":[]}'])(
    'damaged by %s',
    { timeout },
    async (text) => {
      const first = await built()
      const [kind] = ['overlay', 'copy'].filter((each) => existsSync(snapshots(each)))
      for (const id of readdirSync(snapshots(kind!)))
        if (id.startsWith('file-')) writeFileSync(snapshots(kind!, id, 'layer.json'), text)
      const again = await built(`${DOCKERFILE}COPY --from=a /x /again/\n`)
      expect(again.platforms[0]!.diffIDs.slice(0, 2)).toEqual(first.platforms[0]!.diffIDs)
    },
  )

  it('of both kinds are seen and pruned', { timeout }, async () => {
    await built()
    changeKind(true)
    await built()
    const listed = async () => (await diskUsage(store())).items.filter(({ kind }) => kind === 'snapshot')
    const before = await listed()
    expect(new Set(before.map(({ id }) => id)).size).toBe(before.length)
    const { removed } = await prune({ ...store(), all: true })
    expect(
      removed
        .filter(({ kind }) => kind === 'snapshot')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(before.map(({ id }) => id).sort())
    for (const kind of ['overlay', 'copy'])
      expect(readdirSync(snapshots(kind)).filter((id) => !id.startsWith('.'))).toEqual([])
    expect(await listed()).toEqual([])
  })
})
