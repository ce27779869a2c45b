/** What RUN asked to mount, made into what an executor can mount. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { openRootTree } from '../context/local.ts'
import { plainCopy } from '../graph/file-op.ts'
import { sandboxErrors } from '../sandbox/errors.ts'
import type { SandboxMount } from '../sandbox/executor.ts'
import { MountSources } from '../sandbox/mounts/sources.ts'
import { AT_FDCWD, chownOf, O_NOFOLLOW, O_PATH, openAt } from '../sandbox/native/files.ts'
import { SystemError } from '../sandbox/native/libc.ts'
import { resolveBelow } from '../sandbox/native/resolve.ts'
import { beAlive, type Life } from '../util/life.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import { removeTree } from '../util/remove-tree.ts'
import { readArchive } from './archive.ts'
import { CacheMounts } from './cache-mounts.ts'
import { applyFileOps } from './file/apply.ts'
import { select } from './file/select.ts'
import { Spool } from './file/spool.ts'
import type { RunMountSpec, RunParams } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'

export class MountOpener implements Disposable {
  readonly #root: string
  readonly #caches: CacheMounts
  #life: Life | undefined
  #sources: MountSources | undefined
  #scripts = 0

  /** @param root state directory */
  constructor(root: string) {
    this.#root = root
    this.#caches = new CacheMounts(join(root, 'cache-mounts'), join(root, 'alive'))
  }

  /** Makes what has to be there before the first process. */
  begin(): void {
    this.#life ??= beAlive(join(this.#root, 'alive'))
    this.#sources ??= new MountSources(join(this.#root, 'tmp', `${this.#life.owner}.mounts`))
  }

  /** Opens all mounts of one process; `resources` ends them. */
  async open(
    { mounts, script }: RunParams,
    resources: AsyncDisposableStack,
    context: Pick<OperationContext, 'snapshotter' | 'signal'>,
  ): Promise<SandboxMount[]> {
    const opened: SandboxMount[] = []
    for (const mount of mounts) {
      try {
        opened.push(await this.#open(mount, resources, context))
      } catch (error) {
        if (!(error instanceof SystemError)) throw error
        throw sandboxErrors.setupFailed([`mount ${mount.type} on ${mount.target}: ${error.message}`], { cause: error })
      }
    }
    if (script !== undefined) opened.push(this.#script(script, resources))
    return opened
  }

  /** A heredoc script as a file in a directory of its own, which may be executed. */
  #script({ path, content }: NonNullable<RunParams['script']>, resources: AsyncDisposableStack): SandboxMount {
    const life = beAlive(join(this.#root, 'alive'))
    resources.defer(async () => life[Symbol.dispose]())
    const directory = join(this.#root, 'tmp', `${life.owner}.script-${++this.#scripts}`)
    makeDirectorySync(dirname(directory), 0o700)
    mkdirSync(directory, { mode: 0o755 })
    resources.defer(async () => removeTree(directory))
    writeFileSync(join(directory, basename(path)), content, { mode: 0o755 })
    return { type: 'bind', source: directory, target: dirname(path), readonly: true }
  }

  async #open(
    mount: RunMountSpec,
    resources: AsyncDisposableStack,
    { snapshotter, signal }: Pick<OperationContext, 'snapshotter' | 'signal'>,
  ): Promise<SandboxMount> {
    switch (mount.type) {
      case 'bind': {
        const { stack, source, target, readonly } = mount
        // A writable mount gets a snapshot of its own, which is never committed.
        const view = resources.use(
          await (readonly ? snapshotter.view(stack, signal) : snapshotter.prepare(stack, signal)),
        )
        return this.#bind(resolveBelow(view.root, source).fd, { target, readonly }, resources)
      }
      case 'cache': {
        const { seed, target, readonly } = mount
        const fill = async (directory: string): Promise<void> => {
          await using view = await snapshotter.view(seed!, signal)
          await copyDirectory(view.root, mount.source, directory, signal)
        }
        const cache = resources.use(await this.#caches.open(mount, seed && fill, signal))
        return this.#bind(cache.fd, { target, readonly }, resources)
      }
      case 'tmpfs': {
        const { target, size, mode, noexec = false } = mount
        return {
          type: 'tmpfs',
          target,
          noexec,
          ...(size !== undefined && { size }),
          ...(mode !== undefined && { mode }),
        }
      }
      case 'secret': {
        const { target, content, mode, uid, gid } = mount
        return { type: 'file', target, content, mode, uid, gid }
      }
      case 'socket': {
        const fd = openAt(AT_FDCWD, mount.path, O_PATH | O_NOFOLLOW)
        // The socket belongs to this step alone: it gets the owner and mode that the mount asks for.
        chownOf(fd, mount.uid, mount.gid)
        chmodSync(`/proc/self/fd/${fd}`, mount.mode)
        return this.#bind(fd, { target: mount.target, readonly: false }, resources)
      }
      case 'host': {
        const { source, target, readonly } = mount
        return this.#bind(openAt(AT_FDCWD, source, O_PATH), { target, readonly }, resources)
      }
    }
  }

  #bind(
    fd: number,
    { target, readonly }: { readonly target: string; readonly readonly: boolean },
    resources: AsyncDisposableStack,
  ): SandboxMount {
    return { type: 'bind', source: resources.use(this.#sources!.take(fd)).path, target, readonly }
  }

  [Symbol.dispose](): void {
    this.#sources?.[Symbol.dispose]()
    this.#sources = undefined
    this.#life?.[Symbol.dispose]()
    this.#life = undefined
  }
}

/** Copies what a directory of a root filesystem holds, with owners and modes. */
async function copyDirectory(root: string, source: string, directory: string, signal: AbortSignal): Promise<void> {
  const tree = openRootTree(root)
  const op = plainCopy(source, '/')
  await applyFileOps(directory, [{ op, tree, entries: await select(tree, op.selection, signal) }], {
    signal,
    readArchive,
    // Nothing is unpacked.
    spool: new Spool(''),
  })
}
