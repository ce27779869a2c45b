/** Rights, and what a process sees of the machine. */
import fs from 'node:fs'
import net from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Contract } from './contract.ts'

export function describeView(c: Contract): void {
  const { sh, failure, look, traits } = c

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
      expect((await sh('echo $$; set -- /proc/[0-9]*; echo $*')).out).toBe('1\n/proc/1\n')
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

    it('of processes before it and beside it: nothing', async () => {
      const script =
        'echo $$ $(hostname) $(umask) $(ls -A /dev/shm) $(ls -d /dev/mine 2>/dev/null); echo > /dev/shm/x; mkdir /dev/mine; sleep 0.05'
      const run = async (i: number) => (await sh(script, { hostname: `box-${i}` })).out
      for (let i = 0; i < 5; i++) expect(await run(i)).toBe(`1 box-${i} 0022\n`)
      // An executor may have some of them ready before it knows what they will be: limits and rights come later.
      const { out } = await sh(`${script}; ulimit -n`, {
        hostname: 'box',
        ulimits: [{ name: 'nofile', soft: 77, hard: 77 }],
      })
      expect(out).toBe('1 box 0022\n77\n')
      const beside = await Promise.all([5, 6, 7, 8].map(run))
      expect(beside).toEqual([5, 6, 7, 8].map((i) => `1 box-${i} 0022\n`))
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
}
