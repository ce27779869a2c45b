/** The inputs of the action: each one, and what is made of it. */
import {
  type BuildRequest,
  draftBuild,
  type Environment,
  resolveBuild,
  suggest,
  UsageError,
} from '../../cli/src/embed.ts'
import { gitContext, withDefaultContext } from './git-context.ts'
import { parseList } from './list.ts'
import type { Runner } from './runner.ts'
import { readSecrets, tokenSecret } from './secrets.ts'

/** How an input is written: `list` also splits at commas, `lines` does not, `raw` is read as CSV later. */
type Kind = 'boolean' | 'text' | 'list' | 'lines' | 'raw'

/** Inputs that mean what a flag of the command means. */
export const FLAG_INPUTS: Readonly<Record<string, readonly [kind: Kind, flag: string]>> = {
  'add-hosts': ['list', 'add-host'],
  allow: ['list', 'allow'],
  annotations: ['lines', 'annotation'],
  attests: ['lines', 'attest'],
  'build-args': ['lines', 'build-arg'],
  'build-contexts': ['lines', 'build-context'],
  'cache-from': ['lines', 'cache-from'],
  'cache-to': ['lines', 'cache-to'],
  call: ['text', 'call'],
  'cgroup-parent': ['text', 'cgroup-parent'],
  file: ['text', 'file'],
  labels: ['lines', 'label'],
  load: ['boolean', 'load'],
  network: ['text', 'network'],
  'no-cache': ['boolean', 'no-cache'],
  'no-cache-filters': ['list', 'no-cache-filter'],
  outputs: ['raw', 'output'],
  platforms: ['list', 'platform'],
  provenance: ['text', 'provenance'],
  pull: ['boolean', 'pull'],
  push: ['boolean', 'push'],
  sbom: ['text', 'sbom'],
  'shm-size': ['text', 'shm-size'],
  ssh: ['list', 'ssh'],
  tags: ['list', 'tag'],
  target: ['text', 'target'],
  ulimit: ['lines', 'ulimit'],
}

/** Inputs with a meaning of their own. */
export const OWN_INPUTS = ['context', 'secrets', 'secret-envs', 'secret-files', 'github-token'] as const

/** Inputs of docker's actions that are about a daemon; there is none. */
const DAEMON_INPUTS = /^(builder|driver(-opts)?|buildx-.*|buildkitd?-.*|endpoint|append|use|install|keep-state)$/

export interface ActionRequest {
  readonly build: BuildRequest
  /** What the Dockerfile's name is counted from in annotations; undefined: it is not in the workspace. */
  readonly annotated: string | undefined
}

/** Reads all inputs. @throws UsageError */
export function readInputs(runner: Runner, cwd: string): ActionRequest {
  tellOfOthers(runner)
  const env: Environment = runner.env
  const repository = gitContext(env)
  const context = withDefaultContext(runner.input('context') || (repository?.url ?? '.'), repository)
  if (context === '-') throw new UsageError('the context cannot be -: an action has no stdin')
  const values: Record<string, boolean | string | readonly string[]> = {}
  for (const [name, [kind, flag]] of Object.entries(FLAG_INPUTS)) {
    if (runner.input(name) !== '') values[flag] = readInput(runner, name, kind)
  }
  const contexts = values['build-context'] as readonly string[] | undefined
  if (contexts) values['build-context'] = contexts.map((text) => withDefaultContext(text, repository))
  const given = readSecrets(runner, cwd)
  const build = resolveBuild(draftBuild(values, env), [context], { debug: env.RUNNER_DEBUG === '1' })
  if (build.stream === 'stdout')
    throw new UsageError('an output of an action cannot go to stdout', 'name a file: dest=FILE')
  const secrets = [...given, ...tokenSecret(runner, context, repository, given)]
  return {
    build: { ...build, options: { ...build.options, secrets, cwd } },
    annotated: dockerfilePlace(context, repository?.url, runner.input('file')),
  }
}

function readInput(runner: Runner, name: string, kind: Kind): boolean | string | readonly string[] {
  if (kind === 'boolean') return runner.booleanInput(name)
  if (kind === 'text') return runner.input(name)
  return parseList(name, runner.input(name), { commas: kind === 'list', raw: kind === 'raw' })
}

/** Nothing is accepted and dropped: what has no effect is said. */
function tellOfOthers(runner: Runner): void {
  const known = [...Object.keys(FLAG_INPUTS), ...OWN_INPUTS]
  for (const name of runner.givenInputs()) {
    if (known.includes(name)) continue
    if (DAEMON_INPUTS.test(name)) {
      runner.notice(`the input ${name} is not needed: tsbuild has no builder to choose or to set up`)
      continue
    }
    const close = suggest(name, known)
    runner.warning(`the input ${name} is not known${close ? `; did you mean ${close}?` : ''}`)
  }
}

/** Where the Dockerfile is in the workspace, as annotations name it. */
function dockerfilePlace(context: string, repository: string | undefined, file: string): string | undefined {
  if (repository !== undefined && context.startsWith(repository)) {
    // `#REF:SUBDIRECTORY` or, from {{defaultContext}}:SUBDIRECTORY, the same.
    const directory = context.slice(repository.length).replace(/^:/, '')
    return [directory, file || 'Dockerfile'].filter((part) => part !== '').join('/')
  }
  if (/^[a-z][a-z0-9+.-]*:\/\/|^git@|^github\.com\//i.test(context)) return undefined
  return file || `${context.replace(/\/+$/, '')}/Dockerfile`
}
