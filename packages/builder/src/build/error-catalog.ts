/** Every error code of the library, from the tables that define them: the source of docs/errors.md. */

import { cacheErrors } from '../cache/errors.ts'
import { contextErrors } from '../context/errors.ts'
import { dockerfileErrors } from '../dockerfile/errors.ts'
import { cancelled, type ErrorDefinition, systemFailed } from '../errors.ts'
import { exportErrors } from '../export/attrs.ts'
import { imageErrors } from '../image/resolve.ts'
import { instructionErrors } from '../instructions/errors.ts'
import { layerErrors } from '../layer/errors.ts'
import { lintErrors } from '../lint/errors.ts'
import { lockErrors } from '../lockfile/index.ts'
import { planErrors } from '../plan/errors.ts'
import { sandboxErrors } from '../sandbox/errors.ts'
import { snapshotErrors } from '../snapshot/errors.ts'
import { stageErrors } from '../stages/errors.ts'
import { rootfsErrors } from '../steps/errors.ts'
import { fileErrors } from '../steps/file/errors.ts'
import { layerErrors as storedLayerErrors } from '../steps/layers.ts'
import { runErrors } from '../steps/run-step.ts'
import { storeErrors } from '../store/errors.ts'
import { modeErrors } from '../util/chmod.ts'
import { gitUrlErrors } from '../util/git-url.ts'
import { callbackErrors } from './callback.ts'
import { keptErrors } from './kept.ts'
import { runImageErrors } from './run-image.ts'
import { secretErrors } from './secrets.ts'
import { optionErrors } from './settings.ts'

type Definition = ErrorDefinition<readonly never[]>
type Table = Readonly<Record<string, { readonly definition: unknown }>>

const chapters: readonly (readonly [title: string, ...tables: readonly Table[]])[] = [
  ['Dockerfile', dockerfileErrors, instructionErrors, stageErrors, planErrors, modeErrors, lintErrors],
  ['Contexts and files', contextErrors, gitUrlErrors, fileErrors, lockErrors],
  ['Images and layers', imageErrors, layerErrors, storedLayerErrors],
  ['RUN', runErrors, secretErrors, sandboxErrors, keptErrors, runImageErrors],
  ['Store and snapshots', storeErrors, snapshotErrors],
  ['Shared caches', cacheErrors],
  ['Options and outputs', optionErrors, callbackErrors, exportErrors, rootfsErrors, { cancelled, systemFailed }],
]

/** All definitions by chapter, sorted by code. */
export function errorCatalog(): readonly { readonly title: string; readonly errors: readonly Definition[] }[] {
  return chapters.map(([title, ...tables]) => ({
    title,
    errors: tables
      .flatMap((table) => Object.values(table).map((factory) => factory.definition as Definition))
      .sort((a, b) => (a.code < b.code ? -1 : 1)),
  }))
}

/** The text of docs/errors.md. */
export function errorsDocument(): string {
  const lines = [
    '# Errors',
    '',
    '<!-- Generated from the error tables of packages/builder; run `UPDATE_DOCS=1 npx -y pnpm@12 test error-catalog` to renew it. -->',
    '',
    'Every failure of the library is a `BuildError` with a stable `code`, the place in the Dockerfile where there is one,',
    'and a hint where something helps. Errors of registries are described in the README of `@tsbuild/registry-client`;',
    'their codes pass through as they are.',
  ]
  for (const { title, errors } of errorCatalog()) {
    lines.push('', `## ${title}`, '', '| code | meaning |', '|---|---|')
    for (const { code, doc } of errors) lines.push(`| \`${code}\` | ${doc.replaceAll('|', '\\|')} |`)
  }
  return `${lines.join('\n')}\n`
}
