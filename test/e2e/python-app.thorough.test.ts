import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { pushDebian } from '../support/base-images.ts'
import { runBundle, unpackBundle } from '../support/bundle.ts'
import { must } from '../support/process.ts'
import { builtDigest } from '../support/progress.ts'
import { gate, repository } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root', 'docker-registry', 'debootstrap', 'skopeo', 'umoci', 'runc')

/** The classic: a Debian base, packages from the index, a file, a command; built, pushed, pulled elsewhere and run. */
describe.skipIf(needs.skip)(`examples/python-app${needs.note}`, () => {
  let place: Workspace
  let debian: string
  let reachable = false

  beforeAll(async () => {
    place = await openWorkspace()
    debian = await pushDebian(inject('registry'))
    const probe = await place.files({ Dockerfile: `FROM ${debian}\nRUN apt-get update\n` }, 'probe')
    const result = await place.run([probe])
    // Only the lack of the index is a reason to do without; any other failure shows in the test itself.
    reachable = !/Could not resolve|Could not connect|Unable to connect|Temporary failure/.test(result.stderr)
  })
  afterAll(() => place[Symbol.asyncDispose]())

  it('builds, goes through a registry into another store, and runs', async (test) => {
    const name = `${inject('registry')}/python-app:1`
    let context = `${repository}/examples/python-app`
    let expected = 'Hello from Python 3 in /app\n'
    if (!reachable) {
      await test.annotate('the package index cannot be reached from RUN: a variant without packages is built')
      context = await place.files({
        Dockerfile:
          'FROM debian:bookworm\nRUN mkdir /app && touch /app/x\nCOPY my-app.sh /app/\nWORKDIR /app\nCMD ["sh", "my-app.sh"]\n',
        'my-app.sh': 'echo "Hello from sh in $PWD"\n',
      })
      expected = 'Hello from sh in /app\n'
    }
    const base = `debian:bookworm=docker-image://${debian}`
    const built = await place.must(['--progress=plain', '--build-context', base, '-t', name, context], {
      timeout: 170_000,
    })
    await place.must(['push', name])

    await using elsewhere = await openWorkspace()
    const pulled = await elsewhere.must(['pull', name])
    expect(pulled.stdout.trim()).toBe(builtDigest(built.stderr))
    await must('skopeo', ['copy', `oci:${elsewhere.root}:${name}`, `oci:${elsewhere.join('image')}:1`])
    await unpackBundle(elsewhere.join('image'), '1', elsewhere.join('bundle'))
    const { stdout, stderr } = await runBundle(elsewhere.join('bundle'))
    expect(stdout, stderr).toBe(expected)

    const again = await place.must(['--build-context', base, '-t', name, context])
    expect(again.stderr).toContain('all cached')
    expect(builtDigest(again.stderr)).toBe(builtDigest(built.stderr))
  })
})
