/** An agent over private keys in memory: lists them and signs with them. */
import { constants, sign } from 'node:crypto'
import type { Socket } from 'node:net'
import { AGENT, frame, readFrames, refusal, SshReader, sshNumber, sshString } from './frames.ts'
import type { AgentKey } from './keys.ts'

const RSA_SHA2_256 = 2
const RSA_SHA2_512 = 4

export class KeyAgent {
  readonly #keys: readonly AgentKey[]

  constructor(keys: readonly AgentKey[]) {
    this.#keys = keys
  }

  /** Serves one connection until it is closed. */
  serve(client: Socket): void {
    void this.#answerAll(client).catch(() => client.destroy())
  }

  async #answerAll(client: Socket): Promise<void> {
    for await (const request of readFrames(client)) {
      if (!client.write(this.#answer(request))) await new Promise((resolve) => client.once('drain', resolve))
    }
    client.end()
  }

  #answer(request: Buffer): Buffer {
    try {
      if (request[0] === AGENT.REQUEST_IDENTITIES) return this.#identities()
      if (request[0] === AGENT.SIGN_REQUEST) return this.#sign(new SshReader(request.subarray(1)))
    } catch {
      // A malformed request is refused like one that is not known.
    }
    return refusal(request)
  }

  #identities(): Buffer {
    const count = Buffer.alloc(4)
    count.writeUInt32BE(this.#keys.length)
    return frame(
      AGENT.IDENTITIES_ANSWER,
      count,
      ...this.#keys.flatMap((key) => [sshString(key.blob), sshString(key.comment)]),
    )
  }

  #sign(request: SshReader): Buffer {
    const blob = request.string()
    const data = request.string()
    const flags = request.uint32()
    const key = this.#keys.find((candidate) => blob.equals(candidate.blob))
    if (key === undefined) return frame(AGENT.FAILURE)
    const [algorithm, signature] = signWith(key, data, flags)
    return frame(AGENT.SIGN_RESPONSE, sshString(Buffer.concat([sshString(algorithm), sshString(signature)])))
  }
}

/** Algorithm name and signature blob as RFC 4253, RFC 5656, RFC 8332 and RFC 8709 have them. */
function signWith({ type, privateKey }: AgentKey, data: Buffer, flags: number): [string, Buffer] {
  if (type === 'ssh-ed25519') return [type, sign(null, data, privateKey)]
  if (type === 'ssh-rsa') {
    const [algorithm, hash] =
      flags & RSA_SHA2_512
        ? ['rsa-sha2-512', 'sha512']
        : flags & RSA_SHA2_256
          ? ['rsa-sha2-256', 'sha256']
          : ['ssh-rsa', 'sha1']
    return [algorithm!, sign(hash, data, { key: privateKey, padding: constants.RSA_PKCS1_PADDING })]
  }
  const hash = { nistp256: 'sha256', nistp384: 'sha384', nistp521: 'sha512' }[type.slice('ecdsa-sha2-'.length)]
  const raw = sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const half = raw.length / 2
  return [type, Buffer.concat([sshNumber(raw.subarray(0, half)), sshNumber(raw.subarray(half))])]
}
