/** Temporary directories that go away, whoever owns what is in them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from './process.ts'
import { isRoot } from './tools.ts'

export interface TempDirectory extends AsyncDisposable {
  readonly path: string
  /** A path below it. */
  join(...parts: string[]): string
}

export async function tempDirectory(prefix = 'tsbuild-test-'): Promise<TempDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: () => removeTree(path),
  }
}

/** Removes a tree; one that holds files of sub-ids is removed inside a user namespace that maps them. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    if (isRoot) throw error
    await run('unshare', ['--user', '--map-auto', '--map-root-user', 'rm', '-rf', path])
    await rm(path, { recursive: true, force: true })
  }
}

/** What a file tree is written from: text or bytes, or a file with a mode, or a directory (null). */
export type FileTree = Readonly<Record<string, string | Uint8Array | { text: string; mode: number } | null>>

/** Writes files below a directory, with the directories they need. */
export async function writeTree(directory: string, files: FileTree): Promise<string> {
  await mkdir(directory, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    if (content === null) {
      await mkdir(path, { recursive: true })
      continue
    }
    await mkdir(dirname(path), { recursive: true })
    if (typeof content === 'string' || content instanceof Uint8Array) await writeFile(path, content)
    else await writeFile(path, content.text, { mode: content.mode })
  }
  return directory
}
