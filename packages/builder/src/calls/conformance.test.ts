import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hostPlatform } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { parseDockerfile } from '../instructions/parse.ts'
import { createLinter, lintStages } from '../lint/index.ts'
import { SourceFile } from '../source.ts'
import { resolveIn, testWorld } from '../stages/testing.ts'
import { parseIgnore } from '../util/ignore.ts'
import { checkExitCode } from './check.ts'
import { checkFile } from './check-file.ts'
import { outlineTarget } from './outline.ts'
import { listTargets } from './targets.ts'
import { checkWorld } from './testing.ts'

const root = join(import.meta.dirname, '../../../../../shared/conformance')
const here = existsSync(join(root, 'lib/cases.mjs'))

interface Case {
  readonly name: string
  readonly dir: string
  readonly dockerfile: string
  readonly flags: readonly string[]
  readonly call?: string
}

interface Library {
  loadCases(dir: string): Case[]
  callResult(stdout: string, substitute: (text: string) => string): unknown
  compareJSON(want: unknown, got: unknown): string[]
}

const library = here
  ? ({ ...(await import(join(root, 'lib/cases.mjs'))), ...(await import(join(root, 'lib/compare.mjs'))) } as Library)
  : undefined
const cases = library?.loadCases(join(root, 'cases')).filter((c) => c.call !== undefined) ?? []

/** The registry's name as a build would see it; no request is made, since images are given. */
const registry = 'registry.example:5000'

describe.skipIf(!here)('calls as in ../shared/conformance (needs that folder)', () => {
  it.each(cases)('$name', async (c) => {
    const { json, exitCode } = await run(c)
    const golden = JSON.parse(readFileSync(join(c.dir, 'golden.json'), 'utf8')) as { ok: boolean; call: unknown }
    const got = library!.callResult(JSON.stringify(json), (text) => text.replaceAll(registry, '@REGISTRY@'))
    expect(library!.compareJSON(golden.call, got)).toEqual([])
    expect(exitCode === 0).toBe(golden.ok)
  })
})

async function run(c: Case): Promise<{ json: unknown; exitCode: number }> {
  const source = new SourceFile('Dockerfile', dockerfileOf(c))
  const target = flagValues(c, '--target')[0]
  const platform = hostPlatform('x64')
  const ignore = fileOfContext(c, '.dockerignore')
  const world = testWorld({
    buildArgs: new Map(flagValues(c, '--build-arg').map((arg) => arg.split(/=(.*)/s, 2) as [string, string])),
    target,
    allStages: target === undefined && c.call === 'check',
    platform,
    buildPlatform: platform,
    ignored: async () => (ignore === undefined ? undefined : parseIgnore(ignore)),
  })
  if (c.call === 'check') {
    const { report } = await checkFile(source, checkWorld(world))
    return { json: report.json, exitCode: checkExitCode(report) }
  }
  const dockerfile = scanDockerfile(source)
  const parsed = parseDockerfile(dockerfile)
  if (c.call === 'targets') return { json: listTargets(parsed).json, exitCode: 0 }
  const stages = await resolveIn(world, parsed)
  const facts = await lintStages(stages, createLinter(dockerfile, world.buildArgs).linter, world.ignored)
  return { json: outlineTarget(stages, facts).json, exitCode: 0 }
}

function dockerfileOf(c: Case): string {
  const template = join(c.dir, 'Dockerfile.in')
  const text = existsSync(template) ? readFileSync(template, 'utf8') : fileOfContext(c, c.dockerfile)!
  return text.replaceAll('@REGISTRY@', registry)
}

function fileOfContext(c: Case, name: string): string | undefined {
  const archive = join(c.dir, 'context.tar')
  const entries = execFileSync('tar', ['-tf', archive], { encoding: 'utf8' }).split('\n')
  const entry = entries.find((other) => other.replace(/^\.\//, '') === name)
  return entry === undefined ? undefined : execFileSync('tar', ['-xOf', archive, entry], { encoding: 'utf8' })
}

function flagValues(c: Case, flag: string): string[] {
  return c.flags.flatMap((arg, i) =>
    arg === flag ? [c.flags[i + 1]!] : arg.startsWith(`${flag}=`) ? [arg.slice(flag.length + 1)] : [],
  )
}
