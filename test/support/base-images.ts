/** Base images for our own tests, made from Debian packages: no public registry is needed. */

import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pushLayout, writeLayout } from './image-layout.ts'
import { must } from './process.ts'
import { isRoot, which } from './tools.ts'

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const SUITE = 'bookworm'

/** Where images stay between runs, for this user only. */
export function cacheDirectory(): string {
  return join(tmpdir(), `tsbuild-test-cache-${process.getuid?.() ?? 0}`)
}

/** Refuses a directory that somebody else put there. */
async function openCache(): Promise<string> {
  const directory = cacheDirectory()
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const { uid } = await stat(directory)
  if (uid !== process.getuid?.()) throw new Error(`${directory} belongs to uid ${uid}`)
  return directory
}

/** Makes something once per machine: whole or not at all, also when several processes want it. */
async function once(name: string, make: (directory: string) => Promise<void>): Promise<string> {
  const cache = await openCache()
  const done = join(cache, name)
  if (existsSync(done)) return done
  const temporary = `${done}.${process.pid}`
  await rm(temporary, { recursive: true, force: true })
  await make(temporary)
  try {
    await rename(temporary, done)
  } catch (error) {
    if (!existsSync(done)) throw error
    await rm(temporary, { recursive: true, force: true })
  }
  return done
}

/**
 * An OCI layout with a static busybox whose applets are symbolic links, for linux/amd64 and linux/arm64 (with the
 * same content). Needs no privilege.
 */
export async function busyboxLayout(): Promise<string> {
  const program = which('busybox')!
  const { size } = await stat(program)
  return await once(`busybox-${size}`, async (directory) => {
    const rootfs = `${directory}.rootfs`
    await rm(rootfs, { recursive: true, force: true })
    for (const name of ['bin', 'etc', 'home', 'root', 'tmp', 'usr/bin', 'usr/sbin', 'var/tmp'])
      await mkdir(join(rootfs, name), { recursive: true, mode: 0o755 })
    await chmod(join(rootfs, 'tmp'), 0o1777)
    await copyFile(program, join(rootfs, 'bin/busybox'))
    await chmod(join(rootfs, 'bin/busybox'), 0o755)
    const applets = (await must(program, ['--list'])).split('\n').filter((n) => n && n !== 'busybox')
    for (const name of applets) await symlink('busybox', join(rootfs, 'bin', name))
    await writeFile(
      join(rootfs, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    )
    await writeFile(join(rootfs, 'etc/group'), 'root:x:0:\nstaff:x:50:user\nuser:x:1000:\nnobody:x:65534:\n')
    await writeLayout(directory, {
      rootfs,
      config: { Env: [PATH], Cmd: ['sh'] },
      platforms: ['linux/amd64', 'linux/arm64/v8'],
    })
    await rm(rootfs, { recursive: true })
  })
}

/**
 * The root filesystem of a minimal Debian as debootstrap makes it, with the package sources of this machine. Needs
 * root, debootstrap and a reachable package index; about half a minute the first time.
 */
export async function debianRootfs(): Promise<string> {
  if (!isRoot) throw new Error('only root can make the Debian image')
  const cache = await openCache()
  await mkdir(join(cache, 'bases'), { recursive: true })
  return await once('bases/debian', async (directory) => {
    await must('debootstrap', ['--variant=minbase', SUITE, directory], { timeout: 280_000, env: debootstrapEnv() })
    for (const name of ['var/cache/apt', 'var/lib/apt/lists', 'var/log', 'usr/share/doc', 'usr/share/man', 'dev']) {
      const path = join(directory, name)
      for (const entry of await readdir(path)) await rm(join(path, entry), { recursive: true, force: true })
    }
    for (const name of ['resolv.conf', 'hostname']) await rm(join(directory, 'etc', name), { force: true })
    await writeFile(join(directory, 'etc/machine-id'), '')
    await writePackageSources(directory)
  })
}

function debootstrapEnv(): Record<string, string | undefined> {
  return { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
}

/** RUN apt-get must reach the package index the way this machine does: by its mirrors, proxies and date checks. */
async function writePackageSources(rootfs: string): Promise<void> {
  const deb822 = '/etc/apt/sources.list.d/debian.sources'
  if (existsSync(deb822)) {
    await rm(join(rootfs, 'etc/apt/sources.list'), { force: true })
    await writeFile(join(rootfs, 'etc/apt/sources.list.d/debian.sources'), await readFile(deb822))
  } else if (existsSync('/etc/apt/sources.list')) {
    await writeFile(join(rootfs, 'etc/apt/sources.list'), await readFile('/etc/apt/sources.list'))
  }
  const wanted = /^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date|Retries)\b.* "[^"]/i
  const lines = (await must('apt-config', ['dump'])).split('\n').filter((line) => wanted.test(line))
  await writeFile(join(rootfs, 'etc/apt/apt.conf.d/90host'), `${lines.join('\n')}\n`)
}

/** Pushes the Debian image to a registry on loopback as `debian:bookworm`. */
export async function pushDebian(host: string): Promise<string> {
  const rootfs = await debianRootfs()
  const layout = await once('debian-layout', async (directory) => {
    await writeLayout(directory, { rootfs, config: { Env: [PATH], Cmd: ['bash'] }, keepOwners: true })
  })
  await pushLayout(layout, host, 'debian', SUITE)
  return `${host}/debian:${SUITE}`
}
