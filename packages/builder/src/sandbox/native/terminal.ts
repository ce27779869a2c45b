/** Pseudo terminals: what a process sees as its terminal, and the end that its keyboard and screen are connected to. */
import fs from 'node:fs'
import type { TerminalSize } from '../executor.ts'
import { check, raw } from './libc.ts'

const TIOCSPTLCK = 0x40045431
const TIOCGPTN = 0x80045430
const TIOCSWINSZ = 0x5414

/** Opens a terminal: `[our end, the process's end]`. */
export function openTerminal(size: TerminalSize): [number, number] {
  const { O_RDWR, O_NOCTTY } = fs.constants
  const ours = fs.openSync('/dev/ptmx', O_RDWR | O_NOCTTY)
  try {
    const number = Buffer.alloc(64)
    check(raw.ioctl(ours, TIOCSPTLCK, number), 'ioctl TIOCSPTLCK')
    check(raw.ioctl(ours, TIOCGPTN, number), 'ioctl TIOCGPTN')
    setTerminalSize(ours, size)
    return [ours, fs.openSync(`/dev/pts/${number.readUInt32LE(0)}`, O_RDWR | O_NOCTTY)]
  } catch (error) {
    fs.closeSync(ours)
    throw error
  }
}

/** Tells the processes of a terminal its size. */
export function setTerminalSize(fd: number, { columns, rows }: TerminalSize): void {
  const size = Buffer.alloc(64)
  size.writeUInt16LE(Math.min(rows, 0xffff), 0)
  size.writeUInt16LE(Math.min(columns, 0xffff), 2)
  check(raw.ioctl(fd, TIOCSWINSZ, size), 'ioctl TIOCSWINSZ')
}
