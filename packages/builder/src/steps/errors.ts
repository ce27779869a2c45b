/** Errors of handing out root filesystems. */
import { defineError } from '../errors.ts'

export const rootfsErrors = {
  twice: defineError({
    code: 'OUTPUT_OVERLAP',
    doc: 'Two platforms have a file of the same name, and `platform-split=false` puts them into one directory.',
    message: (path: string, one: string, other: string) =>
      `cannot overwrite ${path} from ${one} with ${other} when split option is disabled`,
    hint: 'leave platform-split away: each platform gets a directory of its own',
  }),
}
