import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { readLayoutArchive } from '../support/image-layout.ts'
import { must } from '../support/process.ts'
import { stepStates } from '../support/progress.ts'
import { gate, repository } from '../support/tools.ts'
import { openWorkspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const skopeo = gate('skopeo', 'docker-registry')

/** Where esbuild's static program lies. */
const tools = dirname(
  createRequire(createRequire(import.meta.url).resolve('esbuild/package.json')).resolve(
    `@esbuild/linux-${process.arch}/bin/esbuild`,
  ),
)

describe('several platforms', () => {
  it('examples/multi-platform: one index, one image each, the common stage is built once', async () => {
    await using place = await openWorkspace()
    const args = ['--progress=plain', '--platform', 'linux/amd64,linux/arm64', '--build-context', `tools=${tools}`]
    const archive = place.join('image.tar')
    const { stderr } = await place.must([
      ...args,
      '-o',
      `type=oci,dest=${archive}`,
      `${repository}/examples/multi-platform`,
    ])
    const { index, images } = await readLayoutArchive(archive, place.join('image'))
    expect(index.mediaType).toBe('application/vnd.oci.image.index.v1+json')
    expect(images.map(({ config }) => [config.architecture, config.config.Labels])).toEqual([
      ['amd64', { architecture: 'amd64' }],
      ['arm64', { architecture: 'arm64' }],
    ])
    expect(images.map(({ manifest }) => manifest.platform?.architecture)).toEqual(['amd64', 'arm64'])
    expect(images[0]!.layers).toEqual(images[1]!.layers)
    expect([...stepStates(stderr).keys()].filter((name) => name.startsWith('RUN'))).toHaveLength(1)
    const second = await place.must([...args, `${repository}/examples/multi-platform`])
    expect(second.stderr).toContain('all cached')
  })

  it('a platform that is asked for twice is listed twice and built once', async () => {
    await using place = await openWorkspace()
    const directory = await place.files({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a' })
    const archive = place.join('image.tar')
    const args = ['--progress=plain', '--platform', 'linux/amd64,linux/amd64', '-o', `type=oci,dest=${archive}`]
    const { stderr } = await place.must([...args, directory])
    const { index, images } = await readLayoutArchive(archive, place.join('image'))
    expect(index.mediaType).toBe('application/vnd.oci.image.index.v1+json')
    expect(images.map(({ manifest }) => manifest.platform?.architecture)).toEqual(['amd64', 'amd64'])
    expect(images[0]!.manifest.digest).toBe(images[1]!.manifest.digest)
    expect([...stepStates(stderr).keys()].filter((name) => name.includes('COPY'))).toHaveLength(1)
  })

  it.skipIf(needs.skip)(`base images of each platform are taken${needs.note}`, async () => {
    await using place = await openWorkspace()
    const context = await place.files({
      Dockerfile: `FROM ${inject('registry')}/busybox\nARG TARGETPLATFORM\nLABEL for=$TARGETPLATFORM\nCOPY Dockerfile /\n`,
    })
    const archive = place.join('image.tar')
    await place.must(['--platform', 'linux/amd64,linux/arm64/v8', '-o', `type=oci,dest=${archive}`, context])
    const { images } = await readLayoutArchive(archive, place.join('image'))
    expect(images.map(({ config }) => config.config.Labels)).toEqual([{ for: 'linux/amd64' }, { for: 'linux/arm64' }])
    const other = await place.run(['--platform', 'linux/s390x', context])
    expect(other.code).toBe(1)
    expect(other.stderr).toMatch(/^ERROR: .*(no match for platform|linux\/s390x)/m)
  })

  it.skipIf(skopeo.skip)(`an index is pushed and pulled with all its images${skopeo.note}`, async () => {
    await using place = await openWorkspace()
    const context = await place.files({ Dockerfile: 'FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\n' })
    const name = `${inject('registry')}/platforms/app:1`
    await place.must(['--platform', 'linux/amd64,linux/arm/v7', '-t', name, '--push', context])
    const raw = await must('skopeo', ['inspect', '--tls-verify=false', '--raw', `docker://${name}`])
    const index = JSON.parse(raw) as { manifests: { platform: { architecture: string; variant?: string } }[] }
    expect(index.manifests.map(({ platform }) => platform)).toEqual([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ])
    await using other = await openWorkspace()
    await other.must(['pull', '--all-platforms', name])
    expect((await other.must(['inspect', '--raw', name])).stdout).toBe(raw)
  })
})
