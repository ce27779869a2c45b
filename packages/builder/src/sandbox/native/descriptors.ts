/** Pipes, socket pairs that carry descriptors, and memory files. All are close-on-exec. */
import fs from 'node:fs'
import { O_CLOEXEC } from './files.ts'
import { addressOf, check, raw } from './libc.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET = 5
const SOCK_CLOEXEC = O_CLOEXEC
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const MFD_CLOEXEC = 1
const MFD_ALLOW_SEALING = 2
const F_ADD_SEALS = 1033
/** Sealing, shrinking, growing and writing are over. */
const ALL_SEALS = 15
const CHUNK = 1024 * 1024

/** A pipe: `[read end, write end]`. */
export function pipe(): [number, number] {
  const fds = Buffer.alloc(64)
  check(raw.pipe2(fds, O_CLOEXEC), 'pipe2')
  return [fds.readInt32LE(0), fds.readInt32LE(4)]
}

/** Two connected sockets that keep the borders of messages. */
export function packetPair(): [number, number] {
  const fds = Buffer.alloc(64)
  check(raw.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 'socketpair')
  return [fds.readInt32LE(0), fds.readInt32LE(4)]
}

/** A file in memory with this content; never on disk. */
export function memoryFile(name: string, content: Uint8Array): number {
  const fd = check(raw.memfdCreate(name, MFD_CLOEXEC), 'memfd_create')
  for (let done = 0; done < content.length; ) done += fs.writeSync(fd, content, done)
  return fd
}

/** A memory file with what `source` holds, which nobody can change any more; it can be executed. */
export function sealedFile(name: string, source: number): number {
  const fd = check(raw.memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), 'memfd_create')
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (let at = 0, count = -1; count !== 0; at += count) {
    count = fs.readSync(source, buffer, 0, CHUNK, at)
    for (let done = 0; done < count; ) done += fs.writeSync(fd, buffer, done, count - done)
  }
  check(raw.fcntl(fd, F_ADD_SEALS, ALL_SEALS), 'fcntl F_ADD_SEALS')
  return fd
}

/** Reads a memory file that another process holds too: the shared file offset is left alone. */
export function readMemoryFile(fd: number): Buffer {
  const content = Buffer.alloc(fs.fstatSync(fd).size)
  for (let done = 0; done < content.length; ) {
    const count = fs.readSync(fd, content, done, content.length - done, done)
    if (count === 0) break
    done += count
  }
  return content
}

/** struct msghdr of 64-bit Linux; the buffers have to stay referenced while it is in use. */
function messageHeader(vector: Buffer, control: Buffer): Buffer {
  const header = Buffer.alloc(64)
  header.writeBigUInt64LE(addressOf(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(addressOf(control), 32)
  header.writeBigUInt64LE(BigInt(control.length), 40)
  return header
}

function ioVector(data: Buffer): Buffer {
  const vector = Buffer.alloc(64)
  vector.writeBigUInt64LE(addressOf(data), 0)
  vector.writeBigUInt64LE(BigInt(data.length), 8)
  return vector
}

const CONTROL_HEADER = 16

/** Sends one message with descriptors; the caller still owns its copies of them. */
export function sendPacket(socket: number, text: string, fds: readonly number[]): void {
  const data = Buffer.alloc(Math.max(1, Buffer.byteLength(text)))
  data.write(text)
  const vector = ioVector(data)
  const length = CONTROL_HEADER + fds.length * 4
  const control = Buffer.alloc((length + 7) & ~7)
  control.writeBigUInt64LE(BigInt(length), 0)
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  for (const [i, fd] of fds.entries()) control.writeInt32LE(fd, CONTROL_HEADER + i * 4)
  const header = messageHeader(vector, fds.length > 0 ? control : Buffer.alloc(0))
  check(raw.sendmsg(socket, header, MSG_NOSIGNAL), 'sendmsg')
  // Referenced to the end of the call, whatever the optimiser thinks of it.
  data.fill(0)
  vector.fill(0)
  control.fill(0)
}

/** Waits for one message; undefined when the other side is closed. The descriptors are the caller's to close. */
export function receivePacket(socket: number): { text: string; fds: number[] } | undefined {
  const data = Buffer.alloc(65536)
  const vector = ioVector(data)
  const control = Buffer.alloc(256)
  const header = messageHeader(vector, control)
  const count = check(raw.recvmsg(socket, header, MSG_CMSG_CLOEXEC), 'recvmsg')
  const fds: number[] = []
  const controlLength = Number(header.readBigUInt64LE(40))
  if (controlLength >= CONTROL_HEADER && control.readInt32LE(12) === SCM_RIGHTS) {
    const end = Number(control.readBigUInt64LE(0))
    for (let at = CONTROL_HEADER; at < end; at += 4) fds.push(control.readInt32LE(at))
  }
  vector.fill(0)
  return count === 0 ? undefined : { text: data.toString('utf8', 0, count), fds }
}
