/** Temporary files and directories of a store, which are removed when their process is gone. */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../util/has-code.ts'
import { beAlive, isAbandoned, type Life } from '../util/life.ts'
import { makeDirectorySync } from '../util/make-directory.ts'
import type { TemporaryPath } from './content-store.ts'

export interface Temporaries {
  /** A new private directory; removed when disposed. */
  directory(prefix: string): Promise<TemporaryPath>
  /** A path for one file, where nothing is yet; what is there when disposed is removed. */
  file(prefix: string): TemporaryPath
  /** Removes what processes left that are gone; what cannot be removed stays. */
  sweep(now: number): Promise<void>
}

/** @param directory is made when it is missing; @param lives where processes are known as alive */
export function openTemporaries(directory: string, lives: string): Temporaries {
  function name(life: Life, prefix: string): string {
    if (!existsSync(directory)) makeDirectorySync(directory, 0o700)
    return join(directory, `${life.owner}.${prefix}-`)
  }

  return {
    async directory(prefix) {
      const life = beAlive(lives)
      try {
        const path = await mkdtemp(name(life, prefix))
        return {
          path,
          async [Symbol.asyncDispose]() {
            await rm(path, { recursive: true, force: true })
            life[Symbol.dispose]()
          },
        }
      } catch (error) {
        life[Symbol.dispose]()
        throw error
      }
    },
    file(prefix) {
      const life = beAlive(lives)
      const path = name(life, prefix) + randomUUID()
      return {
        path,
        async [Symbol.asyncDispose]() {
          await unlink(path).catch((error: unknown) => {
            if (!hasCode(error, 'ENOENT')) throw error
          })
          life[Symbol.dispose]()
        },
      }
    },
    async sweep(now) {
      for (const entry of await readdir(directory).catch(() => [])) {
        const path = join(directory, entry)
        if (!isAbandoned(lives, path, entry, now)) continue
        await rm(path, { recursive: true, force: true }).catch(() => undefined)
      }
    },
  }
}
