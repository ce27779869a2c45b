/** Checks of one instruction with the variables of its stage; the order is the reference's. */
import type { RawInstruction } from '../dockerfile/ast.ts'
import { type ExpandOptions, type Expansion, expandWord, tryExpand } from '../dockerfile/expand.ts'
import { resolveMount } from '../instructions/mount.ts'
import type {
  ArgNode,
  CmdNode,
  CopyNode,
  EntrypointNode,
  EnvNode,
  ExposeNode,
  InstructionNode,
  LabelNode,
  RunNode,
} from '../instructions/nodes.ts'
import type { ResolvedStages } from '../stages/resolve.ts'
import { parseGitUrl } from '../util/git-url.ts'
import { parsePortSpec } from './ports.ts'
import type { Reporter } from './rule.ts'
import { checkIgnoredSource, type IgnoredFiles } from './rules/copy-ignored-file.ts'
import { checkPortFormat } from './rules/expose-invalid-format.ts'
import { checkProtocolCasing } from './rules/expose-proto-casing.ts'
import { checkJsonArgs } from './rules/json-args-recommended.ts'
import { checkKeyValue } from './rules/legacy-key-value-format.ts'
import { reportReplaced } from './rules/multiple-instructions-disallowed.ts'
import { checkSecretName } from './rules/secrets-used-in-arg-or-env.ts'
import { checkUndefinedVars } from './rules/undefined-var.ts'
import { checkWorkdir } from './rules/workdir-relative-path.ts'
import type { LintStage } from './stage.ts'
import type { Suggester } from './suggester.ts'

/** What the checks of an instruction share. */
export interface InstructionScope {
  readonly reporter: Reporter
  readonly stages: ResolvedStages
  readonly stage: LintStage
  readonly suggester: Suggester
  /** The context's ignore file. */
  readonly ignored: IgnoredFiles | undefined
}

/**
 * Checks an instruction and lets it act on the stage's variables.
 *
 * @returns false if the instruction is in error, which planning reports with its reason
 * @throws BuildError of the expansion, without a place
 */
export function checkInstruction(scope: InstructionScope, node: InstructionNode): boolean {
  const { reporter, stage } = scope
  switch (node.kind) {
    case 'ARG':
      checkArg(scope, node)
      return true
    case 'ENV':
      checkEnv(scope, node)
      return true
    case 'LABEL':
      checkLabel(scope, node)
      return true
    case 'COPY':
    case 'ADD':
      checkCopy(scope, node)
      return true
    case 'RUN':
      checkRun(scope, node)
      return true
    case 'EXPOSE':
      return checkExpose(scope, node)
    case 'WORKDIR': {
      const path = expand(scope, node.path, node.raw)
      if (!stage.workdirSet) checkWorkdir(reporter, node, path, stage.os)
      stage.workdirSet = true
      return true
    }
    case 'USER':
      expand(scope, node.user, node.raw)
      return true
    case 'STOPSIGNAL':
      expand(scope, node.signal, node.raw)
      return true
    case 'VOLUME':
      for (const path of node.paths) expand(scope, path, node.raw)
      return true
    case 'SHELL':
      stage.shell = node.shell
      return true
    case 'CMD':
    case 'ENTRYPOINT':
      checkCommand(scope, node)
      return true
    case 'HEALTHCHECK':
      checkReplaced(scope, node.kind, node.raw)
      return true
    default:
      return true
  }
}

function expand(scope: InstructionScope, text: string, raw: RawInstruction): string {
  return checked(scope, text, { escape: scope.stages.parsed.dockerfile.escape }, raw).value
}

/** What has no value is reported also when the rest cannot be read. */
function checked(scope: InstructionScope, text: string, options: ExpandOptions, raw: RawInstruction): Expansion {
  const expansion = tryExpand(text, scope.stage.env, options)
  const { stage, suggester } = scope
  checkUndefinedVars(scope.reporter, raw, expansion.unset, stage.declared, (name) => suggester.find(name, stage.env))
  if (expansion.error !== undefined) throw expansion.error
  return expansion
}

function checkArg(scope: InstructionScope, node: ArgNode): void {
  const { stage, reporter, stages } = scope
  for (const { key, value: fallback } of node.args) {
    checkSecretName(reporter, node.raw, 'ARG', key)
    const given = stages.options.buildArgs.get(key)
    const inherited = fallback === undefined && given === undefined ? stages.args.values.get(key) : undefined
    let value = given ?? inherited
    if (given === undefined && fallback !== undefined) value = expand(scope, fallback, node.raw)
    if (value !== undefined) stage.env.set(key, value)
    if (inherited === undefined)
      stage.ownArgs.set(key, { name: key, value: value ?? '', at: node.raw, uses: new Set() })
    stage.usedArgs.add(key)
    stage.declared.set(key, true)
  }
}

function checkEnv(scope: InstructionScope, node: EnvNode): void {
  const pairs = node.pairs.map(
    (pair) => [expand(scope, pair.key, node.raw), expand(scope, pair.value, node.raw)] as const,
  )
  for (const [i, [key, value]] of pairs.entries()) {
    checkKeyValue(scope.reporter, node, node.pairs[i]!)
    checkSecretName(scope.reporter, node.raw, 'ENV', key)
    scope.stage.setEnv(key, value)
  }
}

function checkLabel(scope: InstructionScope, node: LabelNode): void {
  for (const { key, value } of node.pairs) {
    expand(scope, key, node.raw)
    expand(scope, value, node.raw)
  }
  for (const pair of node.pairs) checkKeyValue(scope.reporter, node, pair)
}

function checkCopy(scope: InstructionScope, node: CopyNode): void {
  for (const text of [node.chown, node.chmod, node.checksum, ...node.exclude]) {
    if (text !== undefined) expand(scope, text, node.raw)
  }
  const sources = node.sources.map((source) => expand(scope, source, node.raw))
  expand(scope, node.dest, node.raw)
  for (const heredoc of node.contents) {
    if (heredoc.expand) checked(scope, heredoc.content, { escape: '\\', ignoreQuotes: true }, node.raw)
  }
  const { ignored } = scope
  if (ignored === undefined || node.from !== undefined) return
  for (const source of sources) if (!isRemote(source)) checkIgnoredSource(scope.reporter, node, source, ignored)
}

/** URLs and git references: not files of the context. */
function isRemote(source: string): boolean {
  return /^https?:\/\//.test(source) || parseGitUrl(source) !== undefined
}

/** Where relative targets count from does not matter here. */
const anywhere = { cwd: '/workdir' }

function checkRun(scope: InstructionScope, node: RunNode): void {
  const { secrets, ssh } = scope.stage
  for (const mount of node.mounts) {
    const resolved = resolveMount(mount, (text) => expand(scope, text, node.raw), anywhere)
    if (resolved.type !== 'secret' && resolved.type !== 'ssh') continue
    const { id, required } = resolved
    const list = resolved.type === 'secret' ? secrets : ssh
    if (!list.has(id)) list.set(id, { id, required, at: node.raw })
  }
}

function checkExpose(scope: InstructionScope, node: ExposeNode): boolean {
  const { stage, reporter } = scope
  const ports = node.ports.flatMap((port) => expandWord(port, stage.env, scope.stages.parsed.dockerfile.escape).words)
  for (const text of ports) {
    const port = parsePortSpec(text)
    if (port === undefined) return false
    checkProtocolCasing(reporter, node, port)
    checkPortFormat(reporter, node, port)
  }
  return true
}

function checkCommand(scope: InstructionScope, node: CmdNode | EntrypointNode): void {
  checkReplaced(scope, node.kind, node.raw)
  checkJsonArgs(scope.reporter, node, scope.stage.shell)
}

function checkReplaced(scope: InstructionScope, kind: 'CMD' | 'ENTRYPOINT' | 'HEALTHCHECK', raw: RawInstruction): void {
  const previous = scope.stage.replaces(kind, raw)
  if (previous) reportReplaced(scope.reporter, previous, raw)
}
