/** Signal names that STOPSIGNAL accepts: those of Linux, with or without SIG, and numbers. */
import { constants } from 'node:os'

const REALTIME = /^RTMIN(\+([1-9]|1[0-5]))?$|^RTMAX(-([1-9]|1[0-4]))?$/

/** Whether `text` names a signal: `SIGTERM`, `term`, `9`, `SIGRTMIN+3`. */
export function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) > 0
  const name = text.toUpperCase().replace(/^SIG/, '')
  return `SIG${name}` in constants.signals || name === 'CLD' || name === 'STKFLT' || REALTIME.test(name)
}
