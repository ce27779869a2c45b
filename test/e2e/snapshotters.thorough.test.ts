/** One Dockerfile gives one image, however its root filesystems are kept, its processes are isolated, and whoever builds it. */
import { chmod, chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../support/process.ts'
import { builtDigest } from '../support/progress.ts'
import { writeBases } from '../support/random-inputs.ts'
import { gate, repository, toolPath } from '../support/tools.ts'
import { addUser, type OrdinaryUser, ordinaryCommand } from '../support/user.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('root', 'busybox', 'runc', 'unshare', 'setpriv', 'newuidmap', 'useradd')

// What is shown is looked at before it is written somewhere. While a process runs with chroot alone, its root directory
// holds what others have mounted: its own time is not looked at here, but copied with all the rest.
const LOOK = 'find /f /d /x /y /w /who /etc/passwd -exec stat -c "%n %F %a %u %g %s %Y" {} + | sort'
const DOCKERFILE = `
FROM base-a AS b
RUN echo 1 > /f && mkdir -p /d/e && echo 2 > /d/e/g && ln -s g /d/e/l && ln /d/e/g /d/h && chmod 4750 /d/e/g && chown 7:8 /d/e
RUN touch /x/gone && rm /x/gone && seen="$(stat -c "%n %a %Y" /etc /d /d/e)" && echo "$seen" > /seen
COPY a /y/
RUN echo more >> /etc/passwd && rm /y/g && chmod 700 /y && touch -d @981173106 /who
WORKDIR /w/v
RUN list="$(${LOOK}; stat -c "%n %a %Y" /etc)" && echo "$list" > /list
FROM scratch
COPY --from=b /f /g
COPY --from=b /d /d
COPY --from=b /seen /list /who /lists/
COPY --from=b / /all/
COPY --link a /x/
`

describe.skipIf(needs.skip)(`an image does not depend on how it was built${needs.note}`, () => {
  let place: Workspace
  let bases: Record<string, string>
  let user: OrdinaryUser
  let command: Awaited<ReturnType<typeof ordinaryCommand>>
  /** Of the first one, as root with overlays in namespaces. */
  let reference: string | undefined
  let count = 0

  beforeAll(async () => {
    place = await openWorkspace()
    await chmod(place.path, 0o755)
    bases = await writeBases(place.path)
    await place.files({ a: 'a', Dockerfile: DOCKERFILE })
    user = await addUser()
    command = await ordinaryCommand(user)
  })
  afterAll(async () => {
    await command[Symbol.asyncDispose]()
    await user[Symbol.asyncDispose]()
    await place[Symbol.asyncDispose]()
  })

  /** Builds in a new store: on the disk, or on an overlay that exists for this process only, as in a container. */
  async function built(where: string, isolation: string, ordinary: boolean, directory = `store-${++count}`) {
    const store = place.join(directory)
    for (const name of ['', 'lower', 'upper', 'work', 'merged', 'home']) {
      await mkdir(join(store, name), { recursive: true })
      if (ordinary) await chown(join(store, name), user.uid, user.gid)
    }
    const mount = 'cd "$0"; mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged; exec "$@"'
    const become = ordinary ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
    const checkout = (ordinary ? command.options.checkout : undefined) ?? repository
    const node = process.execPath.replace(repository, checkout)
    const args = [
      ...[...become, node, join(checkout, 'packages/cli/bin/tsbuild.js'), '--progress=plain'],
      ...Object.entries(bases).map(([name, value]) => `--build-context=${name}=${value}`),
      ...(isolation === 'auto' ? [] : ['--isolation', isolation]),
      place.join('context'),
    ]
    const env = {
      PATH: toolPath,
      HOME: join(store, 'home'),
      TMPDIR: join(store, 'home'),
      TSBUILD_ROOT: join(store, where === 'overlay' ? 'merged/root' : 'root'),
      SOURCE_DATE_EPOCH: '1700000000',
    }
    const result =
      where === 'overlay'
        ? await run('unshare', ['-m', 'sh', '-ec', mount, store, ...args], { env })
        : await run(args[0]!, args.slice(1), { env })
    expect(result.code, result.stderr).toBe(0)
    return result.stderr
  }

  it.each([
    ['disk', 'namespaces', false],
    ['overlay', 'namespaces', false],
    ['disk', 'oci', false],
    ['overlay', 'oci', false],
    ['disk', 'chroot', false],
    ['overlay', 'chroot', false],
    ['disk', 'namespaces', true],
    ['overlay', 'namespaces', true],
  ] as const)('store on %s, %s, ordinary user: %s', async (where, isolation, ordinary) => {
    const stderr = await built(where, isolation, ordinary)
    const why = 'root filesystems are copied from layer to layer'
    if (where === 'disk') expect(stderr).not.toContain(why)
    else expect(stderr).toMatch(new RegExp(`${why}.*: the file system of .* is an overlay itself`))
    reference ??= builtDigest(stderr)
    expect(builtDigest(stderr)).toBe(reference)
  })

  it('mounts overlays in a store whose path has backslashes, commas and colons', async () => {
    const stderr = await built('disk', 'auto', false, 'a\\b,c:d\\\\e')
    expect(stderr).not.toContain('copied from layer to layer')
    expect(builtDigest(stderr)).toBe(reference)
  })
})
