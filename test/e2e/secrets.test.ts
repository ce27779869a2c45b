import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, inject, it } from 'vitest'
import { busyboxLayout } from '../support/base-images.ts'
import { readFromTar, readLayout } from '../support/image-layout.ts'
import { gate, repository } from '../support/tools.ts'
import { openWorkspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const busybox = gate('busybox')

describe('secrets', () => {
  it.skipIf(busybox.skip)(`examples/secrets: the step sees the token, the image does not${busybox.note}`, async () => {
    await using place = await openWorkspace()
    const token = 'very-secret-value-7c1d'
    const { stderr, stdout } = await place.must(
      [
        ...['--progress=plain', '--secret', 'id=token,env=TOKEN'],
        ...['--build-context', `busybox=oci-layout://${await busyboxLayout()}`],
        ...['-o', `type=oci,tar=false,dest=${place.join('image')}`, `${repository}/examples/secrets`],
      ],
      { env: { TOKEN: token } },
    )
    const { images } = await readLayout(place.join('image'))
    const layer = images[0]!.layerPath(images[0]!.layers.length - 1)
    const sum = createHash('sha256').update(token).digest('hex')
    expect(await readFromTar(layer, 'token.sha256')).toContain(sum)
    expect(stderr + stdout).not.toContain(token)
    expect(filesWith(place.join('image'), token)).toEqual([])
    expect(filesWith(place.root, token)).toEqual([])
  })

  it.skipIf(needs.skip)(`from a file, as a variable, missing, and changed${needs.note}`, async () => {
    await using place = await openWorkspace()
    const context = await place.files({
      Dockerfile: `
        FROM ${inject('registry')}/busybox
        RUN --mount=type=secret,id=key,target=/key,mode=0440,uid=3 stat -c '%a %u' /key > /seen && cat /key | wc -c >> /seen
        RUN --mount=type=secret,id=key,env=KEY test "$KEY" = abc
        RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent`,
    })
    await place.files({ key: 'abc' }, 'keys')
    const args = ['--progress=plain', '--secret', `id=key,src=${place.join('keys/key')}`, context]
    await place.must(['-o', place.join('files'), ...args])
    expect(readFileSync(place.join('files/seen'), 'utf8').replace(/ +/g, ' ').trim()).toBe('440 3\n3')
    await place.files({ key: 'other' }, 'keys')
    expect((await place.must(args)).stderr, 'a secret is no part of the cache key').toContain('all cached')

    const required = await place.files(
      {
        Dockerfile: `FROM ${inject('registry')}/busybox\nRUN --mount=type=secret,id=key,required cat /run/secrets/key\n`,
      },
      'required',
    )
    const missing = await place.run([required])
    expect(missing.code).toBe(1)
    expect(missing.stderr).toMatch(/^ERROR: .*secret key/m)
  })
})

/** Files that hold a text, also when they are compressed. */
function filesWith(directory: string, text: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = `${directory}/${name}`
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false
    const bytes = readFileSync(path)
    const content = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes
    return content.includes(text)
  })
}
