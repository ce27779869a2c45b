/** Findings of a check as SARIF 2.1.0, for code scanning services. */
import type { BuildWarning, CheckResult, Location } from '@tsbuild/builder'
import { VERSION } from '../version.ts'

/** The document; positions count from 1, as SARIF wants them. */
export function sarif(result: CheckResult): object {
  const rules = new Map<string, BuildWarning>()
  for (const warning of result.warnings) if (!rules.has(warning.rule)) rules.set(warning.rule, warning)
  const findings = result.warnings.map((warning) => ({
    ruleId: warning.rule,
    level: result.failed ? 'error' : 'warning',
    message: { text: warning.message },
    ...locations(warning.at),
  }))
  const error = result.error && {
    ruleId: 'DockerfileError',
    level: 'error',
    message: { text: result.error.message },
    ...locations(result.error.at),
  }
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'tsbuild',
            version: VERSION,
            rules: [...rules.values()].map((warning) => ({
              id: warning.rule,
              ...(warning.description ? { shortDescription: { text: warning.description } } : {}),
              ...(warning.url ? { helpUri: warning.url } : {}),
            })),
          },
        },
        results: error ? [...findings, error] : findings,
      },
    ],
  }
}

function locations(at: Location | undefined): object {
  if (!at) return {}
  const { start, end } = at.range
  return {
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: encodeURI(at.file.name) },
          region: {
            startLine: start.line,
            startColumn: start.column + 1,
            endLine: end.line,
            endColumn: end.column + 1,
          },
        },
      },
    ],
  }
}
