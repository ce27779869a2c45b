import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { pathsBelow } from '../support/leftovers.ts'
import { must, run } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { addUser, ordinaryCommand } from '../support/user.ts'
import { openWorkspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const root = gate('root', 'docker-registry', 'busybox')
const users = gate('root', 'docker-registry', 'busybox', 'newuidmap', 'setpriv', 'useradd')

/** Milliseconds: many times what it takes, on a machine that does other things as well. */
const timeout = 900_000

const dockerfile = (last = 'one') => `FROM ${inject('registry')}/busybox\nRUN echo ${last} > /last\n`

it.skipIf(users.skip)(`a store is refused to everybody but its owner, root too${users.note}`, { timeout }, async () => {
  await using place = await openWorkspace()
  await using user = await addUser()
  await using command = await ordinaryCommand(user)
  for (const path of [place.path, place.home, place.tmp]) await chown(path, user.uid, user.gid)
  const context = await place.files({ Dockerfile: dockerfile() })
  await place.must(['-t', 'image', context], command.options)
  for (const args of [[context], ['prune'], ['tag', 'image', 'other'], ['rmi', 'image'], ['pull', 'image']]) {
    const refused = await place.run(args)
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toMatch(
      new RegExp(`the store ${place.root} belongs to ${user.name} \\(uid ${user.uid}\\), and this is root \\(uid 0\\)`),
    )
    expect(refused.stderr).toContain('--root')
  }
  // Looking leaves nothing behind.
  expect((await place.must(['images'])).stdout).toContain('library/image')
  await place.must(['inspect', 'image'])
  const others = pathsBelow(place.root).length
  await place.must(['du'])
  expect(pathsBelow(place.root)).toHaveLength(others)
  expect((await run('find', [place.root, '-uid', '0'])).stdout).toBe('')
})

it.skipIf(users.skip)(
  `what another user has left is passed over, with a warning${users.note}`,
  { timeout },
  async () => {
    await using place = await openWorkspace()
    await using user = await addUser()
    await using command = await ordinaryCommand(user)
    for (const path of [place.path, place.home, place.tmp]) await chown(path, user.uid, user.gid)
    const context = await place.files({ Dockerfile: dockerfile() })
    await place.must([context], command.options)
    const rooms = await readdir(join(place.root, 'snapshots'))
    const room = `snapshots/${rooms.find((name) => name.startsWith('overlay'))}`
    // As a killed build of root would, in a process that is long gone.
    const names = [
      `${room}/.new-999999999-1-1-00000000-0.x`,
      'tmp/999999999-1-1-00000000-0.x',
      'leases/999999999-1-1-00000000-0.1',
    ]
    for (const name of [...names, 'quarantine/x', `${room}/odd`]) {
      await mkdir(join(place.root, name, 'kept'), { recursive: true, mode: 0o700 })
      await writeFile(join(place.root, name, 'kept/file'), '')
    }
    // Marks of use cannot be set on what is another's.
    for (const id of await readdir(join(place.root, room)))
      if (id.startsWith('chain-')) await chown(join(place.root, room, id), 0, 0)
    await writeFile(join(context, 'Dockerfile'), dockerfile('two'))
    const built = await place.must(['--progress=plain', '-t', 'image', context], command.options)
    expect(built.stderr).toMatch(/the store holds what cannot be removed: .*\.new-999999999/)
    for (const args of [['images'], ['inspect', 'image'], ['du'], ['doctor'], ['prune', '--all']])
      await place.must(args, command.options)
  },
)

it.skipIf(root.skip)(`a store on a read-only file system can be looked at${root.note}`, { timeout }, async () => {
  await using place = await openWorkspace()
  const context = await place.files({ Dockerfile: dockerfile() })
  await place.must(['-t', 'image', context])
  await must('mount', ['--bind', place.root, place.root])
  try {
    await must('mount', ['-o', 'remount,bind,ro', place.root])
    expect((await place.must(['images'])).stdout).toContain('library/image')
    await place.must(['inspect', 'image'])
    expect((await place.must(['du', '--format', 'json'])).stdout).toContain('"kind": "snapshot"')
    await place.must(['prune', '--dry-run'])
    const ran = await place.must(['run', 'image', 'cat', '/last'])
    expect(ran.stdout).toBe('one\n')
    expect(ran.stderr).toMatch(/WARNING: the store .* cannot be written: layers are unpacked for this once/)
    await place.run(['doctor']).then(({ stdout }) => expect(stdout).toContain('read-only file system'))
    for (const args of [[context], ['rmi', 'image']]) {
      const refused = await place.run(args)
      expect(refused.code).not.toBe(0)
      expect(refused.stderr).toMatch(/cannot use .*: read-only file system/)
      expect(refused.stderr).not.toContain('mistake in tsbuild')
    }
  } finally {
    await must('umount', [place.root])
  }
})

it.skipIf(needs.skip)(`all of a store is its owner's alone${needs.note}`, { timeout }, async () => {
  await using place = await openWorkspace()
  const context = await place.files({ Dockerfile: dockerfile(), file: '' })
  await writeFile(join(context, 'Dockerfile'), `${dockerfile()}COPY file /\nRUN --mount=type=cache,target=/c true\n`)
  await place.must(['-t', 'image', context])
  expect((await stat(place.root)).mode & 0o777).toBe(0o700)
  const directories = ['.', ...(await readdir(place.root)), 'blobs/sha256', 'records/step', 'snapshots/overlay']
  const open: string[] = []
  for (const name of directories) {
    const found = await stat(join(place.root, name)).catch(() => undefined)
    if (found?.isDirectory() && (found.mode & 0o77) !== 0) open.push(name)
  }
  expect(open).toEqual([])
})

const NOWHERE = '/proc/tsbuild/x'

it.skipIf(needs.skip)(
  `directories that cannot be made are told, not waited for${needs.note}`,
  { timeout },
  async () => {
    await using place = await openWorkspace()
    const context = await place.files({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' })
    await chmod(context, 0o755)
    const cases = [
      ['--root', NOWHERE, context],
      ['--root', NOWHERE, 'pull', `${inject('registry')}/busybox`],
      ...['local', 'oci', 'tar', 'docker'].map((type) => ['-o', `type=${type},dest=${NOWHERE}`, context]),
      ['-o', `type=oci,tar=false,dest=${NOWHERE}`, context],
      ['--iidfile', NOWHERE, context],
      ['copy', `${inject('registry')}/busybox`, `oci:${NOWHERE}`],
    ]
    for (const args of cases) {
      const result = await place.run(args)
      expect(result.code, args.join(' ')).not.toBe(0)
      expect(result.stderr, args.join(' ')).not.toContain('mistake in tsbuild')
    }
  },
)
