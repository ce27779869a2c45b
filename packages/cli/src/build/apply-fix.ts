/** `--check --fix`: writes the fixed Dockerfile in place of the old one and shows the difference. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BuildOptions, CheckOutcome } from '@tsbuild/builder'
import type { CommandContext } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { write } from '../io.ts'
import { escapeText } from '../progress/escape.ts'
import { UsageError } from '../usage-error.ts'
import { replaceFile } from './result-files.ts'

const BYTE_ORDER_MARK = '\ufeff'

/**
 * @returns whether the file was changed
 * @throws UsageError when the Dockerfile is no file on this machine
 */
export async function applyFix(found: CheckOutcome, options: BuildOptions, { io }: CommandContext): Promise<boolean> {
  const path = dockerfilePath(options)
  const fixed = found.fix?.()
  if (!fixed || fixed.diff === '') {
    await write(io.stderr, 'nothing that could be fixed safely\n')
    return false
  }
  const present = await readFile(path, 'utf8')
  const mark = present.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : ''
  if (present.slice(mark.length) !== found.source.text.replace(BYTE_ORDER_MARK, '')) {
    throw new CommandError(`${path} changed while it was checked`, 'run the command again')
  }
  await replaceFile(path, mark + fixed.text.replace(BYTE_ORDER_MARK, ''))
  await write(io.stdout, escapeText(fixed.diff))
  await write(io.stderr, `${path}: fixed ${fixed.fixes.length} ${fixed.fixes.length === 1 ? 'finding' : 'findings'}\n`)
  return true
}

function dockerfilePath(options: BuildOptions): string {
  // Those of a command line are texts.
  const { dockerfile, context = '.' } = options as { readonly dockerfile?: string; readonly context?: string }
  const remote = context === '-' || context.includes('://') || context.startsWith('git@')
  if (dockerfile === '-' || (remote && dockerfile === undefined)) {
    throw new UsageError('--fix needs a Dockerfile that is a file on this machine', 'name it with -f FILE')
  }
  return dockerfile ?? join(context, 'Dockerfile')
}
