/** A build script that calls the library: builds an image, tells how it goes, and writes it as an OCI archive. */
import { join, resolve } from 'node:path'
import { BuildError, build } from '@tsbuild/builder'

const archive = resolve(process.argv[2] ?? 'hello.tar')
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

const names = new Map<string, string>()
try {
  const result = await build({
    context: join(import.meta.dirname, 'app'),
    tags: ['hello-library:1.0'],
    labels: { 'org.opencontainers.image.title': 'hello' },
    buildArgs: { GREETING: 'Hello from a build script' },
    outputs: [
      { type: 'oci', attrs: { dest: archive } },
      { type: 'image', attrs: {} },
    ],
    signal: stop.signal,
    onProgress(event) {
      if (event.type === 'started') names.set(event.vertex.id, event.vertex.name)
      if (event.type === 'done' || event.type === 'cached') console.log(`${event.type.padEnd(7)}${names.get(event.id)}`)
    },
  })
  console.log(`${result.digest} in ${archive}`)
  console.log(`${result.steps.cached} of ${result.steps.total} steps were cached`)
} catch (error) {
  if (!(error instanceof BuildError)) throw error
  console.error(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
