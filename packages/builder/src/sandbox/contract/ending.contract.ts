/** Limits, output, and the ways a process ends. */
import fs from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasCode } from '../../util/has-code.ts'
import { groupPrefix, hierarchyMounts } from '../limits/sweep.ts'
import { makeRootfs } from '../testing/small-rootfs.ts'
import { type Contract, newMark, sleepers, until } from './contract.ts'

export function describeEnding(c: Contract): void {
  const { run, sh, request, traits } = c

  describe.skipIf(!traits.limits)('limits of resources', () => {
    const before = groups()

    it('end a process that takes too much memory, and say so', async () => {
      const hungry = 'x=$(head -c 200000000 /dev/zero | tr "\\0" a); echo survived'
      const ran = await sh(hungry, { resources: { memory: 32 * 1024 * 1024, memorySwap: 32 * 1024 * 1024 } })
      expect(ran.exitCode).not.toBe(0)
      expect(ran.out).toBe('')
      if (traits.reportsOom) {
        expect(ran.oomKilled).toBe(true)
        expect(ran.usage?.peakMemory).toBeGreaterThan(16 * 1024 * 1024)
        expect(ran.usage?.peakMemory).toBeLessThanOrEqual(33 * 1024 * 1024)
      }
      expect(await sh('true', { resources: { memory: 64 * 1024 * 1024 } })).toMatchObject({ exitCode: 0 })
    })

    it('bound the number of processes and the processors', async () => {
      const { out } = await sh('for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done 2>/dev/null; jobs | wc -l', {
        resources: { pids: 5 },
      }).catch(() => ({ out: '0' }))
      expect(Number(out)).toBeLessThan(6)
      expect(
        (await sh('grep -c ^processor /proc/cpuinfo; nproc', { resources: { cpusetCpus: '0' } })).out
          .trim()
          .split('\n')
          .at(-1),
      ).toBe('1')
    })

    it('hold below a parent that is named, which goes again', async () => {
      const parent = `/tsbuild-run-parent-${newMark()}/inner`
      const ran = await sh('true', { resources: { pids: 100, cpusetCpus: '0' }, cgroupParent: parent })
      expect(ran.exitCode).toBe(0)
    })

    it('leave nothing behind', async () => {
      // Groups that were there before are others' own; those of other builds that run now end with them.
      const ours = groups().filter((group) => !before.includes(group))
      await until(() => !ours.some((group) => fs.existsSync(group)))
    })
  })

  describe('its output', () => {
    it('is handed on without piling up', async () => {
      await sh('yes | head -c 1000000', {}, { count: true })
      const before = (await sh('true', {}, { count: true })).memory
      const ran = await sh('yes 0123456789012345678901234567890123456789 | head -c 200000000', {}, { count: true })
      expect(ran).toMatchObject({ exitCode: 0, bytes: 200_000_000 })
      expect(ran.memory - before).toBeLessThan(80e6)
    }, 60_000)

    it('ends with the process, whoever still holds it', async () => {
      const start = Date.now()
      expect(await sh('sleep 60 & echo started')).toMatchObject({ exitCode: 0, out: 'started\n' })
      expect(await sh('(setsid sleep 61 </dev/null &) ; echo started')).toMatchObject({ exitCode: 0 })
      expect(Date.now() - start).toBeLessThan(10_000)
    })
  })

  describe('an end by force', () => {
    it.skipIf(traits.isolated)(
      'of what has started it leaves nothing, and does not wait for what is left',
      async () => {
        const mark = newMark()
        // Where the kernel keeps it from what has started it, it can only end itself.
        const script = `(setsid sleep ${mark} </dev/null >/dev/null 2>&1 &); sleep 0.2; (kill -9 $PPID 2>&- || kill -9 $$) & sleep ${mark}`
        expect((await sh(script)).exitCode).toBe(137)
        await until(() => sleepers(mark).length === 0)
      },
    )

    // The parent of process 1 is 0, which kill takes for the process group. Process 1 itself outlives all of these; what
    // is killed has been started before, so nothing is waited for that begins afterwards.
    for (const init of traits.initProcess ? [false, true] : [false])
      it.skipIf(!traits.isolated)(`reaches its own processes only${init ? ', with an init process' : ''}`, async () => {
        const mark = newMark()
        const alone = '[ $$ -le 2 ] || exit 3'
        const started = `(setsid sleep ${mark} </dev/null >/dev/null 2>&1 &); sleep ${mark} &`
        const ran = await sh(`${alone}; ${started} kill -9 $PPID; kill -9 -1; wait; echo end`, { init })
        expect(ran).toMatchObject({ exitCode: 0, out: 'end\n' })
        expect(sleepers(mark)).toEqual([])
        // No `wait`: busybox waits for any child, also for what it has inherited and nobody kills.
        const group = await sh(`${alone}; ${started} sleep 0.1; kill -9 0; echo end`, { init })
        expect(group).toMatchObject(init ? { exitCode: 137, out: '' } : { exitCode: 0, out: 'end\n' })
        expect(sleepers(mark)).toEqual([])
      })
  })

  describe('an abort', () => {
    it('ends the process and what it has started', async () => {
      const controller = new AbortController()
      const mark = newMark()
      const running = run({ args: ['sh', '-c', `setsid sleep ${mark} & sleep ${mark}`] }, {}, controller.signal)
      running.catch(() => {})
      await until(() => sleepers(mark).length === 2)
      controller.abort()
      await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
      await until(() => sleepers(mark).length === 0)
    })
  })

  describe('the death of the worker', () => {
    it('is the death of the process and what it has started', async () => {
      const own = c.newDirectory()
      await using doomed = await c.start(own)
      const mark = newMark()
      const wanted = request({ args: ['sh', '-c', `setsid sleep ${mark} & sleep ${mark}`] })
      const running = doomed
        .call('run', { ...wanted, rootfs: makeRootfs(join(own, 'rootfs'), traits.uid) })
        .catch((error: unknown) => error)
      await until(() => sleepers(mark).length === 2)
      await doomed.call('kill', {}).catch(() => {})
      await until(() => sleepers(mark).length === 0)
      expect(await running).toBeInstanceOf(Error)
    }, 60_000)
  })
}

/** Directories of control groups that a run has made, ours or another build's. */
function groups(): string[] {
  return hierarchyMounts().flatMap((mount) => groupsBelow(mount))
}

function groupsBelow(directory: string): string[] {
  let entries: fs.Dirent[] = []
  try {
    entries = fs.readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    // Others end their groups while we look.
    if (!hasCode(error, 'ENOENT', 'ENODEV', 'EACCES')) throw error
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(directory, entry.name))
    .flatMap((group) => [...(basename(group).startsWith(groupPrefix) ? [group] : []), ...groupsBelow(group)])
}
