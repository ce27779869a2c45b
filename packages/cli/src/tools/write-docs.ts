/** Writes docs/cli.md and docs/migrate-kaniko.md: `node packages/cli/src/tools/write-docs.ts`. */
import { writeFile } from 'node:fs/promises'
import { cliDocs } from './cli-docs.ts'
import { kanikoDocs } from './kaniko-docs.ts'

const docs = new URL('../../../../docs/', import.meta.url)
await writeFile(new URL('cli.md', docs), await cliDocs())
await writeFile(new URL('migrate-kaniko.md', docs), kanikoDocs())
