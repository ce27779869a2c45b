/** What others change while a process is set up: a place that is shared with them can be mounted before its set-up ends. */
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ProcessSpec, SandboxMount } from '../executor.ts'
import { startSwapper } from '../testing/swapper.ts'
import type { Contract } from './contract.ts'

/** Processes that meet the attacker in each test. */
const ROUNDS = 12

export function describeRaces(c: Contract): void {
  const { sh, traits } = c

  /** A shared place with a directory `good` and a link `evil`, which are exchanged until it is disposed. */
  async function attacked(
    link: string,
  ): Promise<AsyncDisposable & { readonly shared: string; readonly mount: SandboxMount }> {
    const shared = join(c.directory, `attacked-${c.unique()}`)
    for (const path of [shared, join(shared, 'good')]) {
      fs.mkdirSync(path)
      fs.chownSync(path, traits.uid, traits.uid)
    }
    fs.symlinkSync(link, join(shared, 'evil'))
    const swapper = await startSwapper(join(shared, 'good'), join(shared, 'evil'))
    const mount = { type: 'bind', source: shared, target: '/c', readonly: false } as const
    return { shared, mount, [Symbol.asyncDispose]: () => swapper[Symbol.asyncDispose]() }
  }

  describe.skipIf(!traits.isolated)('a place that others change meanwhile', () => {
    it('holds mounts of this process only, and none outside', async () => {
      c.useNewRootfs()
      const outside = join(c.directory, `outside-${c.unique()}`)
      fs.mkdirSync(outside)
      await using place = await attacked(outside)
      const inner = join(c.directory, `inner-${c.unique()}`)
      fs.mkdirSync(inner)
      const spec: Partial<ProcessSpec> = {
        mounts: [
          place.mount,
          { type: 'bind', source: inner, target: '/c/good/bound', readonly: true },
          { type: 'tmpfs', target: '/c/good/tmp' },
          { type: 'file', target: '/c/good/secret', content: Buffer.from('secret'), mode: 0o400, uid: 0, gid: 0 },
        ],
      }
      for (let round = 0; round < ROUNDS; round++) {
        const ran = await sh('grep -vcE "^([^ ]+ ){4}/(proc|sys|dev)" /proc/self/mountinfo', spec)
        expect(ran).toMatchObject({ exitCode: 0, out: '5\n' })
      }
      await place[Symbol.asyncDispose]()
      expect(fs.readdirSync(outside)).toEqual([])
      expect(everyFile(place.shared).filter((path) => fs.statSync(path).size > 0)).toEqual([])
    })

    it.skipIf(!traits.users || !traits.entersDirectory)(
      'is a working directory that is made and given away as one',
      async () => {
        c.useNewRootfs()
        const victim = join(c.rootfs, 'victim/new')
        fs.mkdirSync(victim, { recursive: true })
        fs.chownSync(victim, traits.uid, traits.uid)
        await using place = await attacked('/victim')
        const made = ['good', 'evil'].map((name) => join(place.shared, name, 'new'))
        for (let round = 0; round < ROUNDS; round++) {
          const { out } = await sh('pwd -P', {
            cwd: '/c/good/new',
            user: { uid: 1000, gid: 1000, additionalGids: [1000] },
            mounts: [place.mount],
          })
          expect(['/c/good/new\n', '/c/evil/new\n', '/victim/new\n']).toContain(out)
          for (const path of made) fs.rmSync(path, { recursive: true, force: true })
        }
        expect(fs.statSync(victim).uid).toBe(traits.uid)
      },
    )
  })
}

function everyFile(directory: string): string[] {
  return fs
    .readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
