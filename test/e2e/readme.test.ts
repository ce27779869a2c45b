import { readFileSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { describe, expect, inject, it } from 'vitest'
import { must } from '../support/process.ts'
import { gate, repository, toolPath } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')

/** Code blocks of a document in one language. */
function blocks(language: string, document = 'README.md'): string[] {
  const text = readFileSync(`${repository}/${document}`, 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]!)
}

const scripts = blocks('sh').filter((script) => /^tsbuild /m.test(script))
/** Services have tests of their own. */
const caching = blocks('sh', 'docs/caching.md').filter((script) => /localhost:5000|type=local/.test(script))

/** A project of which everything in the README can be built. */
async function project(place: Workspace): Promise<string> {
  return await place.files({
    Dockerfile:
      'FROM scratch AS test\nCOPY app.txt /\n\nFROM scratch\nARG VERSION\nLABEL version=$VERSION\nCOPY app.txt /\n',
    'app.txt': 'app\n',
  })
}

describe('README.md and docs/caching.md', () => {
  it('has commands', () => {
    expect(scripts.length).toBeGreaterThanOrEqual(3)
    expect(caching.length).toBeGreaterThanOrEqual(4)
  })

  const titled = [...scripts, ...caching].map(
    (script) => [script.split('\n').find((line) => line.startsWith('tsbuild '))!, script] as const,
  )
  it.skipIf(needs.skip).each(titled)(`commands work${needs.note}: %s …`, async (_title, script) => {
    await using place = await openWorkspace()
    const cwd = await project(place)
    const shim = `#!/bin/sh\nexec ${process.execPath} ${repository}/packages/cli/bin/tsbuild.js "$@"\n`
    await place.files({ tsbuild: { text: shim, mode: 0o755 } }, 'bin')
    const env = { PATH: `${place.join('bin')}:${toolPath}`, HOME: place.home, TMPDIR: place.tmp, TOKEN: 'x' }
    const text = script.replaceAll('localhost:5000', inject('registry'))
    await must('sh', ['-eux', '-c', text], { cwd, env: { TSBUILD_ROOT: place.root, ...env } })
  })

  it('the build script works', async () => {
    await using place = await openWorkspace()
    const cwd = await project(place)
    await mkdir(`${cwd}/node_modules`)
    await symlink(`${repository}/node_modules/@tsbuild`, `${cwd}/node_modules/@tsbuild`)
    const [script] = blocks('ts')
    await place.files({ 'build.mts': script! })
    const stdout = await must(process.execPath, ['build.mts'], {
      cwd,
      env: { HOME: place.home, TSBUILD_ROOT: place.root },
    })
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64} 0 of \d steps cached\n$/)
  })
})
