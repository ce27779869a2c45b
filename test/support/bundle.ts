/** Runs images with the tools of others: umoci unpacks them, runc runs them. */
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Finished, must, run } from './process.ts'
import { which } from './tools.ts'

/** Unpacks an image of a layout into a bundle. @returns the bundle's root filesystem */
export async function unpackBundle(layout: string, tag: string, bundle: string): Promise<string> {
  await must(which('umoci')!, ['unpack', '--image', `${layout}:${tag}`, bundle])
  return join(bundle, 'rootfs')
}

/** Runs a bundle's process without a terminal. */
export async function runBundle(bundle: string, args?: readonly string[]): Promise<Finished> {
  const path = join(bundle, 'config.json')
  const config = JSON.parse(await readFile(path, 'utf8')) as { process: { terminal: boolean; args: readonly string[] } }
  config.process.terminal = false
  if (args) config.process.args = args
  await writeFile(path, JSON.stringify(config))
  const id = `tsbuild-test-${randomUUID()}`
  const state = join(bundle, 'runc')
  return await run(which('runc')!, ['--root', state, 'run', '--bundle', bundle, id], {
    env: { PATH: process.env.PATH },
  })
}
