/** `--add-host`. */
import { isIP } from 'node:net'
import { UsageError } from '../../usage-error.ts'

/** Checks one `HOST:IP` or `HOST=IP` (the address may stand in brackets) and returns it as `HOST:IP`. */
export function parseAddHost(text: string): string {
  const match = /^([^:=\s]+)[:=](.+)$/.exec(text)
  if (!match)
    throw new UsageError(`bad format for add-host: ${JSON.stringify(text)}`, 'write it as --add-host NAME:ADDRESS')
  if (match[2] === 'host-gateway')
    throw new UsageError(
      `host-gateway in add-host stands for the gateway of docker's bridge network, which does not exist here`,
      `RUN is in this machine's network: write --add-host ${match[1]}:127.0.0.1`,
    )
  const address = match[2]!.replace(/^\[(.*)\]$/, '$1')
  if (isIP(address) === 0) throw new UsageError(`invalid IP address in add-host: ${JSON.stringify(match[2])}`)
  return `${match[1]}:${address}`
}

/** Checks one `--dns` address. */
export function parseDns(text: string): string {
  if (isIP(text) === 0)
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for --dns: it must be an IP address`)
  return text
}
