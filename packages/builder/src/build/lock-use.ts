/** Has a build use the lock file beside its Dockerfile. */
import { basename } from 'node:path'
import { lockErrors, parseLock } from '../lockfile/index.ts'
import type { BuildOptions } from '../options.ts'
import { SourceFile } from '../source.ts'
import { LockedPins } from './pins.ts'
import type { Session } from './session.ts'

const MISSING_NAME = 'tsbuild.lock'

/** @throws BuildError LOCK_INVALID, LOCK_MISSING */
export async function useLock(session: Session, { lock, locked }: BuildOptions): Promise<void> {
  if (lock === false) {
    if (locked) throw lockErrors.lockMissing([MISSING_NAME])
    return
  }
  const { path, text } = await session.contexts.lockFile(lock)
  const name = path ?? MISSING_NAME
  if (text === undefined) {
    // One that was named has to be there.
    if (locked || lock !== undefined) throw lockErrors.lockMissing([name])
    return
  }
  session.usePins(
    new LockedPins({
      entries: parseLock(new SourceFile(basename(name), text)),
      path: basename(name),
      locked: locked ?? isCi(session.settings.env),
      onMissing: (source) =>
        session.warn({ rule: '', message: `${source} is not locked: ${basename(name)} has no entry for it` }),
    }),
  )
}

/** As services for continuous integration say of themselves. */
function isCi({ CI }: Readonly<Record<string, string | undefined>>): boolean {
  return CI !== undefined && !/^(?:|0|false|no|off)$/i.test(CI)
}
