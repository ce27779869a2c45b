/** The call that runs an image once. */
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { posix } from 'node:path'
import { defineError } from '../errors.ts'
import { type ContainerConfig, DEFAULT_PATH } from '../graph/image-config.ts'
import { ImageStore } from '../image/image-store.ts'
import { type FoundImage, storeSource } from '../image/resolve.ts'
import type { Place, RunImageOptions, TmpfsVolume, Volume } from '../options.ts'
import type { RunImageResult } from '../results.ts'
import { type Capability, chooseCapabilities } from '../sandbox/capability-names.ts'
import { imageRootfs } from '../steps/image.ts'
import { runInteractive } from '../steps/interactive.ts'
import type { RunMountSpec, RunParams } from '../steps/worker-api.ts'
import { imageSource, openLayers, openWorker, prepareRun } from './layers.ts'
import { checkOptions } from './option-schema.ts'
import { processResult } from './process-result.ts'
import { Session } from './session.ts'
import { asBuildError, hostOption, optionErrors, resolveSettings } from './settings.ts'

export const runImageErrors = {
  noCommand: defineError({
    code: 'IMAGE_NO_COMMAND',
    doc: 'An image that has neither ENTRYPOINT nor CMD was to be run without saying what.',
    message: (image: string) => `${image} does not say what to run: no command specified`,
    hint: 'name the command behind the image',
  }),
}

/**
 * Runs an image of the store, or of a registry, once and in the foreground: with the isolation of a RUN, on a root
 * filesystem that is thrown away. Aborting `signal` kills the process and all it has started.
 *
 * @throws BuildError when the process could not be started; a process that fails is a normal result
 */
export async function runImage(call: RunImageOptions<Place>): Promise<RunImageResult> {
  let root: string | undefined
  try {
    const options = checkOptions('run', call)
    const { stdin, stdout, stderr, tty = false, pull, ...rest } = options
    const { image: name, platform, isolation, ociRuntime, onProgress } = rest
    const settings = resolveSettings({
      ...rest,
      pull: pull === 'always',
      ...(platform !== undefined && { platforms: [platform] }),
    })
    root = settings.root
    checkRun(options)
    await using session = await Session.open(settings, 'ask')
    if (session.store.root !== settings.root)
      session.warn({
        rule: '',
        message: `the store ${settings.root} cannot be written: layers are unpacked for this once, in ${tmpdir()}`,
      })
    const image = await findImage(name, session, options)
    const choice = { ...(isolation && { isolation }), ...(ociRuntime !== undefined && { ociRuntime }) }
    const worker = openWorker(session, choice, true)
    const { layers } = openLayers(session, worker)
    if (onProgress) await prepareRun(worker, session)
    const stack = await layers.snapshots(imageRootfs(image.layers, imageSource(image)).stack)
    const params = runParams(image, stack, options)
    const console = { stdin, stdout, stderr, tty }
    return processResult(await runInteractive(worker, params, console, session.signal))
  } catch (error) {
    throw asBuildError(error, { signal: call?.signal, root })
  }
}

/** By name or id in the store, else in its registry. */
async function findImage(name: string, session: Session, { pull }: RunImageOptions): Promise<FoundImage> {
  const { store, settings, images } = session
  const platform = settings.platforms[0]!
  if (pull === 'always') return await session.resolveImage(name, platform)
  const lookUp = new ImageStore(store, Date.now).resolve(name)
  const stored = pull === 'never' ? await lookUp : await lookUp.catch(() => undefined)
  if (stored === undefined) return await session.resolveImage(name, platform)
  return await images.open(name, stored, platform, storeSource(store.blobs))
}

/** What docker refuses, in its words. @throws BuildError OPTION_INVALID */
function checkRun({ volumes = [], tmpfs = [], workdir, hostname = '' }: RunImageOptions): void {
  const targets = [...volumes, ...tmpfs].map(({ target }) => posix.join('/', target, '.').replace(/(.)\/$/, '$1'))
  const double = targets.find((target, index) => targets.indexOf(target) !== index)
  if (double !== undefined) throw optionErrors.optionInvalid([`Duplicate mount point: ${double}`])
  if (targets.includes('/')) throw optionErrors.optionInvalid(["invalid mount: destination can't be '/'"])
  if (workdir && !workdir.startsWith('/'))
    throw optionErrors.optionInvalid([`the working directory '${workdir}' is invalid, it needs to be an absolute path`])
  if (Buffer.byteLength(hostname) > MAX_HOSTNAME)
    throw optionErrors.optionInvalid([`invalid hostname: ${hostname}: it has more than ${MAX_HOSTNAME} bytes`])
}

/** What the kernel takes. */
const MAX_HOSTNAME = 64

function runParams(image: FoundImage, stack: readonly string[], options: RunImageOptions): RunParams {
  const config = image.config.config ?? {}
  const hostname = options.hostname ?? randomBytes(6).toString('hex')
  return {
    stack,
    id: undefined,
    keep: undefined,
    interaction: undefined,
    args: commandLine(config, options),
    script: undefined,
    env: environment(config, hostname, options),
    cwd: posix.join('/', options.workdir ?? config.WorkingDir ?? ''),
    user: options.user ?? config.User ?? '',
    mounts: [...(options.volumes ?? []).map(hostMount), ...(options.tmpfs ?? []).map(tmpfsMount)],
    container: {
      capabilities: capabilities(options),
      readonlyRoot: options.readonlyRoot,
      init: options.init,
      groups: options.groups,
    },
    network: options.network ?? 'host',
    security: 'sandbox',
    hostname,
    extraHosts: (options.addHosts ?? []).map(hostOption),
    dns: options.dns ?? [],
    shmSize: options.shmSize,
    ulimits: options.ulimits ?? [],
    resources: options.resources ?? {},
    cgroupParent: options.cgroupParent,
    timeout: undefined,
    scanFor: [],
    mtime: undefined,
  }
}

function hostMount({ source, target, readonly = false }: Volume): RunMountSpec {
  return { type: 'host', source, target: posix.join('/', target), readonly }
}

function tmpfsMount({ target, size, mode, exec = false }: TmpfsVolume): RunMountSpec {
  return { type: 'tmpfs', target: posix.join('/', target), size, mode, noexec: !exec }
}

function capabilities({ capAdd = [], capDrop = [] }: RunImageOptions): readonly Capability[] | undefined {
  const chosen = chooseCapabilities(capAdd, capDrop)
  if (typeof chosen !== 'string') return chosen
  throw optionErrors.optionInvalid([`unknown capability ${JSON.stringify(chosen)}`], {
    hint: 'capabilities are named as in capabilities(7), with or without CAP_, or ALL',
  })
}

/** As docker does it: another entrypoint takes the image's command away, too. */
function commandLine(config: ContainerConfig, { image, entrypoint, command = [] }: RunImageOptions): string[] {
  const first = entrypoint ?? config.Entrypoint ?? []
  const rest = command.length > 0 ? command : entrypoint === undefined ? (config.Cmd ?? []) : []
  if (first.length + rest.length === 0) throw runImageErrors.noCommand([image])
  return [...first, ...rest]
}

/** The image's variables, replaced by the caller's of the same name. */
function environment(config: ContainerConfig, hostname: string, { variables = [], tty }: RunImageOptions): string[] {
  const merged = new Map<string, string>()
  const usual = [DEFAULT_PATH, `HOSTNAME=${hostname}`, ...(tty ? ['TERM=xterm'] : [])]
  for (const variable of [...usual, ...(config.Env ?? []), ...variables])
    merged.set(variable.slice(0, variable.indexOf('=')), variable)
  return [...merged.values()]
}
