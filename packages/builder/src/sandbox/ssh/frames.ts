/** Frames of the SSH agent protocol (draft-ietf-sshm-ssh-agent): a length, a type, a body. Bounded in size. */
import type { Socket } from 'node:net'

/** As OpenSSH: larger messages are an attack or an error. */
const FRAME_LIMIT = 256 * 1024

export const AGENT = {
  FAILURE: 5,
  REQUEST_IDENTITIES: 11,
  IDENTITIES_ANSWER: 12,
  SIGN_REQUEST: 13,
  SIGN_RESPONSE: 14,
  EXTENSION: 27,
  EXTENSION_FAILURE: 28,
} as const

/** Yields the frames of a connection without their length; ends with it, throws on one that is too large. */
export async function* readFrames(socket: Socket): AsyncGenerator<Buffer> {
  let buffered = Buffer.alloc(0)
  for await (const chunk of socket) {
    buffered = Buffer.concat([buffered, chunk as Buffer])
    while (buffered.length >= 4) {
      const length = buffered.readUInt32BE(0)
      if (length === 0 || length > FRAME_LIMIT) throw new Error(`invalid length of an agent message: ${length}`)
      if (buffered.length < 4 + length) break
      yield buffered.subarray(4, 4 + length)
      buffered = buffered.subarray(4 + length)
    }
  }
}

/** A frame with its length. */
export function frame(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat([Buffer.of(type), ...parts])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** A string of the SSH wire format. */
export function sshString(data: Uint8Array | string): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A positive number of the SSH wire format. */
export function sshNumber(data: Uint8Array): Buffer {
  let start = 0
  while (start < data.length - 1 && data[start] === 0) start++
  const digits = data.subarray(start)
  return sshString((digits[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits)
}

/** Reads the SSH wire format; throws at the end of the data. */
export class SshReader {
  readonly #data: Buffer
  #at = 0

  constructor(data: Uint8Array) {
    this.#data = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  }

  get done(): boolean {
    return this.#at >= this.#data.length
  }

  uint32(): number {
    const value = this.#data.readUInt32BE(this.#at)
    this.#at += 4
    return value
  }

  string(): Buffer {
    const length = this.uint32()
    if (this.#at + length > this.#data.length) throw new RangeError('a string goes beyond the end of the data')
    const value = this.#data.subarray(this.#at, this.#at + length)
    this.#at += length
    return value
  }

  text(): string {
    return this.string().toString('utf8')
  }

  /** What is left. */
  rest(): Buffer {
    return this.#data.subarray(this.#at)
  }
}

/** The answer to a request that a step may not make: whatever changes the agent, and extensions, as in the reference. */
export function refusal(request: Buffer): Buffer {
  return frame(request[0] === AGENT.EXTENSION ? AGENT.EXTENSION_FAILURE : AGENT.FAILURE)
}
