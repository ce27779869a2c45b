/** What RUN asked to mount, made into what an executor can mount. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { openRootTree } from '../context/local.ts'
import { plainCopy } from '../graph/file-op.ts'
import type { SandboxMount } from '../sandbox/executor.ts'
import { resolveInRoot } from '../util/inroot.ts'
import { removeTree } from '../util/raw-path.ts'
import { readArchive } from './archive.ts'
import { CacheMounts } from './cache-mounts.ts'
import { applyFileOps } from './file/apply.ts'
import { select } from './file/select.ts'
import type { RunMountSpec, RunParams } from './worker-api.ts'
import type { OperationContext } from './worker-files.ts'

export class MountOpener {
  readonly #root: string
  readonly #caches: CacheMounts
  #scripts = 0

  /** @param root state directory */
  constructor(root: string) {
    this.#root = root
    this.#caches = new CacheMounts(join(root, 'cache-mounts'))
  }

  /** Opens all mounts of one process; `resources` ends them. */
  async open(
    { mounts, script }: RunParams,
    resources: AsyncDisposableStack,
    context: Pick<OperationContext, 'snapshotter' | 'signal'>,
  ): Promise<SandboxMount[]> {
    const opened: SandboxMount[] = []
    for (const mount of mounts) opened.push(await this.#open(mount, resources, context))
    if (script !== undefined) opened.push(this.#script(script, resources))
    return opened
  }

  /** A heredoc script as a file in a directory of its own, which may be executed. */
  #script({ path, content }: NonNullable<RunParams['script']>, resources: AsyncDisposableStack): SandboxMount {
    const directory = join(this.#root, 'tmp', `${process.pid}.script-${++this.#scripts}`)
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
        return { type: 'bind', source: resolveInRoot(view.root, source), target, readonly }
      }
      case 'cache': {
        const { seed, target, readonly } = mount
        const fill = async (directory: string): Promise<void> => {
          await using view = await snapshotter.view(seed!, signal)
          await copyDirectory(view.root, mount.source, directory, signal)
        }
        const cache = resources.use(await this.#caches.open(mount, seed && fill, signal))
        return { type: 'bind', source: cache.path, target, readonly }
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
      case 'socket':
        // The socket belongs to this step alone: it gets the owner and mode that the mount asks for.
        chownSync(mount.path, mount.uid, mount.gid)
        chmodSync(mount.path, mount.mode)
        return { type: 'bind', source: mount.path, target: mount.target, readonly: false }
      case 'host':
        return { type: 'bind', source: mount.source, target: mount.target, readonly: mount.readonly }
    }
  }
}

/** Copies what a directory of a root filesystem holds, with owners and modes. */
async function copyDirectory(root: string, source: string, directory: string, signal: AbortSignal): Promise<void> {
  const tree = openRootTree(root)
  const op = plainCopy(source, '/')
  await applyFileOps(directory, [{ op, tree, entries: await select(tree, op.selection, signal) }], {
    signal,
    readArchive,
  })
}
