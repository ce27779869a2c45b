/** Lock files with git refs: the commit that was locked is taken, wherever its ref leads by now. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, lock } from '@tsbuild/builder'
import { expect, it } from 'vitest'
import { git, startGitServer, tempRepositories } from '../support/git-server.ts'
import { gate } from '../support/tools.ts'
import { openWorkspace } from '../support/workspace.ts'

const needs = gate('git', 'setpriv')

it.skipIf(needs.skip)(`commits that are locked are taken although their refs have moved${needs.note}`, async () => {
  await using repositories = await tempRepositories()
  const authorization = `Basic ${Buffer.from('me:pass').toString('base64')}`
  await using host = await startGitServer(repositories.path, authorization)
  await using place = await openWorkspace()
  const inner = join(repositories.path, 'inner.git')
  const commit = git(inner, 'rev-parse', 'HEAD').trim()
  const remote = `http://me:pass@${host.host}/inner.git`
  const shown = `http://${host.host}/inner.git`
  const dockerfile = `FROM scratch\nADD ${remote}#main /m/\nADD ${remote}#v1 /t/\nADD ${remote}#${commit} /c/\n`
  const context = await place.files({ Dockerfile: dockerfile })
  const env = { PATH: process.env.PATH, HOME: place.home, TSBUILD_ROOT: place.root }
  const outputs = [{ type: 'local', attrs: { dest: place.join('out') } }] as const
  const locked = () => readFileSync(join(context, 'tsbuild.lock'), 'utf8').split('\n').slice(1, -1)

  const first = await build({ context, env })
  await lock({ context, env })
  expect(locked()).toEqual([`git ${shown}#main ${commit}`, `git ${shown}#v1 ${commit}`])
  const same = await build({ context, env, locked: true })
  expect([same.digest, same.steps.cached]).toEqual([first.digest, same.steps.total])

  writeFileSync(join(inner, 'inner'), 'changed')
  git(inner, 'commit', '-q', '-a', '-m', 'later')
  git(inner, 'tag', '-d', 'v1')
  expect((await build({ context, env, locked: true })).digest).toBe(first.digest)
  await lock({ context, env, update: [`${shown}#main`] })
  const later = git(inner, 'rev-parse', 'HEAD').trim()
  expect(locked()).toEqual([`git ${shown}#main ${later}`, `git ${shown}#v1 ${commit}`])
  await build({ context, env, locked: true, outputs })
  expect(readFileSync(place.join('out/m/inner'), 'utf8')).toBe('changed')
})
