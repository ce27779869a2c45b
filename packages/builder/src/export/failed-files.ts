/** `--output-on-failure`: files of a root filesystem that a failed RUN left, such as reports of tests. */
import { createReadStream } from 'node:fs'
import type { OutputSpec } from '../options.ts'
import type { Store } from '../store/store.ts'
import { writeOutput } from './atomic.ts'
import { Attributes, exportErrors } from './attrs.ts'

/** What is to be saved of a failed RUN, and where. */
export interface FailureOutput {
  readonly type: 'local' | 'tar'
  readonly dest: string
  /** Only when the RUN is one of this stage. */
  readonly stage: string | undefined
  /** The directory that is saved. */
  readonly source: string
}

/** Checks the attributes. @throws BuildError OUTPUT_INVALID */
export function prepareFailureOutput({ type, attrs: values }: OutputSpec): FailureOutput {
  if (type !== 'local' && type !== 'tar')
    throw exportErrors.outputInvalid([`output-on-failure has the types local and tar, not ${JSON.stringify(type)}`], {
      hint: 'write it as type=local,dest=DIR[,src=PATH][,stage=NAME]',
    })
  const attrs = new Attributes(type, new Map(Object.entries(values)))
  const dest = attrs.required('dest')
  const stage = attrs.text('stage')
  const source = attrs.text('src') ?? '/'
  attrs.finish()
  return { type, dest, stage, source }
}

/** Writes the files; `write` puts them into a directory or tar file. */
export async function saveFailedFiles(
  { type, dest }: FailureOutput,
  write: (dest: string, format: 'directory' | 'tar') => Promise<void>,
  {
    store,
    stdout,
    signal,
  }: { readonly store: Store; readonly stdout: NodeJS.WritableStream | undefined; readonly signal: AbortSignal },
): Promise<void> {
  if (type === 'local') {
    await write(dest, 'directory')
    return
  }
  await using file = store.blobs.temporaryFile('export')
  await write(file.path, 'tar')
  await writeOutput(dest, createReadStream(file.path, { highWaterMark: 1 << 20 }), stdout, signal)
}
