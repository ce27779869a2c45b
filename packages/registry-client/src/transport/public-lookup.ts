/** Resolves names to public addresses only, so that a name cannot be pointed inside between check and use. */
import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { isPrivateAddress } from './loopback.ts'

export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0)
    const publicOnes = addresses.filter(({ address }) => !isPrivateAddress(address))
    const [first] = publicOnes
    if (first === undefined)
      return callback(Object.assign(new Error(`${hostname} has no public address`), { code: 'EACCES' }), '', 0)
    if (options.all === true) callback(null, publicOnes)
    else callback(null, first.address, first.family)
  })
}
