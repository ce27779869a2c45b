/** Archives as the file engine reads them: one object per entry, its content as a stream. */

import type { ReadArchive } from '../context/archive.ts'
import { readArchive as readEntries } from '../layer/archive.ts'

export const readArchive: ReadArchive = async function* (input, signal) {
  for await (const { header, body } of readEntries(input, signal)) yield { ...header, content: body }
}
