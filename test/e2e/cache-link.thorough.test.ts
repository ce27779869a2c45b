/** COPY --link does not look at what lies below; what is built on top of it does. */
import { rm } from 'node:fs/promises'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { build, prune } from '@tsbuild/builder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheDirectory } from '../support/base-images.ts'
import { readFromTar, readLayoutArchive } from '../support/image-layout.ts'
import { writeBases } from '../support/random-inputs.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('busybox', 'tar')

describe.skipIf(needs.skip)(`COPY --link${needs.note}`, () => {
  let place: Workspace
  let bases: Record<string, string>
  let context: string
  let count = 0
  beforeEach(async () => {
    enableCompileCache(join(cacheDirectory(), 'compiled'))
    place = await openWorkspace()
    bases = await writeBases(place.path)
    context = await place.files({ a: 'a', b: 'b' })
  })
  afterEach(() => place[Symbol.asyncDispose]())

  /** The image's files by name: those of the uppermost layer that has them. */
  async function built(dockerfileText: string, noCacheFilter: string[] = []) {
    const archive = place.join(`image-${++count}.tar`)
    const result = await build({
      context,
      dockerfileText,
      noCacheFilter,
      buildContexts: bases,
      root: place.root,
      outputs: [{ type: 'oci', attrs: { dest: archive } }],
      env: { PATH: process.env.PATH, HOME: place.home },
    })
    const [image] = (await readLayoutArchive(archive, place.join(`image-${count}`))).images
    const { history, rootfs } = image!.config
    expect(history.filter((entry) => !entry.empty_layer)).toHaveLength(rootfs.diff_ids.length)
    expect(rootfs.diff_ids).toHaveLength(image!.layers.length)
    const files = await image!.files()
    return {
      result,
      files,
      async read(name: string): Promise<string> {
        for (let i = image!.layers.length - 1; i >= 0; i--) {
          const text = await readFromTar(image!.layerPath(i), name).catch(() => undefined)
          if (text !== undefined) return text
        }
        throw new Error(`${name} is in no layer`)
      },
    }
  }

  it('the RUN above it sees another RUN below it', async () => {
    const dockerfile = (who: string) => `FROM base-a\nRUN echo ${who} > /who\nCOPY --link a /x/f\nRUN cp /who /out\n`
    for (const who of ['A', 'B', 'A']) expect(await (await built(dockerfile(who))).read('out')).toBe(`${who}\n`)
  })

  it('the RUN above it sees another base image below it', async () => {
    for (const who of ['A', 'B']) {
      const image = await built(`FROM base-${who.toLowerCase()}\nCOPY --link a /x/f\nRUN cp /who /out\n`)
      expect(await image.read('out')).toBe(`base ${who}`)
    }
  })

  it('COPY --from and mounts of a stage with it see that stage', async () => {
    const dockerfile = (who: string) =>
      `FROM base-a AS s\nRUN echo ${who} > /who\nCOPY --link a /x/f\n` +
      'FROM base-a\nCOPY --from=s /who /copied\nRUN --mount=from=s,target=/m cp /m/who /mounted\n'
    for (const who of ['A', 'B']) {
      const image = await built(dockerfile(who))
      expect([await image.read('copied'), await image.read('mounted')]).toEqual([`${who}\n`, `${who}\n`])
    }
  })

  it('twice the same one does not take away what came in between', async () => {
    const dockerfile = 'FROM base-a\nCOPY --link a /x/1\nCOPY --link b /z/2\nRUN echo new > /new\nCOPY --link a /x/1\n'
    for (const round of ['built', 'cached']) {
      const { files, result } = await built(dockerfile)
      expect([...files.keys()], round).toEqual(expect.arrayContaining(['x/1', 'z/2', 'new']))
      expect(result.platforms[0]!.diffIDs, round).toHaveLength(5)
    }
  })

  it('two stages with the same one do not mix', async () => {
    const stage = (name: string, who: string) => `FROM base-a AS ${name}\nRUN echo ${who} > /who\nCOPY --link a /x/f\n`
    const dockerfile = `${stage('s', '1')}${stage('t', '2')}FROM base-a\nCOPY --from=s /who /one\nCOPY --from=t /who /two\n`
    const image = await built(dockerfile)
    expect([await image.read('one'), await image.read('two')]).toEqual(['1\n', '2\n'])
  })

  it('is unpacked whole, whatever it stood on when its files were lost', async () => {
    const below = await built('FROM base-a\nCOPY a /x/1\nCOPY --link a /x/1\nRUN true\n')
    expect(below.files.has('x/1')).toBe(true)
    await rm(join(place.root, 'snapshots'), { recursive: true })
    await built('FROM base-a\nCOPY a /x/1\nCOPY --link a /x/1\nRUN true > /ran\n')
    const image = await built('FROM base-b\nCOPY --link a /x/1\nRUN cp /x/1 /out\n')
    expect(await image.read('out')).toBe('a')
    await prune({ root: place.root, env: { PATH: process.env.PATH, HOME: place.home }, all: true })
    expect(await (await built('FROM base-b\nCOPY --link a /x/1\nRUN cp /x/1 /out\n')).read('out')).toBe('a')
  })

  it('names of --chown are those of the image below', async () => {
    for (const [base, owner] of [
      ['base-a', '1000/1000'],
      ['base-b', '2000/2000'],
    ] as const) {
      const { files } = await built(`FROM ${base}\nCOPY --link --chown=user a /x/1\n`)
      expect(files.get('x/1')?.owner).toBe(owner)
    }
  })
})
