/** Runs the suites of the folder beside the checkout, and knows which of their cases may fail. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from './base-images.ts'
import { type Finished, run } from './process.ts'
import { repository, shared, toolPath } from './tools.ts'

/** The command as those suites take it: words separated by blanks. */
export const command = `${process.execPath} ${join(repository, 'packages/cli/bin/tsbuild.js')}`

export function runSuite(script: string, args: readonly string[], env: Record<string, string>): Promise<Finished> {
  const path = { PATH: toolPath, NODE_COMPILE_CACHE: join(cacheDirectory(), 'compiled') }
  return run(process.execPath, [join(shared, script), ...args], {
    env: { ...process.env, ...path, ...env },
    timeout: 880_000,
  })
}

/** Names in backquotes at the beginning of table rows below a heading of docs/compat.md. */
export function knownFailures(heading: string): string[] {
  const path = join(repository, 'docs/compat.md')
  if (!existsSync(path)) return []
  const section =
    readFileSync(path, 'utf8')
      .split(/^## /m)
      .find((text) => text.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!)
}

/** What a run came to, compared with what is known. */
export interface Verdict {
  readonly passed: number
  /** Failed, and not known to. */
  readonly broken: string[]
  /** Known to fail, and passed: to be taken off the list. */
  readonly mended: string[]
}

export function judge(grades: ReadonlyMap<string, 'pass' | 'fail' | 'skip'>, known: readonly string[]): Verdict {
  const of = (grade: string): string[] => [...grades].filter(([, g]) => g === grade).map(([name]) => name)
  return {
    passed: of('pass').length,
    broken: of('fail').filter((name) => !known.includes(name)),
    mended: of('pass').filter((name) => known.includes(name)),
  }
}
