/**
 * A TCP proxy that breaks connections, to put in front of any server.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What happens once, to the first connection that has carried so many bytes in a direction. */
export interface ConnectionFault {
  /** `up` to the server, `down` to the client. */
  readonly direction: 'up' | 'down'
  readonly afterBytes: number
  /** RST, FIN, silence, or one inverted byte. */
  readonly kind: 'reset' | 'close' | 'stall' | 'flip'
}

export interface FaultProxy extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string
  /** Breaks the next connection that gets that far. */
  inject(fault: ConnectionFault): void
  /** true when the last fault has shown. */
  readonly shown: boolean
}

/** Starts a proxy to a port of loopback. */
export async function startFaultProxy(port: number): Promise<FaultProxy> {
  let fault: ConnectionFault | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    const pass = (from: Socket, to: Socket, direction: 'up' | 'down') => {
      sockets.add(from)
      let carried = 0
      let silent = false
      from.on('data', (chunk) => {
        carried += chunk.length
        if (fault?.direction === direction && carried > fault.afterBytes) {
          const { kind } = fault
          fault = undefined
          if (kind === 'flip') chunk[chunk.length >> 1]! ^= 0xff
          if (kind === 'stall') silent = true
          if (kind === 'reset') client.resetAndDestroy()
          if (kind === 'close') client.end()
          if (kind === 'reset' || kind === 'close') upstream.destroy()
        }
        if (!silent && !to.destroyed && !to.write(chunk)) {
          from.pause()
          to.once('drain', () => from.resume())
        }
      })
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
    pass(client, upstream, 'up')
    pass(upstream, client, 'down')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    inject(next) {
      fault = next
    },
    get shown() {
      return fault === undefined
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
