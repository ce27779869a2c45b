/** A place to run the command in: a state directory, a home and a context of its own. */
import { mkdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { cacheDirectory } from './base-images.ts'
import { type Finished, type Running, type RunOptions, start } from './process.ts'
import { type FileTree, tempDirectory, writeTree } from './temp.ts'
import { repository, toolPath, which } from './tools.ts'

export interface TsbuildOptions extends RunOptions {
  /** Added to an environment that is otherwise empty but for PATH, HOME, TMPDIR and TSBUILD_ROOT. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where the command is run from; default this checkout. */
  readonly checkout?: string
  /** A program, with its arguments, that starts the command. */
  readonly through?: readonly string[]
}

export interface Workspace extends AsyncDisposable {
  readonly path: string
  /** The state directory, as $TSBUILD_ROOT says. */
  readonly root: string
  readonly home: string
  /** $TMPDIR of the command. */
  readonly tmp: string
  join(...parts: string[]): string
  /** Writes a directory, by default the one named `context`. @returns its path */
  files(files: FileTree, directory?: string): Promise<string>
  start(args: readonly string[], options?: TsbuildOptions): Running
  run(args: readonly string[], options?: TsbuildOptions): Promise<Finished>
  /** Runs a command on a terminal of its own, which `script` makes; what it prints is all in `stdout`. */
  terminal(args: readonly string[], options?: TsbuildOptions): Promise<Finished>
  /** Runs a command that must succeed. @throws Error with its stderr */
  must(args: readonly string[], options?: TsbuildOptions): Promise<Finished>
}

export async function openWorkspace(): Promise<Workspace> {
  const directory = await tempDirectory()
  const [root, home, tmp] = [directory.join('state'), directory.join('home'), directory.join('tmp')]
  for (const path of [home, tmp]) await mkdir(path)
  const commandLine = (args: readonly string[], { checkout = repository }: TsbuildOptions): [string, string[]] => {
    const node = resolve(checkout, relative(repository, process.execPath))
    return [node, [join(checkout, 'packages/cli/bin/tsbuild.js'), ...args]]
  }
  const startProgram = (file: string, args: readonly string[], options: TsbuildOptions): Running =>
    start(file, args, {
      cwd: directory.path,
      ...options,
      env: {
        PATH: toolPath,
        HOME: home,
        TMPDIR: tmp,
        TSBUILD_ROOT: root,
        // Code that one test compiled need not be compiled by the next one.
        ...(options.uid === undefined && { NODE_COMPILE_CACHE: join(cacheDirectory(), 'compiled') }),
        ...options.env,
      },
    })
  const startCommand = (args: readonly string[], options: TsbuildOptions = {}): Running => {
    const [file, ...rest] = [...(options.through ?? []), ...commandLine(args, options).flat()]
    return startProgram(file!, rest, options)
  }
  return {
    path: directory.path,
    root,
    home,
    tmp,
    join: directory.join,
    files: (files, name = 'context') => writeTree(directory.join(name), files),
    start: startCommand,
    run: (args, options) => startCommand(args, options).finished,
    terminal(args, options = {}) {
      const [file, rest] = commandLine(args, options)
      const quoted = [file, ...rest].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
      return startProgram(which('script')!, ['-qec', quoted, '/dev/null'], options).finished
    },
    async must(args, options) {
      const result = await startCommand(args, options).finished
      if (result.code !== 0)
        throw new Error(`tsbuild ${args.join(' ')}: exit code ${result.code}, ${result.signal}\n${result.stderr}`)
      return result
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
}
