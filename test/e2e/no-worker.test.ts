/** Builds without a RUN need no worker, no privilege and no Linux, and give everybody the same image. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { type Image, readLayoutArchive } from '../support/image-layout.ts'
import { builtDigest } from '../support/progress.ts'
import { gate, isRoot } from '../support/tools.ts'
import { addUser, ordinaryCommand } from '../support/user.ts'
import { openWorkspace, type TsbuildOptions, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox', 'tar')
const asUser = gate('root', 'docker-registry', 'busybox', 'tar', 'setpriv', 'useradd')

/** Neither Linux nor root, no koffi, no /proc, no other process. */
const PLAIN = { NODE_OPTIONS: `--import=${join(import.meta.dirname, '../support/plain-platform.mjs')}` }
const EPOCH = { SOURCE_DATE_EPOCH: '1700000000' }

async function context(place: Workspace): Promise<string> {
  const directory = await place.files({
    Dockerfile: `
      FROM scratch AS files
      COPY d /deep/er/
      ADD a.tar /unpacked
      FROM ${inject('registry')}/busybox
      WORKDIR /work
      COPY --chown=user:staff a.txt /etc/
      COPY --chmod=u+s,go=rX d/ /bin/
      COPY --from=files --chown=12345:23456 /deep /from/files/
      COPY --from=files /unpacked /work/
      COPY --link a.txt /linked/
      ADD <<-EOT /etc/passwd
\tsomebody:x:44:55::/:
\tEOT
      COPY --chown=somebody a.txt /work/mine
      LABEL a=b`,
    'a.txt': 'a\n',
    'd/b.txt': { text: 'b\n', mode: 0o755 },
    'd/c/e.txt': 'e\n',
    'in/x/y': 'y\n',
  })
  execFileSync('tar', ['--owner=7', '--group=8', '--mtime=@1500000000', '-cf', 'a.tar', '-C', 'in', 'x'], {
    cwd: directory,
  })
  return directory
}

async function built(place: Workspace, directory: string, options: TsbuildOptions, ...args: string[]): Promise<Image> {
  const archive = place.join('image.tar')
  await place.must(['--platform', 'linux/amd64', ...args, '-o', `type=oci,dest=${archive}`, directory], {
    ...options,
    env: { ...EPOCH, ...options.env },
  })
  expect(existsSync(join(place.root, 'snapshots'))).toBe(false)
  return (await readLayoutArchive(archive, place.join('layout'))).images[0]!
}

it.skipIf(needs.skip)(`the same image on a platform that has nothing, and without isolation${needs.note}`, async () => {
  await using source = await openWorkspace()
  const directory = await context(source)
  await using here = await openWorkspace()
  const image = await built(here, directory, {})
  const files = await image.files()
  expect(files.get('etc/a.txt')?.owner).toBe('1000/50')
  expect(files.get('from/files/er/b.txt')?.owner).toBe('12345/23456')
  expect(files.get('work/mine')?.owner).toBe('44/55')
  expect(files.get('work/x/y')).toMatchObject({ owner: '7/8', mtime: 1_500_000_000 })
  await using plain = await openWorkspace()
  expect((await built(plain, directory, { env: PLAIN })).manifest.digest).toBe(image.manifest.digest)
  await using none = await openWorkspace()
  const elsewhere = ['--isolation', 'oci', '--oci-runtime', '/nonexistent/runtime']
  expect((await built(none, directory, {}, ...elsewhere)).manifest.digest).toBe(image.manifest.digest)
  // And from the cache.
  if (isRoot) execFileSync('chown', ['-R', '501', plain.root])
  const again = await plain.must(['--platform', 'linux/amd64', '-t', 'x', directory], { env: { ...EPOCH, ...PLAIN } })
  expect(builtDigest(again.stderr)).toBe(image.manifest.digest)
  expect(again.stderr).toMatch(/\b10 steps, all cached/)
})

it.skipIf(asUser.skip)(`the same image for a user without sub-ids as for root${asUser.note}`, async () => {
  await using source = await openWorkspace()
  const directory = await context(source)
  await using here = await openWorkspace()
  const image = await built(here, directory, {})
  await using user = await addUser({ subIds: false })
  await using command = await ordinaryCommand(user)
  await using place = await openWorkspace()
  for (const path of [place.path, place.home, place.tmp, source.path]) await chown(path, user.uid, user.gid)
  expect((await built(place, directory, command.options)).manifest.digest).toBe(image.manifest.digest)
})

it.skipIf(needs.skip)(`layers of a base that need not be read are not fetched${needs.note}`, async () => {
  await using place = await openWorkspace()
  const registry = inject('registry')
  const push = async (name: string, lines: string, text: string) => {
    const directory = await place.files({ Dockerfile: `FROM ${registry}/busybox\n${lines}\n`, f: text })
    await place.must(['-o', `type=registry,name=${registry}/${name}`, directory])
  }
  const { layers } = await built(place, await place.files({ Dockerfile: `FROM ${registry}/busybox` }), {})
  const blob = join(place.root, 'blobs/sha256', layers[0]!.digest.slice('sha256:'.length))
  await rm(place.root, { recursive: true })
  await push('no-worker-link', 'COPY --link f /f\nLABEL a=b', '1')
  expect(existsSync(blob)).toBe(false)
  await push('no-worker', 'COPY f /etc/f', '1')
  expect(existsSync(blob)).toBe(true)
  // What it holds is known from then on, without it.
  await rm(blob)
  await push('no-worker', 'COPY f /etc/f', '2')
  expect(existsSync(blob)).toBe(false)
})
