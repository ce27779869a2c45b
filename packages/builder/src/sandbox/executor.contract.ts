/** What every executor does, whoever runs it. Called by executor.test.ts for each of them. */
import fs from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BuildError } from '../errors.ts'
import type { ProcessExit, ProcessSpec } from './executor.ts'
import type { SelectOptions } from './select.ts'
import type { Driver } from './testing/driver.ts'
import type { RunRequest } from './testing/executor-worker.ts'
import { listTree, makeRootfs } from './testing/small-rootfs.ts'

/** What an executor, as some user, can and cannot do. */
export interface Traits {
  /** The process sees only its own mounts, processes and queues. */
  readonly isolated: boolean
  /** Other users than root exist. */
  readonly users: boolean
  /** A network namespace of its own is possible. */
  readonly network: boolean
  /** A helper for isolated outbound network is there. */
  readonly outbound: boolean
  /** Control groups can be made. */
  readonly limits: boolean
  /** A kill for want of memory is told, with the peak. */
  readonly reportsOom: boolean
  /** What the kernel says at exec is told apart from the exit code of the process. */
  readonly execErrors: boolean
  /** A filter of system calls is loaded. */
  readonly seccomp: boolean
  /** The owner of the root filesystem as the machine sees it. */
  readonly uid: number
}

export interface ContractOptions {
  readonly select: Omit<SelectOptions, 'root'>
  readonly traits: Traits
  /** A new directory for the suite. */
  readonly directory: () => string
  readonly start: (root: string) => Promise<Driver>
}

export interface Ran extends ProcessExit {
  readonly out: string
  readonly err: string
  readonly bytes: number
  readonly memory: number
}

export function describeExecutor(title: string, options: ContractOptions): void {
  const { traits } = options
  describe(title, () => {
    let directory: string
    let driver: Driver
    let rootfs: string
    let fresh = 0

    beforeAll(async () => {
      directory = options.directory()
      driver = await options.start(directory)
      rootfs = newRootfs()
    }, 60_000)
    afterAll(async () => await driver?.[Symbol.asyncDispose]())

    const newRootfs = (): string => makeRootfs(join(directory, `rootfs-${fresh++}`), traits.uid)
    const base = (): ProcessSpec => ({
      args: ['true'],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [0] },
      hostname: 'buildkitsandbox',
      network: 'host',
      hosts: undefined,
      resolvConf: undefined,
      mounts: [],
      security: 'sandbox',
      ulimits: [],
      resources: {},
    })
    const request = (spec: Partial<ProcessSpec>, more: Partial<RunRequest> = {}): RunRequest => ({
      select: { ...options.select, root: directory },
      spec: { ...base(), ...spec },
      rootfs,
      stdin: undefined,
      count: false,
      ...more,
    })
    const run = async (
      spec: Partial<ProcessSpec>,
      more: Partial<RunRequest> = {},
      signal?: AbortSignal,
    ): Promise<Ran> => {
      const text = { stdout: '', stderr: '' }
      const onEvent = (event: unknown): void => {
        const { stream, data } = event as { stream: 'stdout' | 'stderr'; data: Uint8Array }
        text[stream] += Buffer.from(data).toString()
      }
      const exit = (await driver.call('run', request(spec, more), { onEvent, ...(signal ? { signal } : {}) })) as Ran
      return { ...exit, out: text.stdout, err: text.stderr }
    }
    const sh = (script: string, spec: Partial<ProcessSpec> = {}, more: Partial<RunRequest> = {}): Promise<Ran> =>
      run({ args: ['sh', '-c', script], ...spec }, more)
    const failure = (spec: Partial<ProcessSpec>): Promise<BuildError> =>
      run(spec).then(
        () => Promise.reject(new Error('it did not fail')),
        (error: BuildError) => error,
      )

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
        rootfs = newRootfs()
        expect((await sh('pwd; stat -c "%a %u:%g" . ..', { cwd: '/srv/app' })).out).toBe('/srv/app\n755 0:0\n755 0:0\n')
        expect((await sh('pwd', { cwd: '/tmp' })).out).toBe('/tmp\n')
        expect(fs.statSync(join(rootfs, 'srv/app')).isDirectory()).toBe(true)
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
        fs.mkdirSync(join(rootfs, 'opt/tools'), { recursive: true })
        fs.writeFileSync(join(rootfs, 'opt/tools/hi'), '#!/bin/sh\necho hi $0', { mode: 0o755 })
        expect(await run({ args: ['hi'], env: ['PATH=/none:/opt/tools'] })).toMatchObject({ out: 'hi /opt/tools/hi\n' })
      })

      it.each<[string, string[], number, RegExp]>([
        ['a bare name that is nowhere', ['nothere'], 127, /exec: "nothere": executable file not found in \$PATH/],
        [
          'a path that is not there',
          ['/no/such'],
          127,
          /exec: "\/no\/such": stat \/no\/such: no such file or directory/,
        ],
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
        fs.writeFileSync(join(rootfs, 'bin/broken'), '\u007fELFnope', { mode: 0o755 })
        fs.writeFileSync(join(rootfs, 'bin/orphan'), '#!/no/interpreter\n', { mode: 0o755 })
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
        expect(await failure({ ulimits: [{ name: 'bananas', soft: 1, hard: 1 }] })).toMatchObject({ code: 'BAD_LIMIT' })
        expect(await failure({ ulimits: [{ name: 'nofile', soft: 2, hard: 1 }] })).toMatchObject({ code: 'BAD_LIMIT' })
      })
    })

    describe.skipIf(!traits.limits)('limits of resources', () => {
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

      it('leave nothing behind', async () => {
        // Other builds on this machine may have groups for the time of a run.
        await until(
          () =>
            !fs
              .readdirSync('/sys/fs/cgroup', { recursive: true })
              .some((path) => String(path).includes('tsbuild-run-')),
        )
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
        const own = options.directory()
        await using doomed = await options.start(own)
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

    describe('the root filesystem', () => {
      it('keeps nothing of the mounts but the standard directories', async () => {
        rootfs = newRootfs()
        const before = listTree(rootfs)
        const made = join(directory, `shared-${fresh++}`)
        fs.mkdirSync(made, { mode: 0o777 })
        fs.writeFileSync(join(made, 'f'), 'bound\n')
        fs.chmodSync(made, 0o777)
        const etc = fs.statSync(join(rootfs, 'etc'), { bigint: true }).mtimeNs
        const ran = await sh('cat /etc/hosts /etc/resolv.conf /mnt/deep/dir/f /run/secrets/s; ls -l /run/secrets/s', {
          hosts: '127.0.0.1 localhost\n',
          resolvConf: 'nameserver 192.0.2.1\n',
          mounts: [
            { type: 'bind', source: made, target: '/mnt/deep/dir', readonly: true },
            { type: 'file', target: '/run/secrets/s', content: Buffer.from('secret\n'), mode: 0o400, uid: 0, gid: 0 },
          ],
        })
        expect(ran.out).toContain('127.0.0.1 localhost\nnameserver 192.0.2.1\nbound\nsecret\n-r--------')
        const standard = ['/dev/', '/proc/', '/sys/']
        expect(listTree(rootfs).filter((path) => !before.includes(path))).toEqual(standard)
        expect(fs.statSync(join(rootfs, 'etc'), { bigint: true }).mtimeNs).toBe(etc)
        for (const path of standard) expect(fs.statSync(join(rootfs, path)).mode & 0o7777).toBe(0o755)
      })

      it('keeps what the process puts where a mount point was not', async () => {
        rootfs = newRootfs()
        await sh('echo x > /new; rm /bin/yes; mkdir -p /run/own; echo y > /run/own/f', {
          mounts: [{ type: 'file', target: '/run/secrets/s', content: Buffer.from('s'), mode: 0o400, uid: 0, gid: 0 }],
        })
        const tree = listTree(rootfs)
        expect(tree).toEqual(expect.arrayContaining(['/new', '/run/own/f']))
        expect(tree.filter((path) => path.startsWith('/run/secrets') || path === '/bin/yes')).toEqual([])
      })
    })

    describe('mounts', () => {
      const shared = (content = 'bound\n'): string => {
        const path = join(directory, `shared-${fresh++}`)
        fs.mkdirSync(path)
        fs.writeFileSync(join(path, 'f'), content)
        for (const at of [path, join(path, 'f')]) fs.chownSync(at, traits.uid, traits.uid)
        return path
      }

      it('show directories and files, and write through only where they may', async () => {
        const source = shared()
        const ran = await sh(
          'cat /a/f /b/f /c; echo new > /a/f && echo wrote; (echo new > /b/f) 2>/dev/null || echo refused; cat /c',
          {
            mounts: [
              { type: 'bind', source, target: '/a', readonly: false },
              { type: 'bind', source, target: '/b', readonly: true },
              { type: 'bind', source: join(source, 'f'), target: '/c', readonly: true },
            ],
          },
        )
        expect(ran.out).toBe(`bound\nbound\nbound\nwrote\n${traits.isolated ? 'refused\nnew' : 'bound'}\n`)
      })

      it('never lead out of the root, and follow links inside it', async () => {
        rootfs = newRootfs()
        const outside = join(directory, `outside-${fresh++}`)
        fs.mkdirSync(outside)
        fs.symlinkSync(outside, join(rootfs, 'abs'))
        fs.symlinkSync('../../../../../..', join(rootfs, 'up'))
        fs.symlinkSync('/home/alice', join(rootfs, 'inside'))
        const source = shared()
        const ran = await sh('cat /abs/x/f /up/y/f /home/alice/z/f', {
          mounts: ['/abs/x', '/up/y', '/inside/z'].map((target) => ({ type: 'bind', source, target, readonly: true })),
        })
        expect(ran).toMatchObject({ exitCode: 0, out: 'bound\nbound\nbound\n' })
        expect(fs.readdirSync(outside)).toEqual([])
      })

      it('nest, the outer one first', async () => {
        const [outer, inner] = [shared('outer\n'), shared('inner\n')]
        const ran = await sh('cat /m/f /m/sub/f', {
          mounts: [
            { type: 'bind', source: inner, target: '/m/sub', readonly: true },
            { type: 'bind', source: outer, target: '/m', readonly: false },
          ],
        })
        expect(ran.out).toBe('outer\ninner\n')
      })

      it('are refused where they would take the place of standard ones, or meet another type', async () => {
        const source = shared()
        for (const target of ['/', '/proc', '/dev/'])
          expect((await failure({ mounts: [{ type: 'bind', source, target, readonly: true }] })).message).toContain(
            'this place is taken',
          )
        expect(
          (await failure({ mounts: [{ type: 'bind', source, target: '/etc/passwd', readonly: true }] })).message,
        ).toMatch(/not a directory/i)
      })

      it('of temporary file systems start empty and end with the process', async () => {
        rootfs = newRootfs()
        const spec: Partial<ProcessSpec> = { mounts: [{ type: 'tmpfs', target: '/tmp', size: 1_048_576, mode: 0o700 }] }
        fs.writeFileSync(join(rootfs, 'tmp/below'), '')
        const ran = await sh(
          'ls /tmp; stat -c %a /tmp; echo x > /tmp/mine; head -c 3000000 /dev/zero > /tmp/big 2>/dev/null && echo fits',
          spec,
        )
        expect(ran.out).toBe(traits.isolated ? '700\n' : '700\nfits\n')
        expect(fs.readdirSync(join(rootfs, 'tmp'))).toEqual(['below'])
      })
    })

    describe('rights', () => {
      it('are those of a container: capabilities, system calls, no_new_privs off', async () => {
        const status = await look((pid) => fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
        const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? ''
        const set = (name: string): bigint => BigInt(`0x${field(name)}`)
        expect(set('CapBnd') & ~0xa80425fbn).toBe(0n)
        expect(set('CapEff')).toBe(set('CapBnd'))
        expect(set('CapEff').toString(16)).toBe(traits.isolated ? 'a80425fb' : 'a00025fb')
        expect(set('CapInh') | set('CapAmb')).toBe(0n)
        expect(field('NoNewPrivs')).toBe('0')
        if (traits.seccomp) expect(field('Seccomp')).toBe('2')
      })

      it.skipIf(!traits.users)('are few for other users, who get their groups', async () => {
        const { out } = await sh('id; touch /x 2>/dev/null || echo refused; stat -c %u:%g .', {
          user: { uid: 1000, gid: 1000, additionalGids: [1000, 50] },
          cwd: '/made/for-user',
        })
        expect(out).toBe('uid=1000(alice) gid=1000(alice) groups=50(staff),1000(alice)\nrefused\n1000:1000\n')
      })

      it.skipIf(traits.users)('cannot be those of other users where only one id is mapped', async () => {
        expect(await failure({ user: { uid: 1000, gid: 1000, additionalGids: [1000] } })).toMatchObject({
          code: 'RUN_USER_NOT_MAPPED',
        })
      })

      it.skipIf(!traits.isolated)('do not allow mounts, namespaces or devices', async () => {
        const { out } = await sh(
          'mkdir -p /m; mount -t tmpfs x /m 2>/dev/null && echo mounted; unshare -U true 2>/dev/null && echo unshared; for d in /n /dev/n; do mknod $d b 7 0 2>/dev/null && head -c1 $d >/dev/null 2>&1 && echo opened $d; done; umount /proc/sys 2>/dev/null && echo unmasked; echo end',
        )
        expect(out).toBe('end\n')
      })

      it.skipIf(!traits.isolated)('are all of them when it is insecure', async () => {
        const { out } = await sh(
          'grep -E "^(CapEff|Seccomp):" /proc/self/status; mkdir -p /m; mount -t tmpfs x /m && echo mounted',
          { security: 'insecure' },
        )
        expect(out).toMatch(/^CapEff:\t0*1[0-9a-f]{8,}\nSeccomp:\t0\nmounted\n$/)
      })
    })

    describe.skipIf(!traits.isolated)('what it sees', () => {
      it('of processes: itself, as the first one', async () => {
        expect((await sh('echo $$; ls -d /proc/[0-9]* | wc -l')).out).toBe('1\n3\n')
      })

      it('of the machine: not its kernel secrets nor its switches', async () => {
        const { out } = await sh(`
          for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/overcommit_memory /sys/kernel/uevent_helper /sys/kernel/mm/transparent_hugepage/enabled; do
            if [ -e $f ] && (: >> $f) 2>/dev/null; then echo writes $f; fi; done
          for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/interrupts; do [ -e $f ] && head -c1 $f 2>/dev/null | grep -q . && echo reads $f; done
          ls /sys/firmware 2>/dev/null; echo end`)
        expect(out).toBe('end\n')
      })

      it('of mounts: nothing of the machine', async () => {
        const { out } = await sh('cat /proc/self/mountinfo')
        const points = out
          .trim()
          .split('\n')
          .map((line) => line.split(' ')[4]!)
        expect(points.filter((point) => !/^\/($|proc|sys|dev)/.test(point))).toEqual([])
      })

      it('of devices: the harmless ones', async () => {
        const { out } = await sh(
          'ls /dev | grep -v core; echo x > /dev/null; head -c2 /dev/zero | wc -c; test -w /dev/full; readlink /dev/fd; readlink /dev/ptmx',
        )
        expect(out).toBe(
          'fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n2\n/proc/self/fd\npts/ptmx\n',
        )
      })

      it('of shared memory: its own, in the size given', async () => {
        fs.writeFileSync('/dev/shm/tsbuild-contract', 'x')
        const { out } = await sh(
          'ls /dev/shm; head -c 3000000 /dev/zero > /dev/shm/x 2>/dev/null || echo full; stat -c %a /dev/shm',
          { shmSize: 1_048_576 },
        )
        fs.rmSync('/dev/shm/tsbuild-contract')
        expect(out).toBe('full\n1777\n')
      })

      it('of names: the host name it was given', async () => {
        expect((await sh('hostname', { hostname: 'box' })).out).toBe('box\n')
      })

      it.skipIf(!traits.outbound)(
        'of networks: a way out but not the machine’s loopback, when it is isolated',
        async () => {
          const server = net.createServer((socket) => void socket.end('inside\n'))
          await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
          try {
            const { port } = server.address() as net.AddressInfo
            const script = `ip -o link | grep -vc lo; ip route | grep -c default; nc -w 2 127.0.0.1 ${port} </dev/null; echo end`
            expect((await sh(script, { network: 'isolated' })).out).toBe('1\n1\nend\n')
            expect((await sh(`nc -w 2 127.0.0.1 ${port} </dev/null`)).out).toBe('inside\n')
          } finally {
            server.close()
          }
        },
      )

      it.skipIf(!traits.network)('of networks: its loopback only, when it has none', async () => {
        const { out } = await sh('ip -o link | wc -l; ip -o addr show lo | grep -c 127.0.0.1', { network: 'none' })
        expect(out).toBe('1\n1\n')
      })
    })

    /** A number of seconds that no other process sleeps for. */
    function newMark(): string {
      return String(100_000 + Math.floor(Math.random() * 1e9))
    }

    async function until(what: () => boolean): Promise<void> {
      for (const end = Date.now() + 10_000; !what(); ) {
        if (Date.now() > end) throw new Error('it does not happen')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    /** Looks at a running process from outside. */
    async function look<T>(use: (pid: string) => T): Promise<T> {
      const mark = newMark()
      const controller = new AbortController()
      const running = run({ args: ['sleep', mark] }, {}, controller.signal)
      running.catch(() => {})
      try {
        await until(() => sleepers(mark).length === 1)
        return use(sleepers(mark)[0]!)
      } finally {
        controller.abort()
        await running.catch(() => {})
      }
    }

    function sleepers(seconds: string): string[] {
      const wanted = Buffer.from(`sleep\0${seconds}\0`)
      return fs.readdirSync('/proc').filter((name) => {
        try {
          return /^\d+$/.test(name) && fs.readFileSync(`/proc/${name}/cmdline`).equals(wanted)
        } catch {
          return false
        }
      })
    }
  })
}
