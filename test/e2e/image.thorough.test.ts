/** The image of tsbuild, built by tsbuild, in the containers that CI systems give. */
import { chmod, chown, cp, mkdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collectParts } from '../../images/parts.ts'
import { busyboxLayout } from '../support/base-images.ts'
import { type Container, runContainer } from '../support/container.ts'
import { type Image, readLayout } from '../support/image-layout.ts'
import { pathsBelow } from '../support/leftovers.ts'
import type { Finished } from '../support/process.ts'
import { gate, repository } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const { skip, note } = gate('root', 'runc', 'busybox', 'dpkg-deb', 'apt-get', 'npm')
const MIB = 2 ** 20
const EPOCH = '1700000000'

const DOCKERFILE = `FROM busybox AS tools
RUN mkdir /tools && echo '#!/bin/sh' > /tools/hello && echo 'echo hello' >> /tools/hello && chmod 755 /tools/hello
RUN --mount=type=cache,target=/cache echo 1 > /cache/first
RUN --mount=type=cache,target=/cache cat /cache/first > /tools/first && echo 2 > /cache/second
FROM busybox AS files
RUN --mount=type=secret,id=token test "$(cat /run/secrets/token)" = s3cret
RUN --mount=type=secret,id=token,env=TOKEN test "$TOKEN" = s3cret
RUN ! test -e /run/secrets/token
RUN <<EOT
set -e
mkdir -p /srv/a/b
echo one > /srv/a/one
ln -s one /srv/a/link
ln /srv/a/one /srv/a/b/hard
EOT
COPY <<EOT /srv/text
from a heredoc
EOT
COPY --from=tools /tools /usr/local/bin
RUN --mount=type=cache,target=/cache test "$(cat /cache/first /cache/second | wc -l)" = 2
RUN test "$(/usr/local/bin/hello)" = hello
RUN --mount=type=bind,from=tools,source=/tools,target=/t /t/hello > /srv/said
RUN --mount=type=bind,target=/src cp /src/data /srv/data
RUN --mount=type=tmpfs,target=/scratch echo x > /scratch/x
RUN test -z "$(ls /scratch 2>/dev/null)"
RUN chown 1000:50 /srv/a && chmod 2750 /srv/a
RUN mkfifo /srv/pipe && touch /srv/empty
RUN rm /srv/empty && rm -r /srv/a/b
RUN mkdir /work && chown 1000:1000 /work
USER 1000:1000
WORKDIR /work
RUN test "$(id -u)" = 1000 && id > who
RUN echo mine > mine && chmod 600 mine
RUN ! touch /etc/theirs
USER root
ENV A=1 B=2
ARG C=3
RUN test "$A$B$C" = 123 && echo $A$B$C > /abc
RUN echo x > /dev/null && printf 12345678 | wc -c > /eight
RUN test -r /proc/meminfo
RUN (sleep 1000 &) && true
SHELL ["/bin/sh", "-euc"]
RUN echo done > /done
FROM files
COPY --from=files --chown=7:8 /srv/text /text
LABEL org.example.a=b
CMD ["hello"]
`

describe.skipIf(skip)(`the image of tsbuild${note}`, () => {
  let place: Workspace
  let image: Image
  let base: string
  let expected: string
  const flags = ['--build-context', 'busybox=oci-layout:///busybox', '--secret', 'id=token,env=TOKEN', '--no-cache']

  const buildImage = async (target: string, ...outputs: string[]): Promise<void> => {
    const parts = `parts=${place.join('parts')}`
    await place.must(['build', '--target', target, '--build-context', parts, ...outputs, `${repository}/images`], {
      env: { SOURCE_DATE_EPOCH: EPOCH },
    })
  }

  beforeAll(async () => {
    if (skip) return
    place = await openWorkspace()
    await collectParts(place.join('parts'), [process.arch === 'arm64' ? 'arm64' : 'amd64'])
    base = place.join('busybox')
    await cp(await busyboxLayout(), base, { recursive: true })
    // Users that root of a container is mapped to look for its files here.
    await chmod(place.path, 0o711)
    const layout = `type=oci,dest=${place.join('image')},tar=false`
    await buildImage('default', '-o', layout, '-o', `type=local,dest=${place.join('rootfs')}`)
    // An engine makes these as root of the machine, which runc in a user namespace is not.
    for (const name of ['proc', 'dev', 'sys', 'busybox', 'context'])
      await mkdir(place.join('rootfs', name), { recursive: true })
    image = (await readLayout(place.join('image'))).images[0]!
    await place.files({ Dockerfile: DOCKERFILE, data: 'data\n' }, 'context')
    // The image that a machine with all rights makes of it.
    const result = place.join('expected')
    await place.must(
      [
        'build',
        ...flags.map((flag) => flag.replace('/busybox', base)),
        '-o',
        `type=oci,dest=${result},tar=false`,
        place.join('context'),
      ],
      { env: { SOURCE_DATE_EPOCH: EPOCH, TOKEN: 's3cret' } },
    )
    expected = await digestIn(result)
  })
  afterAll(() => place?.[Symbol.asyncDispose]())

  const digestIn = async (layout: string): Promise<string> =>
    JSON.parse(await readFile(`${layout}/index.json`, 'utf8')).manifests[0].digest

  /** Runs the image with a fresh volume for what it writes. */
  const inContainer = async (
    name: string,
    args: readonly string[],
    settings: Partial<Container> = {},
  ): Promise<Finished & { volume: string }> => {
    const volume = place.join(name, 'volume')
    await mkdir(volume, { recursive: true })
    const { uid, gid } = settings.user ?? { uid: 0, gid: 0 }
    const first = settings.userNamespace ?? 0
    // As Kubernetes makes a volume: its group may write.
    await chown(volume, first, first + gid)
    await chmod(volume, uid === 0 ? 0o755 : 0o775)
    const result = await runContainer(place.join(name, 'bundle'), {
      rootfs: place.join('rootfs'),
      image: image.config.config,
      args,
      env: [`SOURCE_DATE_EPOCH=${EPOCH}`, 'TOKEN=s3cret'],
      volumes: {
        '/var/lib/tsbuild': { source: volume },
        '/workspace': { source: place.join('context'), readonly: true },
        '/busybox': { source: base, readonly: true },
      },
      ...settings,
    })
    return { ...result, volume }
  }
  const build = ['build', ...flags, '-o', 'type=oci,dest=/var/lib/tsbuild/out,tar=false', '.']

  it('has at most 60 MiB, most of it Node', () => {
    const sizes = image.layers.map(({ size }) => size)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(60 * MIB)
    expect(Math.max(...sizes)).toBeGreaterThan(40 * MIB)
  })

  it('has neither a shell nor anything that is not in the list', async () => {
    const programs = [...(await image.files()).keys()].filter((path) => /^(usr\/)?(local\/)?s?bin\/./.test(path))
    expect(programs.map((path) => path.replace(/.*\//, '')).sort()).toEqual([
      'git',
      'kaniko',
      'node',
      'tsbuild',
      'unshare',
    ])
  })

  it.each<[string, Partial<Container>]>([
    ['a container with docker’s rights', {}],
    ['a read-only root file system with one volume', { readonlyRoot: true }],
    ['a user namespace (hostUsers: false)', { userNamespace: 200_000 }],
    ['512 MiB of memory', { memory: 512 * MIB, readonlyRoot: true }],
  ])('builds in %s what a machine with all rights builds', async (title, settings) => {
    const result = await inContainer(title.replaceAll(/\W+/g, '-'), build, settings)
    expect(result.code, result.stderr + result.stdout).toBe(0)
    expect(result.stderr.match(/isolated by chroot only/g)).toHaveLength(1)
    expect(await digestIn(`${result.volume}/out`)).toBe(expected)
    expect(pathsBelow(`${result.volume}/tmp`)).toEqual([])
  })

  it('says as a random user of group 0 what RUN needs, and builds what has none', async () => {
    const user = { uid: 1_000_650_000, gid: 0 }
    const env = ['KUBERNETES_SERVICE_HOST=192.0.2.1']
    const doctor = await inContainer('random-doctor', ['doctor'], { user, env, readonlyRoot: true })
    expect(doctor.stdout).toMatch(/missing +isolation of RUN.*runAsUser: 0/s)
    const refused = await inContainer('random-run', build, { user, readonlyRoot: true })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/cannot run commands in isolation: .*may not chroot/)
    await place.files({ Dockerfile: 'FROM busybox\nCOPY data /data\nUSER 5\n', data: 'data\n' }, 'no-run')
    const args = ['build', '--build-context', 'busybox=oci-layout:///busybox']
    const result = await inContainer(
      'random-build',
      [...args, '-o', 'type=oci,dest=/var/lib/tsbuild/out,tar=false', '/context'],
      {
        user,
        readonlyRoot: true,
        volumes: {
          '/var/lib/tsbuild': { source: place.join('random-build/volume') },
          '/context': { source: place.join('no-run'), readonly: true },
          '/busybox': { source: base, readonly: true },
        },
      },
    )
    expect(result.code, result.stderr).toBe(0)
  })

  it('says what would isolate RUN better', async () => {
    const { stdout } = await inContainer('doctor', ['doctor'], { env: ['KUBERNETES_SERVICE_HOST=192.0.2.1'] })
    expect(stdout).toMatch(/limited +isolation of RUN +chroot: .*--cap-add SYS_ADMIN.*securityContext/s)
  })
})
