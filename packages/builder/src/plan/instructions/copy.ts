/** COPY and ADD: one layer, one operation per source, in the order written. */
import { posix } from 'node:path'
import type { FileOp } from '../../graph/file-op.ts'
import type { FileStep, SourceStep } from '../../graph/step.ts'
import type { CopyNode } from '../../instructions/nodes.ts'
import { redactUrl } from '../../redact.ts'
import { parseChmod } from '../../util/chmod.ts'
import { type GitUrl, parseGitUrl } from '../../util/git-url.ts'
import type { InstructionContext, InstructionPlanner } from '../context.ts'
import { planErrors } from '../errors.ts'
import { parseOwner } from '../owner.ts'
import { resolvePath, sourcePath, withoutDrive } from '../paths.ts'

type Part = FileStep['ops'][number]

/** What the flags of one COPY say, expanded, and for which system it is. */
interface CopyFlags {
  readonly os: string
  readonly dest: string
  readonly chown: string
  readonly chmod: string
  readonly checksum: string
  readonly exclude: readonly string[]
}

export const planCopy: InstructionPlanner<CopyNode> = (node, stage, context) => {
  const expand = (text: string | undefined): string => (text === undefined ? '' : stage.expand(text, node.raw))
  const sources = node.sources.map(expand)
  const destText = expand(node.dest)
  const { os } = stage.platform
  const flags: CopyFlags = {
    os,
    dest: resolvePath(stage.cwd, withoutDrive(destText, os, { keepSlash: true }), true),
    chown: expand(node.chown),
    chmod: expand(node.chmod),
    checksum: expand(node.checksum),
    exclude: node.exclude.map(expand),
  }
  if (flags.chmod !== '') parseChmod(flags.chmod)
  checkChecksum(flags.checksum, sources)

  // What is fetched for it has its name.
  const name = context.stepName(stage.expander.label(node.raw.original, stage.env))
  const ops: Part[] = [
    ...sources.map((source) => planSource(node, source, name, flags, context)),
    ...node.contents.map((file) => {
      const data = file.expand ? stage.expander.heredoc(file.content, stage.env, node.raw) : file.content
      return { op: writeOp(node, withoutDrive(file.name, os), { data }, 0o644, flags, context), from: undefined }
    }),
  ]
  stage.rootfs = {
    kind: 'file',
    name,
    at: context.at,
    noCache: context.noCache,
    parent: stage.rootfs,
    // The reference merges only when it need not look at modes.
    link: node.link && flags.chmod === '',
    ops,
  }
  stage.commit(historyText(node, sources, destText, flags), { layer: true, buildkit: true })
}

function historyText(node: CopyNode, sources: readonly string[], dest: string, flags: CopyFlags): string {
  return [
    node.kind,
    ...(node.parents ? ['--parents'] : []),
    ...(flags.chown ? [`--chown=${flags.chown}`] : []),
    ...(flags.chmod ? [`--chmod=${flags.chmod}`] : []),
    // A password in a URL must not get into the image.
    ...sources.map(redactUrl),
    ...node.contents.map((file) => `<<${file.name}`),
    dest,
  ].join(' ')
}

function planSource(node: CopyNode, source: string, name: string, flags: CopyFlags, context: InstructionContext): Part {
  const git = parseGitUrl(source)
  if (git !== undefined) {
    if (node.kind === 'COPY') throw planErrors.remoteInCopy(['git ref'])
    const op = {
      ...copyOp(node, '/', flags, context, false),
      selection: { patterns: ['/'], parents: false, exclude: flags.exclude },
    }
    return { op, from: gitStep(node, git, name, flags.checksum, context) }
  }
  if (/^https?:\/\//.test(source)) {
    if (node.kind === 'COPY') throw planErrors.remoteInCopy(['URL'])
    const filename = urlFilename(source)
    const from: SourceStep = {
      kind: 'http',
      name,
      at: context.at,
      noCache: context.noCache,
      url: source,
      checksum: flags.checksum || context.options.pins?.http(source, context.at),
    }
    // The path is filled in when the download is there.
    return { op: writeOp(node, filename, { path: '' }, 0o600, flags, context), from }
  }
  const from = context.sources[0]
  // What belongs to whom, the source tells: in a directory of the caller's everything is root's, in an archive it is not.
  return {
    op: copyOp(node, sourcePath(source, flags.os, node.parents), flags, context, true),
    from: from === 'scratch' ? undefined : (from ?? context.context),
  }
}

function copyOp(
  node: CopyNode,
  source: string,
  flags: CopyFlags,
  { epoch }: InstructionContext,
  keepOwner: boolean,
): FileOp & { op: 'copy' } {
  return {
    op: 'copy',
    dest: flags.dest,
    selection: { patterns: [source], parents: node.parents, exclude: flags.exclude },
    chown: flags.chown ? parseOwner(flags.chown) : undefined,
    chmod: flags.chmod || undefined,
    keepOwner,
    link: node.link,
    unpack: (node.unpack ?? node.kind === 'ADD') ? 'auto' : 'never',
    mtime: epoch,
  }
}

function writeOp(
  node: CopyNode,
  name: string,
  content: { data: string } | { path: string },
  mode: number,
  flags: CopyFlags,
  { epoch }: InstructionContext,
): FileOp {
  return {
    op: 'write',
    dest: flags.dest,
    name,
    content,
    mode,
    chown: flags.chown ? parseOwner(flags.chown) : undefined,
    chmod: flags.chmod || undefined,
    link: node.link,
    unpack: node.unpack && 'path' in content ? 'auto' : 'never',
    mtime: epoch,
  }
}

function gitStep(node: CopyNode, git: GitUrl, name: string, checksum: string, context: InstructionContext): SourceStep {
  if (node.keepGitDir !== undefined && git.keepGitDir !== undefined && node.keepGitDir !== git.keepGitDir)
    throw planErrors.checksumUse(['inconsistent keep-git-dir configuration'])
  if (checksum && git.checksum && checksum !== git.checksum)
    throw planErrors.checksumUse([`checksum mismatch ${JSON.stringify(checksum)} != ${JSON.stringify(git.checksum)}`])
  const own = checksum || git.checksum
  return {
    kind: 'git',
    name,
    at: context.at,
    noCache: context.noCache,
    url: git.remote,
    ref: git.ref,
    subdir: git.subdir,
    keepGitDir: node.keepGitDir ?? git.keepGitDir ?? false,
    submodules: git.submodules ?? true,
    checksum: own,
    commit: own ? undefined : context.options.pins?.git(git.remote, git.ref, context.at),
  }
}

function checkChecksum(checksum: string, sources: readonly string[]): void {
  if (checksum === '') return
  const [source] = sources
  if (sources.length !== 1 || source === undefined)
    throw planErrors.checksumUse(["checksum can't be specified for multiple sources"])
  if (!/^https?:\/\//.test(source) && parseGitUrl(source) === undefined)
    throw planErrors.checksumUse(['checksum requires HTTP(S) or Git sources'])
}

/** The name a downloaded file gets inside a directory. */
function urlFilename(url: string): string {
  const base = URL.canParse(url) ? posix.basename(decodeURIComponent(new URL(url).pathname)) : ''
  return base === '' || base === '.' || base === '/' ? '__unnamed__' : base
}
