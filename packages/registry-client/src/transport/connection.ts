/**
 * One raw connection that reads into one big reused buffer: half the CPU of a stream of small buffers on big blobs.
 *
 * Reading is pull-driven: the socket is paused after every read, so that the kernel collects data while the caller
 * works, and the next read is a big one.
 */
import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { IdleTimeoutError, ProtocolError } from './http.ts'

/** Bytes of the receive buffer of each connection. */
const bufferSize = 1 << 20
/** Room for the records that TLS decrypts at a time. */
const tlsBufferSize = 64 << 10

/** Parts that a time of silence is waited for in. */
const silenceParts = 8

/**
 * Calls back after `ms`, unless disposed before, in parts of which each counts once, however late it comes: while this
 * process is not run, or too busy to read what has arrived, the server is not to blame.
 */
function afterSilence(ms: number, act: () => void): Disposable {
  let left = silenceParts
  const timer = setTimeout(() => (--left > 0 ? timer.refresh() : act()), ms / silenceParts)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

export interface ConnectOptions {
  readonly origin: URL
  readonly connectMs: number
  readonly tls?: ConnectionOptions | undefined
  /** Finds addresses; default: the system does. */
  readonly lookup?: LookupFunction | undefined
  /** Receives TLS sessions to resume later. */
  readonly onSession?: ((session: Buffer) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** A connected socket. Not safe for concurrent calls: one reader, one writer. */
export class Connection {
  readonly #socket: Socket
  #buffer: Buffer
  #start = 0
  #end = 0
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined
  /** Set by the owner when no further request may be sent on it. */
  broken = false

  private constructor(open: (connection: Connection) => Socket) {
    this.#buffer = Buffer.allocUnsafeSlow(bufferSize)
    this.#socket = open(this)
    this.#socket.on('end', () => this.#settle(() => (this.#ended = true)))
    this.#socket.on('close', () => this.#settle(() => (this.#ended = true)))
    this.#socket.on('error', (error) => this.#settle(() => (this.#error = error)))
  }

  /** Connects; rejects with the network's error, {@link IdleTimeoutError} or the signal's reason. */
  static async open(options: ConnectOptions): Promise<Connection> {
    options.signal?.throwIfAborted()
    const { origin, tls } = options
    const lookup = options.lookup && { lookup: options.lookup }
    const host = origin.hostname.replace(/^\[|\]$/g, '')
    const secure = origin.protocol === 'https:'
    const port = Number(origin.port || (secure ? 443 : 80))
    const connection = new Connection((self) => {
      if (!secure) {
        const callback = (bytes: number) => self.#filled(bytes)
        return connectTcp({ host, port, ...lookup, noDelay: true, onread: { buffer: self.#buffer, callback } })
      }
      const onread = {
        buffer: Buffer.allocUnsafeSlow(tlsBufferSize),
        callback: (bytes: number, buffer: Uint8Array) => self.#append(buffer.subarray(0, bytes)),
      }
      const servername = /^[0-9.]+$|:/.test(host) ? '' : host
      // `onread` is documented for tls.connect but missing from its types.
      const socket = connectTls({
        host,
        port,
        servername,
        ...lookup,
        ALPNProtocols: ['http/1.1'],
        ...tls,
        onread,
      } as ConnectionOptions)
      return options.onSession === undefined ? socket : socket.on('session', options.onSession)
    })
    await connection.#connected(secure ? 'secureConnect' : 'connect', options)
    return connection
  }

  #connected(event: string, { connectMs, signal }: ConnectOptions): Promise<void> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      const timer = afterSilence(connectMs, () =>
        done(Object.assign(new Error(`connect timeout after ${connectMs} ms`), { code: 'UND_ERR_CONNECT_TIMEOUT' })),
      )
      const abort = () => done(signal?.reason)
      const done = (error?: unknown) => {
        timer[Symbol.dispose]()
        signal?.removeEventListener('abort', abort)
        socket.off(event, done).off('error', done).off('close', closed)
        if (error === undefined) return resolve()
        socket.destroy()
        reject(error)
      }
      const closed = () => done(new ProtocolError('connection closed before it was established', 'ECONNRESET'))
      socket
        .once(event, () => done())
        .once('error', done)
        .once('close', closed)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** true when bytes or the end have arrived that nobody asked for: the connection is of no more use. */
  get stale(): boolean {
    return this.broken || this.#ended || this.#error !== undefined || this.#end > this.#start || this.#socket.destroyed
  }

  /** true when an answer has begun to arrive. */
  get hasData(): boolean {
    return this.#end > this.#start
  }

  /**
   * The bytes that have arrived, waiting for some if there are none; undefined at the end. They belong to the
   * connection: valid until the next call of `read`.
   */
  async read(idleMs: number): Promise<Buffer | undefined> {
    if (this.#end === this.#start) {
      this.#start = this.#end = 0
      if (!this.#ended && this.#error === undefined) {
        this.#socket.resume()
        await this.#arrival(idleMs)
      }
    }
    if (this.#end > this.#start) {
      const chunk = this.#buffer.subarray(this.#start, this.#end)
      this.#start = this.#end
      return chunk
    }
    if (this.#error !== undefined) throw this.#error
    return undefined
  }

  /** Gives back the tail of what the last `read` returned, to be returned by the next one. */
  unread(bytes: number): void {
    this.#start -= bytes
  }

  /** Writes and waits until the kernel has taken everything, so that the chunk may be reused. */
  write(chunk: Uint8Array | string, idleMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = afterSilence(idleMs, () => this.#socket.destroy(new IdleTimeoutError(idleMs)))
      this.#socket.write(chunk, (error) => {
        timer[Symbol.dispose]()
        if (error) reject(this.#error ?? error)
        else resolve()
      })
    })
  }

  /** Keeps the process from waiting for an idle connection, or makes it wait again. */
  setIdle(idle: boolean): void {
    if (idle) {
      this.#socket.unref()
      this.#socket.resume()
    } else {
      this.#socket.ref()
    }
  }

  destroy(error?: Error): void {
    this.broken = true
    this.#socket.destroy(error)
  }

  /** Plain TCP has read into our buffer, which is empty then: nothing is read before the last bytes are taken. */
  #filled(bytes: number): boolean {
    this.#settle(() => {
      this.#start = 0
      this.#end = bytes
    })
    return false
  }

  /** TLS delivers all records of one read, also after it was paused, so they have to be collected. */
  #append(bytes: Uint8Array): boolean {
    if (this.#end + bytes.length > this.#buffer.length) {
      const bigger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#end + bytes.length))
      this.#buffer.copy(bigger, 0, 0, this.#end)
      this.#buffer = bigger
    }
    this.#buffer.set(bytes, this.#end)
    this.#settle(() => (this.#end += bytes.length))
    return false
  }

  #settle(change: () => unknown): void {
    change()
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #arrival(idleMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = afterSilence(idleMs, () => this.#settle(() => (this.#error = new IdleTimeoutError(idleMs))))
      this.#wake = () => {
        timer[Symbol.dispose]()
        resolve()
      }
    })
  }
}
