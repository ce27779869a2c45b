/** `--output-on-failure`: files of a root filesystem that a failed RUN left, such as reports of tests. */
import type { OutputSpec } from '../options.ts'
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

/** Every attribute that there is. */
export const FAILURE_ATTRIBUTES = ['dest', 'src', 'stage'] as const

/** Checks the attributes. @throws BuildError OUTPUT_INVALID */
export function prepareFailureOutput({ type, attrs: values }: OutputSpec): FailureOutput {
  if (type !== 'local' && type !== 'tar')
    throw exportErrors.outputInvalid([`output-on-failure has the types local and tar, not ${JSON.stringify(type)}`], {
      hint: 'write it as type=local,dest=DIR[,src=PATH][,stage=NAME]',
    })
  const attrs = new Attributes(type, FAILURE_ATTRIBUTES, new Map(Object.entries(values)))
  const dest = attrs.required('dest')
  const stage = attrs.text('stage')
  const source = attrs.text('src') ?? '/'
  return { type, dest, stage, source }
}
