import { chmod, chown, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { readLayoutArchive } from '../support/image-layout.ts'
import { builtDigest } from '../support/progress.ts'
import { gate } from '../support/tools.ts'
import { addUser, ordinaryCommand } from '../support/user.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const asUser = gate('root', 'docker-registry', 'busybox', 'newuidmap', 'setpriv', 'useradd')

const EPOCH = { SOURCE_DATE_EPOCH: '1700000000' }

async function context(place: Workspace): Promise<string> {
  return await place.files({
    Dockerfile: `
      FROM ${inject('registry')}/busybox AS build
      WORKDIR /src
      COPY . .
      RUN mkdir -p /out/deep && cat *.txt > /out/deep/all && ln /out/deep/all /out/hard && ln -s deep/all /out/soft
      RUN chown -R 1000:50 /out && chmod 4750 /out/deep/all && rm -rf /home && touch /tmp/new

      FROM ${inject('registry')}/busybox
      COPY --from=build /out /data
      COPY --chown=user:staff --chmod=0640 a.txt /etc/a.conf
      RUN echo other:x:1001:1001::/:/bin/sh >> /etc/passwd && date > /dev/null
      USER user
      WORKDIR /work/here
      LABEL a=b`,
    'a.txt': 'a\n',
    'b.txt': { text: 'b\n', mode: 0o755 },
    'dir/c.txt': 'c\n',
  })
}

// Files keep their times, so builds that are compared have the context in common.
describe.skipIf(needs.skip)(`with SOURCE_DATE_EPOCH${needs.note}`, () => {
  it('two builds in new stores give the same digest', async () => {
    await using source = await openWorkspace()
    const directory = await context(source)
    const digests: string[] = []
    for (const _ of [1, 2]) {
      await using place = await openWorkspace()
      const args = ['-o', `type=oci,dest=${place.join('image.tar')}`]
      const { stderr } = await place.must([...args, directory], { env: EPOCH })
      digests.push(builtDigest(stderr))
      // What the second build makes is of another second.
      await new Promise((resolve) => setTimeout(resolve, 1100))
    }
    expect(digests[1]).toBe(digests[0])
  })
})

describe('a layer of which one file has changed', () => {
  it('is the same from a store that knows the rest and from a new one', async () => {
    await using source = await openWorkspace()
    const names = Array.from({ length: 300 }, (_, i) => `lib/module-${i}.js`)
    const text = (name: string) => Array.from({ length: 800 }, (_, i) => `${name} has line ${(i * i) % 997}`).join('\n')
    const directory = await source.files({
      Dockerfile: 'FROM scratch\nCOPY . /app\n',
      ...Object.fromEntries(names.map((name) => [name, text(name)])),
    })
    const digestIn = async (place: Workspace) =>
      builtDigest(
        (await place.must(['-o', `type=oci,dest=${place.join('image.tar')}`, directory], { env: EPOCH })).stderr,
      )

    await using known = await openWorkspace()
    const before = await digestIn(known)
    const [table] = await readdir(join(known.root, 'records/pieces'))
    await utimes(join(known.root, 'records/pieces', table!), 5, 5)
    await writeFile(join(directory, names[150]!), 'changed\n')
    const after = await digestIn(known)
    // That it was of use is told by its time.
    expect((await stat(join(known.root, 'records/pieces', table!))).mtimeMs).toBeGreaterThan(5000)
    await using empty = await openWorkspace()
    expect([after, after === before]).toEqual([await digestIn(empty), false])
  })
})

describe('an output with source-date-epoch= and no value', () => {
  const dated = 1_600_000_000

  it('takes the SOURCE_DATE_EPOCH of the file away, also when layers are there that were made with it', async () => {
    await using place = await openWorkspace()
    const epoch = dated
    const directory = await place.files({
      Dockerfile: `ARG SOURCE_DATE_EPOCH=${dated}\nFROM scratch\nCOPY <<a <<b /\n1\na\n2\nb\n`,
    })
    const times = async (name: string) => {
      const { images } = await readLayoutArchive(place.join(name), place.join(`${name}.d`))
      const files = await images[0]!.files()
      const { created, history } = images[0]!.config
      return {
        file: files.get('a')?.mtime,
        created,
        history: history.map((h) => h.created),
      }
    }
    const iso = `${new Date(epoch * 1000).toISOString().slice(0, 19)}Z`
    const kept = { file: epoch, created: iso, history: [iso] }
    const output = (name: string, more = '') => ['-o', `type=oci,dest=${place.join(name)}${more}`]

    await place.must([...output('first'), directory])
    expect(await times('first')).toEqual(kept)
    await place.must([...output('dated'), ...output('plain', ',source-date-epoch='), directory])
    expect(await times('dated')).toEqual(kept)
    const plain = await times('plain')
    expect(plain.file).toBeGreaterThan(1_750_000_000)
    for (const time of [plain.created, ...plain.history]) expect(Date.parse(time!)).toBeGreaterThan(1.75e12)
    await place.must([...output('alone', ',source-date-epoch='), directory])
    expect(await times('alone')).toEqual(plain)
  })
})

describe.skipIf(asUser.skip)(`an ordinary user${asUser.note}`, () => {
  it('gets the same digest as root', async () => {
    await using place = await openWorkspace()
    const directory = await context(place)
    const root = await place.must([directory], { env: EPOCH })

    await chmod(place.path, 0o755)
    await using user = await addUser()
    await using other = await openWorkspace()
    for (const path of [other.path, other.home, other.tmp]) await chown(path, user.uid, user.gid)
    await using command = await ordinaryCommand(user)
    const built = await other.must([directory], { ...command.options, env: EPOCH })
    expect(builtDigest(built.stderr)).toBe(builtDigest(root.stderr))
    expect(built.stderr).not.toContain('WARNING')
  })
})
