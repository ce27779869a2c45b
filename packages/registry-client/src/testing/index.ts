/// <reference types="node" preserve="true" />
/**
 * An in-memory registry with fault injection, for tests of this package and of others.
 */
export type { Features } from './exchange.ts'
export type { Fault, FaultRule } from './faults.ts'
export { type RecordedRequest, TestRegistry, type TestRegistryOptions } from './registry.ts'
export { RegistryStore, type StoredRepository } from './store.ts'
export type { TestAuth, TestUsers } from './test-auth.ts'
