import { chown } from 'node:fs/promises'
import { describe, expect, inject, it } from 'vitest'
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
    'b.txt': { text: 'b\n', mode: 0o600 },
    'dir/c.txt': 'c\n',
  })
}

describe.skipIf(needs.skip)(`with SOURCE_DATE_EPOCH${needs.note}`, () => {
  it('two builds in new stores give the same digest', async () => {
    const digests: string[] = []
    for (const _ of [1, 2]) {
      await using place = await openWorkspace()
      const args = ['-o', `type=oci,dest=${place.join('image.tar')}`]
      const { stderr } = await place.must([...args, await context(place)], { env: EPOCH })
      digests.push(builtDigest(stderr))
      // Times of files in the second build are others.
      await new Promise((resolve) => setTimeout(resolve, 1100))
    }
    expect(digests[1]).toBe(digests[0])
  })
})

describe.skipIf(asUser.skip)(`an ordinary user${asUser.note}`, () => {
  it('gets the same digest as root', async () => {
    await using place = await openWorkspace()
    const root = await place.must([await context(place)], { env: EPOCH })

    await using user = await addUser()
    await using other = await openWorkspace()
    const directory = await context(other)
    for (const path of [other.path, other.home, other.tmp]) await chown(path, user.uid, user.gid)
    await using command = await ordinaryCommand(user)
    const built = await other.must([directory], { ...command.options, env: EPOCH })
    expect(builtDigest(built.stderr)).toBe(builtDigest(root.stderr))
    expect(built.stderr).not.toContain('WARNING')
  })
})
