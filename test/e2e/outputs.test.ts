import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runBundle, unpackBundle } from '../support/bundle.ts'
import { listTar, readFromTar, readLayout, readLayoutArchive } from '../support/image-layout.ts'
import { must } from '../support/process.ts'
import { builtDigest } from '../support/progress.ts'
import { countingProxy } from '../support/registry.ts'
import { gate, toolPath } from '../support/tools.ts'
import { openWorkspace, type TsbuildOptions, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const skopeo = gate('skopeo')
const runc = gate('root', 'umoci', 'runc')

describe.skipIf(needs.skip)(`outputs${needs.note}`, () => {
  let place: Workspace
  let context: string
  let digest: string

  /** All outputs are of one image, so only the first build runs a step. */
  const build = async (args: readonly string[], options?: TsbuildOptions) =>
    await place.must([...args, context], options)
  const dest = (name: string): string => place.join('out', name)

  beforeAll(async () => {
    place = await openWorkspace()
    context = await place.files({
      Dockerfile: `
        FROM ${inject('registry')}/busybox
        LABEL kind=test
        RUN mkdir /data && echo ran > /data/run && ln -s run /data/link && chmod 0751 /data && rm -r /home
        COPY --chmod=0640 --chown=7:8 file.txt /data/
        ENV GREETING="hello there"
        WORKDIR /data
        CMD ["sh", "-c", "echo $GREETING from $(pwd); cat run"]`,
      'file.txt': 'copied\n',
    })
    await mkdir(place.join('out'))
    digest = builtDigest((await build(['--progress=plain'])).stderr)
  })
  afterAll(() => place[Symbol.asyncDispose]())

  it('type=oci writes an archive whose blobs are what their digests say', async () => {
    await build(['-t', 'example/app:1', '-o', `type=oci,dest=${dest('oci.tar')}`])
    const { index, images } = await readLayoutArchive(dest('oci.tar'), dest('unpacked'))
    expect(index.digest).toBe(digest)
    const { config, layers } = images[0]!
    expect(config.config.Labels).toEqual({ kind: 'test' })
    expect(config.config.WorkingDir).toBe('/data')
    expect(config.rootfs.diff_ids).toHaveLength(layers.length)
    expect(config.history.filter((entry) => !entry.empty_layer)).toHaveLength(layers.length)
    const files = await images[0]!.files()
    expect(files.get('data')).toMatchObject({ mode: 'drwxr-x--x', owner: '0/0' })
    expect(files.get('data/file.txt')).toMatchObject({ mode: '-rw-r-----', owner: '7/8', size: 7 })
    expect(files.get('data/link')).toMatchObject({ link: 'run' })
    expect(files.has('.wh.home')).toBe(true)
    expect([...files.keys()].filter((name) => /resolv|hosts/.test(name))).toEqual([])
  })

  it.skipIf(skopeo.skip)(`skopeo agrees on the digest${skopeo.note}`, async () => {
    const text = await must('skopeo', ['inspect', `oci-archive:${dest('oci.tar')}:1`])
    expect(JSON.parse(text)).toMatchObject({ Digest: digest, Labels: { kind: 'test' }, Os: 'linux' })
  })

  it('the same build twice writes the same bytes', async () => {
    await build(['-t', 'example/app:1', '-o', `type=oci,dest=${dest('again.tar')}`])
    expect(readFileSync(dest('again.tar')).equals(readFileSync(dest('oci.tar')))).toBe(true)
  })

  it('type=oci,tar=false writes a layout directory', async () => {
    await build(['-o', `type=oci,tar=false,dest=${dest('layout')}`, '-t', 'app:dir'])
    expect((await readLayout(dest('layout'))).index.digest).toBe(digest)
  })

  it.skipIf(runc.skip)(`umoci unpacks it and runc runs it${runc.note}`, async () => {
    const rootfs = await unpackBundle(dest('layout'), 'dir', dest('bundle'))
    expect(lstatSync(`${rootfs}/data/file.txt`)).toMatchObject({ uid: 7, gid: 8 })
    expect(existsSync(`${rootfs}/home`)).toBe(false)
    const { stdout, stderr } = await runBundle(dest('bundle'))
    expect(stdout, stderr).toBe('hello there from /data\nran\n')
  })

  it('type=docker writes what docker load reads', async () => {
    await build(['-o', `type=docker,dest=${dest('docker.tar')}`, '-t', 'app:docker', '-t', 'host.example/app'])
    const [image] = JSON.parse(await readFromTar(dest('docker.tar'), 'manifest.json')) as [
      { Config: string; RepoTags: string[]; Layers: string[] },
    ]
    expect(image.RepoTags).toEqual(['app:docker', 'host.example/app:latest'])
    const config = JSON.parse(await readFromTar(dest('docker.tar'), image.Config)) as { rootfs: { diff_ids: string[] } }
    expect(image.Layers).toHaveLength(config.rootfs.diff_ids.length)
    const entries = await listTar(dest('docker.tar'))
    for (const layer of image.Layers) expect(entries.has(layer)).toBe(true)
  })

  it.skipIf(skopeo.skip)(`skopeo copies it${skopeo.note}`, async () => {
    await must('skopeo', ['copy', `docker-archive:${dest('docker.tar')}:app:docker`, `oci:${dest('copied')}:x`])
    const { images } = await readLayout(dest('copied'))
    expect(images[0]!.config.config.Cmd?.[0]).toBe('sh')
  })

  it('type=tar writes the root filesystem', async () => {
    await build(['-o', `type=tar,dest=${dest('rootfs.tar')}`])
    const entries = await listTar(dest('rootfs.tar'))
    expect(entries.get('data/file.txt')).toMatchObject({ mode: '-rw-r-----', owner: '7/8' })
    expect(entries.get('bin/sh')).toMatchObject({ link: 'busybox' })
    expect(entries.has('home')).toBe(false)
    expect([...entries.keys()].filter((name) => name.includes('.wh.'))).toEqual([])
  })

  it('-o - writes it to stdout, and nothing else', async () => {
    const { bytes } = await build(['-o', '-'])
    await writeFile(dest('stdout.tar'), bytes)
    expect([...(await listTar(dest('stdout.tar'))).keys()]).toEqual([...(await listTar(dest('rootfs.tar'))).keys()])
  })

  it('type=oci,dest=- writes the same archive to stdout', async () => {
    const { bytes } = await build(['-t', 'example/app:1', '-o', 'type=oci,dest=-'])
    expect(bytes.equals(readFileSync(dest('oci.tar')))).toBe(true)
  })

  it('type=local writes files', async () => {
    await build(['-o', dest('files')])
    expect(readFileSync(dest('files/data/file.txt'), 'utf8')).toBe('copied\n')
    expect(readlinkSync(dest('files/data/link'))).toBe('run')
    expect(lstatSync(dest('files/data/file.txt')).mode & 0o7777).toBe(0o640)
  })

  it('type=image (the default) names it in the store', async () => {
    await build(['-t', 'my-image', '-t', 'host.example/other:tag'])
    const listed = JSON.parse((await place.must(['images', '--format', 'json'])).stdout) as {
      name: string
      digest: string
    }[]
    expect(listed.filter((image) => image.digest === digest).map((image) => image.name)).toEqual(
      expect.arrayContaining(['docker.io/library/my-image:latest', 'host.example/other:tag']),
    )
  })

  it.skipIf(skopeo.skip)(`other tools read the store${skopeo.note}`, async () => {
    const text = await must('skopeo', ['inspect', `oci:${place.root}:docker.io/library/my-image:latest`])
    expect(JSON.parse(text)).toMatchObject({ Digest: digest })
  })

  it('type=registry pushes, and pushes again without sending blobs', async () => {
    const name = `${inject('registry')}/outputs/app:1`
    await build(['-t', name, '-o', 'type=registry'])
    const response = await fetch(`http://${inject('registry')}/v2/outputs/app/manifests/1`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    })
    expect(response.headers.get('docker-content-digest')).toBe(digest)
    await using proxy = await countingProxy(inject('registry'))
    await build(['-t', `${proxy.host}/outputs/app:2`, '--push'])
    expect(proxy.writes).toEqual(['PUT /v2/outputs/app/manifests/2'])
  })

  it('pushes a base image without fetching it, once to each repository, under all its names', async () => {
    await using proxy = await countingProxy(inject('registry'))
    const context = await place.files({ Dockerfile: `FROM ${proxy.host}/busybox\nLABEL pushed=unseen` }, 'unseen')
    const names = ['a:1', 'a:2', 'b:1'].flatMap((name) => ['-t', `${proxy.host}/unseen/${name}`])
    const root = ['--root', dest('empty-root')]
    await place.must([...root, ...names, '--push', context])
    // The config of the base is read; its layer is not.
    expect(proxy.blobs).toHaveLength(1)
    // A config and a layer for each of the two repositories.
    expect(proxy.writes.filter((line) => /^POST.*mount=.*from=busybox/.test(line))).toHaveLength(4)
    expect(proxy.writes.filter((line) => line.startsWith('PUT') && line.includes('/blobs/'))).toHaveLength(2)
    const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' }
    for (const name of ['a/manifests/1', 'a/manifests/2', 'b/manifests/1'])
      expect((await fetch(`http://${inject('registry')}/v2/unseen/${name}`, { method: 'HEAD', headers })).status).toBe(
        200,
      )
  })

  it.skipIf(skopeo.skip)(`skopeo inspects it there${skopeo.note}`, async () => {
    const name = `docker://${inject('registry')}/outputs/app:1`
    expect(JSON.parse(await must('skopeo', ['inspect', '--tls-verify=false', name]))).toMatchObject({ Digest: digest })
  })

  it('several outputs come from one build, with the id and the metadata', async () => {
    const files = ['--iidfile', dest('iid'), '--metadata-file', dest('metadata.json')]
    const outputs = ['-o', `type=oci,dest=${dest('a.tar')}`, '-o', `type=tar,dest=${dest('b.tar')}`, '-o', 'type=image']
    const { stdout } = await build([...outputs, ...files, '-t', 'many'])
    expect(stdout).toBe('')
    const { images } = await readLayoutArchive(dest('a.tar'), dest('a'))
    expect(readFileSync(dest('iid'), 'utf8')).toBe(images[0]!.configDigest)
    expect(JSON.parse(readFileSync(dest('metadata.json'), 'utf8'))).toMatchObject({
      'containerimage.digest': digest,
      'containerimage.config.digest': images[0]!.configDigest,
      'image.name': 'docker.io/library/many:latest',
    })
    expect(existsSync(dest('b.tar'))).toBe(true)
  })

  it('-q prints the id and nothing else', async () => {
    const { stdout, stderr } = await build(['-q'])
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    expect(stderr).toBe('')
  })

  it('--load says why when there is neither docker nor podman', async () => {
    await mkdir(place.join('no-tools'))
    const PATH = toolPath
      .split(':')
      .filter((directory) => !['docker', 'podman'].some((name) => existsSync(`${directory}/${name}`)))
      .join(':')
    const result = await place.run(['--load', '-t', 'app', context], { env: { PATH } })
    expect(result.code).toBe(1)
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(
      /--load needs a running docker or podman \(docker: not installed; podman: not installed\)/,
    )
  })

  it('--load hands an archive to docker', async () => {
    const script = `#!/bin/sh\ncase $1 in version) echo 1;; load) cat > ${dest('loaded.tar')}; echo Loaded image: app;; esac\n`
    await place.files({ docker: { text: script, mode: 0o755 } }, 'fake')
    const PATH = `${place.join('fake')}:${toolPath}`
    const { stderr } = await build(['--load', '-t', 'app'], { env: { PATH } })
    expect(stderr).toContain('Loaded image: app')
    expect((await listTar(dest('loaded.tar'))).has('manifest.json')).toBe(true)
  })

  it('nothing but the outputs was written', () => {
    expect(readdirSync(place.join('out')).filter((name) => name.startsWith('.') || name.includes('tmp'))).toEqual([])
    expect(readdirSync(place.tmp)).toEqual([])
  })
})
