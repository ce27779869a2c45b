/**
 * Puts what the images are made of into a directory that is the context `parts` of images/Dockerfile: Node from npm,
 * files of Debian packages, the command with its bundle. All of it is pinned in parts.json.
 *
 *     node images/parts.ts DIRECTORY [ARCHITECTURE…]
 *     node images/parts.ts --update           pins what is current
 */
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { bundle } from '../packages/cli/src/tools/bundle.ts'
import { APPLETS, ARCHITECTURES, type Architecture, NAMES, PACKAGES } from './contents.ts'
import { Apt, type Pinned, pin, unpack } from './debian.ts'
import { writeLaunchers, writeSubmoduleLauncher } from './launchers.ts'

const run = promisify(execFile)

const PINS = join(import.meta.dirname, 'parts.json')
const CLI = join(import.meta.dirname, '../packages/cli')

interface Pins {
  /** Version of Node, and of koffi, whose packages are looked up in npm by version and checked by npm's `integrity`. */
  readonly npm: Readonly<Record<string, { readonly version: string; readonly integrity: string }>>
  readonly debian: Readonly<Record<Architecture, Readonly<Record<string, Pinned>>>>
}

/** @param directory gets one directory per architecture, with a directory per layer in each */
export async function collectParts(directory: string, architectures: readonly Architecture[]): Promise<void> {
  const pins = JSON.parse(await readFile(PINS, 'utf8')) as Pins
  await using work = await temporaryDirectory()
  for (const architecture of architectures) {
    const target = join(directory, architecture)
    await rm(target, { recursive: true, force: true })
    await collectNode(pins, architecture, join(target, 'node'), work.path)
    await collectCommand(pins, architecture, join(target, 'tsbuild'), work.path)
    await collectDebian(pins, architecture, target, join(work.path, architecture))
  }
}

async function collectNode(pins: Pins, architecture: Architecture, target: string, work: string): Promise<void> {
  const source = await npmPackage(pins, `node-linux-${NAMES[architecture].npm}`, work)
  await copyFile(join(source, 'bin/node'), join(target, 'usr/local/bin/node'))
  await copyFile(join(source, 'LICENSE'), join(target, 'usr/share/doc/nodejs/copyright'))
}

async function collectCommand(pins: Pins, architecture: Architecture, target: string, work: string): Promise<void> {
  const home = join(target, 'usr/local/lib/tsbuild')
  await bundle(join(CLI, 'dist'))
  for (const name of ['bin', 'dist', 'package.json', 'LICENSE'])
    await cp(join(CLI, name), join(home, name), { recursive: true })
  await rm(join(home, 'dist/sources.json'))
  // Of koffi the bundle has all but the machine's code, which it looks for beside the package.
  const koffi = 'node_modules/koffi'
  const scripts = (await readdir(join(CLI, koffi, 'src'), { recursive: true }))
    .filter((name) => name.endsWith('.cjs'))
    .map((name) => join('src', name))
  for (const name of ['package.json', 'index.cjs', 'LICENSE.txt', ...scripts])
    await copyFile(join(CLI, koffi, name), join(home, koffi, name))
  const platform = `linux-${NAMES[architecture].npm}`
  const native = `@koromix/koffi-${platform}`
  const source = await npmPackage(pins, native, work)
  for (const name of ['package.json', 'index.js', `${platform.replace('-', '_')}/koffi.node`])
    await copyFile(join(source, name), join(home, 'node_modules', native, name))
  await writeLaunchers(join(home, 'package.json'), target)
}

async function collectDebian(pins: Pins, architecture: Architecture, target: string, work: string): Promise<void> {
  const pinned = pins.debian[architecture]
  const apt = await Apt.open(work, architecture)
  const archives = await apt.download(Object.entries(pinned).map(([name, { version }]) => ({ name, version })))
  for (const [part, packages] of Object.entries(PACKAGES)) {
    const root = join(target, part)
    for (const [name, wanted] of Object.entries(packages)) {
      const archive = archives.get(name)
      if (archive === undefined) throw new Error(`${name} is not pinned: node images/parts.ts --update`)
      const unpacked = join(work, 'unpacked', name)
      const control = await unpack(archive, pinned[name]!, unpacked)
      await takeFiles(unpacked, root, wanted, join('usr/share/doc', name, 'copyright'))
      // Where scanners look for what an image without dpkg is made of.
      await write(join(root, 'var/lib/dpkg/status.d', name), control)
    }
    if (part === 'system') await finishSystem(root)
    if (part === 'debug') for (const applet of APPLETS) await symlink('busybox', join(root, 'usr/bin', applet))
  }
}

/** Copies what is wanted of an unpacked package to where it is when /bin, /lib and so on are links into /usr. */
async function takeFiles(from: string, to: string, wanted: RegExp, copyright: string): Promise<void> {
  let taken = 0
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue
    const path = join(entry.parentPath, entry.name)
    const place = path.slice(from.length + 1).replace(/^(bin|sbin|lib|lib64)\//, 'usr/$1/')
    if (wanted.test(place)) taken++
    else if (place !== copyright) continue
    await copyFile(path, join(to, place))
  }
  if (taken === 0) throw new Error(`nothing of ${basename(from)} is what is wanted`)
}

async function finishSystem(root: string): Promise<void> {
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) {
    await mkdir(join(root, 'usr', name), { recursive: true })
    await symlink(`usr/${name}`, join(root, name))
  }
  await mkdir(join(root, 'tmp'))
  await chmod(join(root, 'tmp'), 0o1777)
  await symlink('../../bin/git', join(root, 'usr/lib/git-core/git'))
  await writeSubmoduleLauncher(root)
  const certificates = join(root, 'usr/share/ca-certificates/mozilla')
  const names = (await readdir(certificates)).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(certificates, name), 'latin1')))
  await write(join(root, 'etc/ssl/certs/ca-certificates.crt'), texts.join(''))
  await rm(join(root, 'usr/share/ca-certificates'), { recursive: true })
}

/** Fetches a package by npm and unpacks it. @returns its directory */
async function npmPackage(pins: Pins, name: string, work: string): Promise<string> {
  const pinned = pins.npm[name]
  if (pinned === undefined) throw new Error(`${name} is not pinned: node images/parts.ts --update`)
  const packed = await npmPack(`${name}@${pinned.version}`, work)
  if (packed.integrity !== pinned.integrity) throw new Error(`${name} is ${packed.integrity}, not ${pinned.integrity}`)
  const directory = join(work, name.replace('/', '-'))
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory)
  await run('tar', ['-xzf', join(work, packed.filename), '-C', directory, '--strip-components=1'])
  return directory
}

async function npmPack(spec: string, work: string): Promise<{ filename: string; integrity: string }> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', work, spec], { cwd: work })
  // npm has compared the file with the registry's word.
  const [packed] = JSON.parse(stdout)
  // Some versions of npm name a scoped package otherwise than its file.
  return { ...packed, filename: packed.filename.replace(/^@/, '').replace('/', '-') }
}

/** Pins the Node and koffi of the checkout and Debian's current packages. */
async function updatePins(): Promise<void> {
  await using work = await temporaryDirectory()
  const versionOf = async (file: string): Promise<string> => JSON.parse(await readFile(file, 'utf8')).version
  const node = await versionOf(join(CLI, '../../node_modules/node/package.json'))
  const koffi = await versionOf(join(CLI, 'node_modules/koffi/package.json'))
  const npm: Record<string, { version: string; integrity: string }> = {}
  const debian: Record<string, Record<string, Pinned>> = {}
  for (const architecture of ARCHITECTURES) {
    const platform = `linux-${NAMES[architecture].npm}`
    for (const [name, version] of [
      [`node-${platform}`, node],
      [`@koromix/koffi-${platform}`, koffi],
    ] as const) {
      const { integrity } = await npmPack(`${name}@${version}`, work.path)
      npm[name] = { version, integrity }
    }
    const apt = await Apt.open(join(work.path, architecture), architecture)
    const pinned: Record<string, Pinned> = {}
    const names = Object.values(PACKAGES).flatMap((packages) => Object.keys(packages))
    for (const [name, archive] of await apt.download(names.map((name) => ({ name })))) pinned[name] = await pin(archive)
    debian[architecture] = pinned
  }
  await writeFile(PINS, `${JSON.stringify({ npm, debian }, null, 2)}\n`)
}

async function copyFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await cp(from, to, { verbatimSymlinks: true })
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}

async function temporaryDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'tsbuild-parts-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

if (import.meta.main) {
  const [first, ...rest] = process.argv.slice(2)
  if (first === '--update') await updatePins()
  else if (first === undefined) throw new Error('usage: node images/parts.ts DIRECTORY [ARCHITECTURE…] | --update')
  else await collectParts(resolve(first), rest.length === 0 ? ARCHITECTURES : (rest as Architecture[]))
}
