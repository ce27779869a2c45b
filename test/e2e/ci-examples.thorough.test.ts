/** The files of examples/ci: each is read as its system reads it, and the very commands in it are run. */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { RegistryClient } from '@tsbuild/registry-client'
import { TestRegistry } from '@tsbuild/registry-client/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { type Finished, run } from '../support/process.ts'
import { repository, toolPath } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const EXAMPLES = join(repository, 'examples/ci')
const PASSWORD = 'pass word$'
const PATH = `${join(repository, 'node_modules/.bin')}:${toolPath}`

let registry: TestRegistry
let place: Workspace
let source: string

beforeAll(async () => {
  registry = await TestRegistry.start({ auth: { kind: 'basic', users: { ci: PASSWORD } } })
})
afterAll(() => registry[Symbol.asyncDispose]())
beforeEach(async () => {
  place = await openWorkspace()
  source = await place.files({ Dockerfile: 'FROM scratch\nARG WORD\nLABEL word=$WORD\nCOPY file /\n', file: 'x' })
})
afterEach(() => place[Symbol.asyncDispose]())

const text = (file: string) => readFile(join(EXAMPLES, file), 'utf8')
const yaml = async (file: string) => parse(await text(file)) as Record<string, never>

/** Deep in a document that was parsed. */
function at<T>(document: unknown, ...path: (string | number)[]): T {
  return path.reduce((value, key) => (value as Record<string, unknown>)[key], document) as T
}

function execute(command: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const base = { PATH, HOME: place.home, TMPDIR: place.tmp, TSBUILD_ROOT: place.root }
  return run(command[0]!, command.slice(1), { cwd: source, env: { ...base, ...env } })
}

const script = (lines: readonly string[], env: Record<string, string>) => execute(['sh', '-ec', lines.join('\n')], env)

async function login(): Promise<void> {
  const { code, stderr } = await run('tsbuild', ['login', '-u', 'ci', '--password-stdin', registry.host], {
    stdin: PASSWORD,
    env: { PATH, HOME: place.home },
  })
  expect(code, stderr).toBe(0)
}

async function digestOf(name: string): Promise<string> {
  const credentials = () => ({ username: 'ci', password: PASSWORD })
  await using client = new RegistryClient({ env: {}, credentials })
  const found = client.repository(`${registry.host}/${name}`)
  return (await found.resolve()).digest
}

/** What Kubernetes starts: arguments with the values of parameters; a list takes the place of an item. */
function substituted(words: readonly string[], values: Readonly<Record<string, string | readonly string[]>>): string[] {
  return words.flatMap((word) => {
    const whole = values[word]
    if (Array.isArray(whole)) return whole
    return Object.entries(values).reduce(
      (result, [name, value]) => (typeof value === 'string' ? result.replaceAll(name, value) : result),
      word,
    )
  })
}

/** Nothing that a system would have put in its place is left. */
function expectComplete(words: readonly string[]): void {
  expect(words.filter((word) => /\$\(|\$\[\[|\{\{/.test(word))).toEqual([])
}

describe('examples/ci', () => {
  it('has a row in its README for each file, and YAML that is YAML', async () => {
    const readme = await text('README.md')
    const entries = await readdir(EXAMPLES, { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(EXAMPLES, join(parentPath, name)))
    for (const file of files.filter((name) => name !== 'README.md')) {
      expect(readme).toContain(`(${file})`)
      if (!/ya?ml$/.test(file)) continue
      const documents = parseAllDocuments(await text(file), { strict: true, uniqueKeys: true })
      expect([...documents].flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([])
    }
    expect(files.length).toBe(10)
  })

  it('github: the inputs that the actions have', async () => {
    const { jobs } = await yaml('github/build.yml')
    for (const [job, action] of [
      ['build', 'action.yml'],
      ['merge', 'merge/action.yml'],
    ] as const) {
      const { inputs } = parse(await readFile(join(repository, action), 'utf8')) as { inputs: object }
      const steps = at<{ uses?: string; with?: object }[]>(jobs, job, 'steps')
      const used = steps.filter(({ uses = '' }) => uses.startsWith('OWNER/tsbuild'))
      expect(used).toHaveLength(1)
      expect(Object.keys(inputs)).toEqual(expect.arrayContaining(Object.keys(used[0]!.with!)))
    }
  })

  it('gitlab', async () => {
    const [header, content] = parseAllDocuments(await text('gitlab/templates/build.yml'))
    const inputs = at<Record<string, { default: string }>>(header!.toJS(), 'spec', 'inputs')
    // Inputs are put in before the file is read, as text.
    const given: Record<string, string> = { flags: '--build-arg WORD=gitlab' }
    const filled = String(content).replace(
      /\$\[\[ inputs\.([\w-]+) \]\]/g,
      (_, name: string) => given[name] ?? inputs[name]!.default,
    )
    const job = at<{ script: string[]; image: object; stage: string }>(parse(filled), 'build-image')
    expect(job).toMatchObject({ stage: 'build', image: { entrypoint: [''] } })
    expectComplete(job.script)
    const env = {
      CI_REGISTRY: registry.host,
      CI_REGISTRY_IMAGE: `${registry.host}/group/app`,
      CI_REGISTRY_USER: 'ci',
      CI_REGISTRY_PASSWORD: PASSWORD,
      CI_COMMIT_REF_SLUG: 'main',
    }
    const { code, stderr } = await script(job.script, env)
    expect(code, stderr).toBe(0)
    const metadata = JSON.parse(await readFile(join(source, 'build.json'), 'utf8')) as Record<string, string>
    expect(metadata['containerimage.digest']).toBe(await digestOf('group/app:main'))
    expect(await digestOf('group/app:buildcache')).toMatch(/^sha256:/)
  })

  it('tekton', async () => {
    const task = await yaml('tekton/task.yaml')
    expect(task).toMatchObject({ apiVersion: 'tekton.dev/v1', kind: 'Task' })
    await login()
    const result = place.join('digest')
    const values = {
      '$(params.image)': `${registry.host}/tekton:1`,
      '$(params.dockerfile)': at<string>(task, 'spec', 'params', 2, 'default'),
      '$(params.context)': at<string>(task, 'spec', 'params', 1, 'default'),
      '$(params.flags[*])': ['--build-arg', 'WORD=tekton'],
      '$(results.digest.path)': result,
      '/result/': `${place.path}/`,
    }
    for (const { command, args } of at<{ command: string[]; args: string[] }[]>(task, 'spec', 'steps')) {
      const words = substituted([...command, ...args], values)
      expectComplete(words)
      const { code, stderr } = await execute(words)
      expect(code, stderr).toBe(0)
    }
    expect(await readFile(result, 'utf8')).toBe(await digestOf('tekton:1'))
  })

  it('argo', async () => {
    const template = await yaml('argo/workflow-template.yaml')
    expect(template).toMatchObject({ apiVersion: 'argoproj.io/v1alpha1', kind: 'WorkflowTemplate' })
    await login()
    const { command, args } = at<{ command: string[]; args: string[] }>(template, 'spec', 'templates', 0, 'container')
    const metadata = at<string>(template, 'spec', 'templates', 0, 'outputs', 'parameters', 0, 'valueFrom', 'path')
    const words = substituted([...command, ...args], {
      '{{inputs.parameters.image}}': `${registry.host}/argo:1`,
      '{{inputs.parameters.context}}': source,
      [metadata]: place.join('build.json'),
    })
    expectComplete(words)
    const { code, stderr } = await execute(words)
    expect(code, stderr).toBe(0)
    expect(await readFile(place.join('build.json'), 'utf8')).toContain(await digestOf('argo:1'))
  })

  it('shipwright: leaves an OCI layout in the directory that it is told', async () => {
    const strategy = await yaml('shipwright/build-strategy.yaml')
    expect(strategy).toMatchObject({ apiVersion: 'shipwright.io/v1beta1', kind: 'ClusterBuildStrategy' })
    const { command, args } = at<{ command: string[]; args: string[] }>(strategy, 'spec', 'steps', 0)
    const output = place.join('output')
    const words = substituted([...command, ...args], {
      '$(params.shp-source-context)': source,
      '$(params.dockerfile)': at<string>(strategy, 'spec', 'parameters', 0, 'default'),
      '$(params.shp-output-directory)': output,
      '$(params.flags[*])': at<string[]>(strategy, 'spec', 'parameters', 1, 'defaults'),
    })
    expectComplete(words)
    const { code, stderr } = await execute(words)
    expect(code, stderr).toBe(0)
    expect(JSON.parse(await readFile(join(output, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' })
    const index = JSON.parse(await readFile(join(output, 'index.json'), 'utf8')) as { manifests: unknown[] }
    expect(index.manifests).toHaveLength(1)
  })

  const credentials = { REGISTRY_USER: 'ci', REGISTRY_PASSWORD: PASSWORD }
  it.each<[name: string, commands: () => Promise<string[]>, env: Record<string, string>]>([
    [
      'jenkins',
      async () => [/sh '''(.*?)'''/s.exec(await text('jenkins/Jenkinsfile'))![1]!],
      { REGISTRY_USR: 'ci', REGISTRY_PSW: PASSWORD, BUILD_NUMBER: '1' },
    ],
    [
      'buildkite',
      async () => [at<string>(await yaml('buildkite/pipeline.yml'), 'steps', 0, 'command').replaceAll('$$', '$')],
      { ...credentials, BUILDKITE_COMMIT: '1' },
    ],
    [
      'drone',
      async () =>
        at<string[]>(await yaml('drone/.drone.yml'), 'steps', 0, 'commands').map((line) => line.replaceAll('$$', '$')),
      { ...credentials, DRONE_COMMIT_SHA: '1' },
    ],
    [
      'woodpecker',
      async () =>
        at<string[]>(await yaml('woodpecker/.woodpecker.yaml'), 'steps', 0, 'commands').map((line) =>
          line.replaceAll('$$', '$'),
        ),
      { ...credentials, CI_COMMIT_SHA: '1' },
    ],
  ])('%s', async (name, commands, env) => {
    const { code, stderr } = await script(await commands(), { ...env, IMAGE: `${registry.host}/${name}` })
    expect(code, stderr).toBe(0)
    expect(await digestOf(`${name}:1`)).toMatch(/^sha256:/)
  })
})
