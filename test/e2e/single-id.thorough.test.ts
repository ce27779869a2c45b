import { chown, readFile } from 'node:fs/promises'
import { expect, inject, it } from 'vitest'
import { must } from '../support/process.ts'
import { gate } from '../support/tools.ts'
import { addUser, ordinaryCommand } from '../support/user.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root', 'useradd', 'docker-registry', 'busybox')
const subIds = gate('root', 'useradd', 'newuidmap', 'docker-registry', 'busybox')

/** An image with files of several owners, as an OCI layout. @returns its path */
async function baseLayout(place: Workspace): Promise<string> {
  const files = {
    Dockerfile: `FROM ${inject('registry')}/busybox\nRUN touch /one /two && chown 33:44 /one /two && chmod 2755 /one\n`,
  }
  const base = await place.files(files, 'base')
  const layout = place.join('layout')
  const output = ['-t', 'base:latest', '-o', `type=oci,tar=false,dest=${layout}`]
  await place.must(['--root', place.join('base-state'), ...output, base])
  return layout
}

it.skipIf(needs.skip)(`a user without sub-ids is told what RUN does not see as it is${needs.note}`, async () => {
  await using place = await openWorkspace()
  const layout = await baseLayout(place)

  await using user = await addUser({ subIds: false })
  await using command = await ordinaryCommand(user)
  for (const path of [place.path, place.home, place.tmp]) await chown(path, user.uid, user.gid)
  const context = await place.files({
    Dockerfile: 'FROM base\nRUN stat -c "%n %u:%g %a" /one /two > /seen\nFROM scratch\nCOPY --from=0 /seen /\n',
  })
  const args = ['--progress=plain', '--build-context', `base=oci-layout://${layout}`, '-o', place.join('out'), context]
  const built = await place.run(args, command.options)
  expect(built).toMatchObject({ code: 0 })
  expect(built.stderr).toMatch(
    /^ - RUN and COPY do not see 2 files of .*:latest as in the image, where they stay as they are \(/m,
  )
  expect(built.stderr).toContain('/one: its owner 33:44 does not exist in this user namespace')
  // What is read of them is the truth of this machine.
  expect(await readFile(place.join('out', 'seen'), 'utf8')).toBe('/one 0:0 755\n/two 0:0 644\n')
})

it.skipIf(needs.skip)(`a user without sub-ids is told what cannot belong to others${needs.note}`, async () => {
  await using place = await openWorkspace()
  await using user = await addUser({ subIds: false })
  await using command = await ordinaryCommand(user)
  await place.files({ s: 'secret' }, 'secrets')
  const cases = {
    'RUN --mount=type=cache,uid=1000,target=/c true': 'the owner of the cache mount on /c, 1000:0',
    'RUN --mount=type=cache,gid=1000,target=/c true': 'the owner of the cache mount on /c, 0:1000',
    'RUN --mount=type=secret,id=s,uid=1000 true': 'the owner of the secret mount on /run/secrets/s, 1000:0',
    'USER 1000:1000\nRUN true': 'user 1000:1000',
    'USER 1000:1000\nWORKDIR /w\nRUN true': 'cannot give /w to 1000:1000',
    'COPY --chown=1000 f /d/\nRUN true': 'to 1000:1000: the ids are not mapped',
  }
  for (const [lines, message] of Object.entries(cases)) {
    const context = await place.files({ Dockerfile: `FROM ${inject('registry')}/busybox\n${lines}\n`, f: '' })
    for (const path of [place.path, place.home, place.tmp, context]) await chown(path, user.uid, user.gid)
    const args = ['--progress=plain', '--secret', `id=s,src=${place.join('secrets/s')}`, context]
    const built = await place.run(args, command.options)
    expect(built.code, lines).toBe(1)
    expect(built.stderr, lines).toContain(message)
    expect(built.stderr, lines).toMatch(/^hint: .*\/etc\/subuid/m)
    expect(built.stderr, lines).not.toContain('EINVAL')
  }
})

it.skipIf(subIds.skip)(`what was built without sub-ids is not taken for what they give${subIds.note}`, async () => {
  await using place = await openWorkspace()
  const layout = await baseLayout(place)

  await using user = await addUser({ subIds: false })
  await using command = await ordinaryCommand(user)
  for (const path of [place.path, place.home, place.tmp]) await chown(path, user.uid, user.gid)
  const context = await place.files({
    Dockerfile: 'FROM base AS a\nRUN echo > /three\nFROM scratch\nCOPY --from=a /one /three /etc/passwd /\n',
  })
  const build = async (root: string): Promise<string> => {
    const [out, where] = [place.join(`${root}.tar`), ['--root', place.join(root)]]
    const flags = ['--build-context', `base=oci-layout://${layout}`, '-o', `type=tar,dest=${out}`, '--progress=plain']
    await place.must([...where, ...flags, context], command.options)
    return await must('tar', ['--numeric-owner', '-tvf', out])
  }
  const poor = await build('store')
  expect(poor).toMatch(/^-rwxr-xr-x 0\/0 .* one$/m)
  await user.addSubIds()
  expect(await build('store')).toMatch(/^-rwxr-sr-x 33\/44 .* one$/m)
  // A range more: the ids of the first ones stay, but nothing rests on that.
  await user.addSubIds()
  expect(await build('store')).toMatch(/^-rwxr-sr-x 33\/44 .* one$/m)
})
