import { chown } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runBundle, unpackBundle } from '../support/bundle.ts'
import { readLayoutArchive } from '../support/image-layout.ts'
import { must, run } from '../support/process.ts'
import { builtDigest } from '../support/progress.ts'
import { gate, repository, toolPath } from '../support/tools.ts'
import { addUser, ordinaryCommand } from '../support/user.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const asUser = gate('root', 'newuidmap', 'useradd')
const runc = gate('root', 'umoci', 'runc', 'skopeo')

let place: Workspace
let env: Record<string, string>
beforeEach(async () => {
  place = await openWorkspace()
  env = { PATH: toolPath, HOME: place.home, TMPDIR: place.tmp, TSBUILD_ROOT: place.root }
})
afterEach(() => place[Symbol.asyncDispose]())

describe('examples/quickstart', () => {
  const quickstart = () => run(process.execPath, ['examples/quickstart/quickstart.ts'], { cwd: repository, env })

  it('builds, then finds everything in the cache', async () => {
    const first = await quickstart()
    expect(first.code, first.stderr).toBe(0)
    expect(first.stderr).toMatch(/^built \d+ layers, .*; \d+ steps, 0 cached/m)
    const digest = builtDigest(first.stderr)
    expect(first.stdout).toContain(digest)
    expect(first.stdout).toMatch(/^Size +[\d.]+ ?MB in \d layers$/m)
    expect(first.stdout).toContain('What to try next:')

    const second = await quickstart()
    expect(second.code, second.stderr).toBe(0)
    expect(second.stderr).toMatch(/\d+ steps, all cached/)
    expect(builtDigest(second.stderr)).toBe(digest)
    expect(second.ms).toBeLessThan(first.ms)
  })

  it.skipIf(runc.skip)(`makes an image that runs${runc.note}`, async () => {
    await quickstart()
    const stored = `oci:${place.root}:docker.io/library/quickstart:latest`
    await must('skopeo', ['copy', stored, `oci:${place.join('image')}:latest`])
    await unpackBundle(place.join('image'), 'latest', place.join('bundle'))
    const { stdout, stderr } = await runBundle(place.join('bundle'), ['/bin/esbuild', '--version'])
    expect(stdout, stderr).toMatch(/^\d+\.\d+\.\d+\n$/)
    const app = await run(process.execPath, [place.join('bundle/rootfs/site/app.js')])
    expect(app.stdout).toMatch(/^Good \w+ from an image built by tsbuild\n$/)
  })
})

describe.skipIf(asUser.skip)(`examples/quickstart as an ordinary user${asUser.note}`, () => {
  it.each([
    ['with sub-ids', true],
    ['without sub-ids', false],
  ])('%s', async (_title, subIds) => {
    await using user = await addUser({ subIds })
    for (const path of [place.path, place.home, place.tmp]) await chown(path, user.uid, user.gid)
    await using command = await ordinaryCommand(user)
    const { checkout = repository, ...ids } = command.options
    const node = resolve(checkout, relative(repository, process.execPath))
    const quickstart = () => run(node, ['examples/quickstart/quickstart.ts'], { cwd: checkout, env, ...ids })
    const first = await quickstart()
    expect(first.code, first.stderr).toBe(0)
    expect(first.stdout).toMatch(/^Size +[\d.]+ ?MB in \d layers$/m)
    const second = await quickstart()
    expect(second.stderr).toMatch(/\d+ steps, all cached/)
  })
})

describe('examples/node-library', () => {
  const script = (archive: string) =>
    run(process.execPath, [`${repository}/examples/node-library/build-image.ts`, archive], { cwd: place.path, env })

  it('builds an archive and says what was cached', async () => {
    const first = await script('hello.tar')
    expect(first.code, first.stderr).toBe(0)
    expect(first.stdout).toMatch(/^0 of \d+ steps were cached$/m)
    const { images } = await readLayoutArchive(place.join('hello.tar'), place.join('image'))
    expect(images[0]!.config.config).toMatchObject({
      Labels: { greeting: 'Hello from a build script', 'org.opencontainers.image.title': 'hello' },
      WorkingDir: '/data',
    })
    const second = await script('hello.tar')
    expect(second.stdout).toMatch(/^(\d+) of \1 steps were cached$/m)
  })

  it('reports a failure in one line', async () => {
    await place.files({ file: '' }, '.')
    const result = await script('file/image.tar')
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/^OUTPUT_FAILED: .*image\.tar.*\n$/)
  })
})
