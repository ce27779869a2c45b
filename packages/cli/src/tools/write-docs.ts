/** Writes docs/cli.md: `node packages/cli/src/tools/write-docs.ts`. */
import { writeFile } from 'node:fs/promises'
import { cliDocs } from './cli-docs.ts'

await writeFile(new URL('../../../../docs/cli.md', import.meta.url), await cliDocs())
