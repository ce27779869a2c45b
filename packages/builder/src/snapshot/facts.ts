/**
 * What is written of a committed snapshot: `layer.json` in its directory, which stands there before the directory gets its
 * name. One that cannot be read, or that a failure of the machine may have damaged, says nothing: its snapshot is not there.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { schema } from '@tsbuild/registry-client'

/** What layer.json says. */
export interface LayerFacts {
  /** Whether it was prepared on other layers. */
  readonly based: boolean
  /** Whether the attributes of the root directory are part of the change. */
  readonly rootChanged: boolean
  /** Boot in which it was committed. */
  readonly boot: string
}

/** Its name in a snapshot's directory. */
export const FACTS_FILE = 'layer.json'
/** An empty file beside it: everything of the snapshot is on disk. */
export const SYNCED_FILE = 'synced'
const FORMAT = 1

const factsSchema = schema.object<LayerFacts & { readonly format: number }>({
  format: schema.integer,
  based: schema.flag,
  rootChanged: schema.flag,
  boot: schema.text,
})

/** Names this run of the kernel. */
export function currentBoot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** Writes what is known of a snapshot. @param directory the snapshot's, or what is to become it */
export function writeFacts(directory: string, facts: LayerFacts): void {
  writeFileSync(join(directory, FACTS_FILE), JSON.stringify({ format: FORMAT, ...facts }))
}

/** undefined when the snapshot is not there or may be damaged. @param boot see {@link currentBoot} */
export function readFacts(directory: string, boot: string): LayerFacts | undefined {
  try {
    const facts = schema.parseDocument(readFileSync(join(directory, FACTS_FILE)), factsSchema)
    const complete = facts.boot === boot || existsSync(join(directory, SYNCED_FILE))
    return complete && facts.format === FORMAT ? facts : undefined
  } catch {
    return undefined
  }
}
