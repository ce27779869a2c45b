/** Times in a new layer, settled before it is committed: who finds it later finds it whole, and nothing is built on other times. */
import { type BigIntStats, lstatSync } from 'node:fs'
import { setTimes } from '../util/syscalls.ts'
import type { Change, Made } from './snapshotter.ts'

/** The clock of file systems lags behind that of programs by a tick of the kernel (ms). */
const TICK = 20

/** The time that an entry gets, nanoseconds: another one only where its own is that of the step's doing. */
function settled({ mtimeNs }: BigIntStats, { from, time }: Made, to: number): bigint {
  if (time === undefined) return mtimeNs
  const ms = Number(mtimeNs / 1_000_000n)
  return ms >= from - TICK && ms <= to + TICK ? BigInt(time) * 1_000_000_000n : mtimeNs
}

/** SOURCE_DATE_EPOCH: what has the time of its making gets the given one, so that every run gives the same. */
export async function settleTimes(changes: AsyncIterable<Change>, made: Made): Promise<void> {
  if (made.time === undefined) return
  const to = Date.now()
  for await (const change of changes) {
    if (change.kind !== 'upsert') continue
    const { mtimeNs } = change.stat
    const time = settled(change.stat, made, to)
    if (time !== mtimeNs) setTimes(change.fsPath, time)
  }
}

/**
 * The time of a root directory when its layer is committed. A layer holds it only together with other attributes of the
 * root; otherwise it stays what it was, so that a layer unpacked from its blob gives the same tree.
 */
export function settleRoot(root: string, inherited: bigint, rootChanged: boolean, made: Made): void {
  const stat = lstatSync(root, { bigint: true })
  const time = rootChanged ? settled(stat, made, Date.now()) : inherited
  if (time !== stat.mtimeNs) setTimes(root, time)
}
