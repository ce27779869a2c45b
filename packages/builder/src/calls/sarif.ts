/** `--call=check,format=sarif`: findings for code scanning services (SARIF 2.1.0). */
import { rules } from '../lint/index.ts'
import type { CheckResult } from '../results.ts'
import type { Range } from '../source.ts'
import { lineSpan } from '../source.ts'
import type { CheckReport } from './check.ts'

/** Rule id of an error that would fail the build. */
const errorRule = 'build-error'

/**
 * The log as a plain object.
 *
 * @param version of tsbuild
 * @param uri where the Dockerfile is, relative to the root of the repository
 */
export function checkSarif(result: CheckReport, version: string, uri = uriOf(result.source.name)): object {
  const used = new Set(result.warnings.map((warning) => warning.rule))
  const shown = rules.filter((rule) => used.has(rule.name))
  const descriptors = shown.map(({ name, description, url, doc }) => ({
    id: name,
    name,
    shortDescription: { text: description },
    fullDescription: { text: doc.why },
    ...(url !== undefined && { helpUri: url }),
    defaultConfiguration: { level: 'warning' },
  }))
  const results = result.warnings.map(({ rule, message, at }) => ({
    ruleId: rule,
    ruleIndex: shown.findIndex((other) => other.name === rule),
    level: 'warning',
    message: { text: message },
    locations: at ? [location(uri, at.range)] : [],
  }))
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: { name: 'tsbuild', version, rules: result.error ? [...descriptors, errorDescriptor] : descriptors },
        },
        columnKind: 'utf16CodeUnits',
        results: [...results, ...errorResults(result, uri, shown.length)],
      },
    ],
  }
}

/** A path as a relative reference, which SARIF takes for places in the repository. */
function uriOf(path: string): string {
  return encodeURI(path.replaceAll('\\', '/').replace(/^\.\//, ''))
}

const errorDescriptor = {
  id: errorRule,
  name: 'BuildError',
  shortDescription: { text: 'The Dockerfile cannot be built' },
  defaultConfiguration: { level: 'error' },
}

function errorResults(result: CheckResult, uri: string, ruleIndex: number): object[] {
  const { error } = result
  if (error === undefined) return []
  const locations = [error.at ?? [], error.also ?? []].flat().map(({ range }) => location(uri, range))
  return [{ ruleId: errorRule, ruleIndex, level: 'error', message: { text: error.message }, locations }]
}

/** SARIF counts columns from 1 and lets the end column point behind the last character. */
function location(uri: string, range: Range): object {
  const { last } = lineSpan(range)
  const region = {
    startLine: range.start.line,
    startColumn: range.start.column + 1,
    endLine: last,
    ...(last === range.end.line && { endColumn: range.end.column + 1 }),
  }
  return { physicalLocation: { artifactLocation: { uri }, region } }
}
