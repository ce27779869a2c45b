/**
 * A registry and a client of it, for tests of this package.
 */
import { RegistryClient, type RegistryClientOptions } from '../registry/client.ts'
import type { RegistryEvent } from '../transport/events.ts'
import { TestRegistry, type TestRegistryOptions } from './registry.ts'

/** Nothing of the machine the test runs on, no waits between tries, and all the time that a busy machine takes. */
export const plain: RegistryClientOptions = {
  env: {},
  certsDirs: [],
  registriesConf: [],
  retry: { baseMs: 1, capMs: 5 },
  timeouts: { idleMs: 300_000, connectMs: 300_000 },
}

/** Starts both; `events` are those of the client. */
export async function start(options: TestRegistryOptions = {}, client: RegistryClientOptions = {}) {
  const registry = await TestRegistry.start(options)
  const events: RegistryEvent[] = []
  const made = new RegistryClient({ ...plain, onEvent: (event) => events.push(event), ...client })
  return {
    registry,
    client: made,
    events,
    async [Symbol.asyncDispose]() {
      await made.close()
      await registry[Symbol.asyncDispose]()
    },
  }
}
