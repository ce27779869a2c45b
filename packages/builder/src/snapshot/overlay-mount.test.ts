import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const isRoot = process.getuid?.() === 0

/** Kernels before 6.5 take the options of a mount as one page of text. */
it.skipIf(!isRoot)('mounts 400 layers through mount(2) (needs root)', () => {
  const base = mkdtempSync(join(tmpdir(), 'overlay-mount-'))
  try {
    const lowers = Array.from({ length: 400 }, (_, i) => join(base, `a-long-name-of-a-layer-${'x'.repeat(60)}-${i}`))
    for (const [i, path] of lowers.entries()) {
      mkdirSync(path)
      writeFileSync(join(path, `f${i}`), String(i))
    }
    for (const name of ['target', 'fs', 'work']) mkdirSync(join(base, name))
    const script = `
      import { mountWithOptions } from ${JSON.stringify(new URL('overlay-mount.ts', import.meta.url).pathname)}
      import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
      const at = (name) => ${JSON.stringify(base)} + '/' + name
      const before = process.cwd()
      mountWithOptions({
        target: at('target'), lowers: ${JSON.stringify(lowers)}, upper: { directory: at('fs'), work: at('work') },
        userXattr: false, scratch: at('short'),
      })
      writeFileSync(at('target/new'), '')
      console.log(readdirSync(at('target')).length, readFileSync(at('target/f399'), 'utf8'), readdirSync(at('fs')), process.cwd() === before)`
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-m', process.execPath, '--input-type=module-typescript', '-e', script],
      { encoding: 'utf8' },
    )
    expect(stderr + stdout).toBe("401 399 [ 'new' ] true\n")
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
})
