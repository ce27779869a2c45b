/** What the process is and how it is started. */
import fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Contract } from './contract.ts'

export function describeProcess(c: Contract): void {
  const { run, sh, failure, look, traits } = c

  describe('the process', () => {
    it('runs, prints on both streams and ends with its code', async () => {
      expect(await sh('echo out; echo err >&2; exit 3')).toMatchObject({ exitCode: 3, out: 'out\n', err: 'err\n' })
      expect(await run({ args: ['/bin/true'] })).toMatchObject({ exitCode: 0, out: '', err: '' })
    })

    it('gets its arguments and its environment, and no other', async () => {
      const args = ['sh', '-c', 'for a; do echo "<$a>"; done; env | sort', 'x', 'a b', '', 'ä\n"$']
      const { out } = await run({ args, env: ['PATH=/bin', 'A=1 2', 'B=', 'C=ü', 'HOME=/h'] })
      const lines = out.split('\n').filter((line) => !/^(PWD|SHLVL|_|OLDPWD)=/.test(line))
      expect(lines).toEqual(['<a b>', '<>', '<ä', '"$>', 'A=1 2', 'B=', 'C=ü', 'HOME=/h', 'PATH=/bin', ''])
    })

    it('reads an empty input, or what it is given', async () => {
      expect(await sh('cat; echo end')).toMatchObject({ exitCode: 0, out: 'end\n' })
      expect(await sh('cat; echo end', {}, { stdin: 'hello\n' })).toMatchObject({ exitCode: 0, out: 'hello\nend\n' })
      expect(await sh('exit 5', {}, { stdin: 'x'.repeat(1_000_000) })).toMatchObject({ exitCode: 5 })
    })

    it('works in its directory, which is made for its user', async () => {
      c.useNewRootfs()
      expect((await sh('pwd; stat -c "%a %u:%g" . ..', { cwd: '/srv/app' })).out).toBe('/srv/app\n755 0:0\n755 0:0\n')
      expect((await sh('pwd', { cwd: '/tmp' })).out).toBe('/tmp\n')
      expect(fs.statSync(join(c.rootfs, 'srv/app')).isDirectory()).toBe(true)
    })

    it('has default signals, a plain umask and only its own descriptors', async () => {
      const seen = await look((pid) => ({
        status: fs.readFileSync(`/proc/${pid}/status`, 'latin1'),
        fds: fs.readdirSync(`/proc/${pid}/fd`),
      }))
      expect(seen.status).toMatch(/^SigBlk:\t0+\nSigIgn:\t0+$/m)
      expect(seen.fds.sort()).toEqual(['0', '1', '2'])
      expect((await sh('umask; (yes; echo $? >&2) | head -1')).out).toBe('0022\ny\n')
    })

    it('is told apart when a signal ends it', async () => {
      expect(await sh('sh -c "kill -TERM \\$\\$"; exit $?')).toMatchObject({ exitCode: 143 })
    })

    it('is found in the PATH of its environment', async () => {
      fs.mkdirSync(join(c.rootfs, 'opt/tools'), { recursive: true })
      fs.writeFileSync(join(c.rootfs, 'opt/tools/hi'), '#!/bin/sh\necho hi $0', { mode: 0o755 })
      expect(await run({ args: ['hi'], env: ['PATH=/none:/opt/tools'] })).toMatchObject({ out: 'hi /opt/tools/hi\n' })
    })

    it.each<[string, string[], number, RegExp]>([
      ['a bare name that is nowhere', ['nothere'], 127, /exec: "nothere": executable file not found in \$PATH/],
      ['a path that is not there', ['/no/such'], 127, /exec: "\/no\/such": stat \/no\/such: no such file or directory/],
      ['a file that is not executable', ['/etc/passwd'], 126, /exec: "\/etc\/passwd": permission denied/],
      ['a directory', ['/etc'], 126, /exec: "\/etc": is a directory/],
    ])('cannot be started from %s', async (_what, args, exitCode, message) => {
      expect(await failure({ args })).toMatchObject({
        code: 'RUN_EXEC_FAILED',
        exitCode,
        message: expect.stringMatching(message),
      })
    })

    it.skipIf(!traits.execErrors)('cannot be started from a file that is no program', async () => {
      fs.writeFileSync(join(c.rootfs, 'bin/broken'), '\u007fELFnope', { mode: 0o755 })
      fs.writeFileSync(join(c.rootfs, 'bin/orphan'), '#!/no/interpreter\n', { mode: 0o755 })
      expect(await failure({ args: ['broken'] })).toMatchObject({
        code: 'RUN_EXEC_FAILED',
        exitCode: 126,
        message: expect.stringContaining('exec format error'),
      })
      expect(await failure({ args: ['/bin/orphan'] })).toMatchObject({
        code: 'RUN_EXEC_FAILED',
        message: expect.stringContaining('no such file or directory'),
      })
    })

    it('cannot be started in what is no directory', async () => {
      expect(await failure({ cwd: '/etc/passwd' })).toMatchObject({
        code: 'RUN_SETUP_FAILED',
        message: expect.stringContaining('not a directory'),
      })
    })

    it('obeys limits', async () => {
      const { out } = await sh('ulimit -n; ulimit -c', {
        ulimits: [
          { name: 'nofile', soft: 123, hard: 456 },
          { name: 'core', soft: 0, hard: 0 },
        ],
      })
      expect(out).toBe('123\n0\n')
      // They are the program's: what is done for it before does not run into them.
      const least = { name: 'nofile', soft: 16, hard: 16 }
      expect((await sh('ulimit -Hn', { ulimits: [least], cwd: '/a/new/one' })).out).toBe('16\n')
      expect(await failure({ ulimits: [{ ...least, soft: 0 }] })).toMatchObject({
        code: 'BAD_LIMIT',
        message: expect.stringContaining('nofile=0:16'),
      })
      expect(await failure({ ulimits: [{ name: 'bananas', soft: 1, hard: 1 }] })).toMatchObject({ code: 'BAD_LIMIT' })
      expect(await failure({ ulimits: [{ name: 'nofile', soft: 2, hard: 1 }] })).toMatchObject({ code: 'BAD_LIMIT' })
    })
  })
}
