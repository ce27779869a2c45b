/** What all end-to-end tests share: a registry on loopback that holds busybox, and a cache of compiled code. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { busyboxLayout, cacheDirectory } from './base-images.ts'
import { pushLayout } from './image-layout.ts'
import { startRegistry } from './registry.ts'
import { which } from './tools.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** `127.0.0.1:PORT` of the shared registry; empty where docker-registry or busybox is not installed. */
    readonly registry: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await mkdir(join(cacheDirectory(), 'compiled'), { recursive: true, mode: 0o700 })
  const resources = new AsyncDisposableStack()
  let host = ''
  if (which('docker-registry') && which('busybox')) {
    const registry = resources.use(await startRegistry())
    await pushLayout(await busyboxLayout(), registry.host, 'busybox')
    host = registry.host
  }
  project.provide('registry', host)
  return () => resources.disposeAsync()
}
