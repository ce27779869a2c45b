import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { mountsOf, pathsBelow, processesOf } from '../support/leftovers.ts'
import { type Finished, until } from '../support/process.ts'
import { gate, which } from '../support/tools.ts'
import { type UserWorkspace, userCases } from '../support/users.ts'
import type { TsbuildOptions } from '../support/workspace.ts'

const DOCKERFILE = (base: string) => `FROM ${base}
ENV GREETING=hello NAME=image
WORKDIR /work
COPY file.txt .
USER user
ENTRYPOINT ["echo", "entry"]
CMD ["command"]
`

describe.each(userCases('docker-registry', 'busybox'))('tsbuild run, $title', ({ skip, ordinary, open }) => {
  // What the command line says and how streams are handed on is the same for all.
  const once = skip || ordinary
  let opened: UserWorkspace
  beforeAll(async () => {
    if (skip) return
    opened = await open()
    const { place, options } = opened
    const context = await place.files({
      Dockerfile: DOCKERFILE(`${inject('registry')}/busybox`),
      'file.txt': 'from the context\n',
    })
    await place.must(['-t', 'app', context], options)
  })
  afterAll(() => opened?.[Symbol.asyncDispose]())

  const tsbuild = (args: readonly string[], options: TsbuildOptions = {}): Promise<Finished> =>
    opened.place.run(['run', '-q', ...args], { ...opened.options, ...options })
  const sh = (script: string, ...flags: string[]): Promise<Finished> =>
    tsbuild([...flags, '--entrypoint', 'sh', 'app', '-c', script])

  it.skipIf(skip)('runs what the image says, with its variables, directory and user', async () => {
    expect(await tsbuild(['app'])).toMatchObject({ code: 0, stdout: 'entry command\n', stderr: '' })
    expect(await tsbuild(['app', 'a', '-b'])).toMatchObject({ stdout: 'entry a -b\n' })
    const { stdout } = await sh('echo $GREETING $NAME; pwd; id -un; cat file.txt; hostname; echo $HOSTNAME')
    const [hello, pwd, user, file, hostname, variable] = stdout.split('\n')
    expect([hello, pwd, user, file]).toEqual(['hello image', '/work', 'user', 'from the context'])
    expect(hostname).toMatch(/^[0-9a-f]{12}$/)
    expect(variable).toBe(hostname)
  })

  it.skipIf(once)('takes flags of docker run', async () => {
    const { place } = opened
    await place.files({ env: '# comment\nNAME=file\nOTHER=x y\n' }, 'flags')
    const script = 'echo $GREETING $NAME $OTHER $MINE; pwd; id -u; id -g; hostname; ip -o link | wc -l'
    const flags = ['-e', 'GREETING=hi', '--env=MINE', '--env-file', place.join('flags/env')]
    const more = ['-w', '/tmp/new', '-u', '7:8', '--hostname', 'here', '--network', 'none', '--rm']
    const result = await tsbuild([...flags, ...more, '--entrypoint=sh', 'app', '-c', script], { env: { MINE: 'mine' } })
    expect(result.stdout.split('\n').slice(0, -1)).toEqual(['hi file x y mine', '/tmp/new', '7', '8', 'here', '1'])
  })

  it.skipIf(skip)('bounds what the process may do, as docker run does', async () => {
    const { place } = opened
    const readonly = 'touch /x 2>/dev/null || echo refused; echo 1 > /t/a && cat /t/a; mount | grep -c " /t "'
    expect(await sh(readonly, '--read-only', '--tmpfs', '/t:size=1m', '-w', '/made')).toMatchObject({
      stdout: 'refused\n1\n1\n',
      stderr: '',
    })
    await place.files({ 'data/file': 'here\n' }, 'mounted')
    const bind = `type=bind,src=${place.join('mounted/data')},dst=/data,readonly`
    const mounts = 'cat /data/file; touch /data/x 2>/dev/null || echo refused; stat -c %a /mem'
    const flags = ['--mount', bind, '--mount', 'type=tmpfs,dst=/mem,tmpfs-mode=0700']
    expect(await sh(mounts, ...flags)).toMatchObject({ stdout: 'here\nrefused\n700\n', stderr: '' })
    const noexec = 'cp /bin/busybox /t/busybox; /t/busybox true 2>/dev/null && echo run || echo refused'
    expect((await sh(noexec, '--tmpfs', '/t:size=64m')).stdout).toBe('refused\n')
    expect((await sh(noexec, '--tmpfs', '/t:size=64m,exec')).stdout).toBe('run\n')
  })

  it.skipIf(skip)('gives and takes capabilities', async () => {
    const bits = async (...flags: string[]): Promise<bigint> => {
      const { stdout, stderr } = await sh('grep -E "^Cap(Bnd|Eff)" /proc/self/status', '-u', '0', ...flags)
      const [bound, effective] = [...stdout.matchAll(/:\s+([0-9a-f]+)/g)].map((match) => match[1])
      expect(stderr).toBe('')
      expect(effective).toBe(bound)
      return BigInt(`0x${bound}`)
    }
    expect(await bits()).toBe(0xa80425fbn)
    expect(await bits('--cap-drop', 'CHOWN', '--cap-drop', 'cap_kill')).toBe(0xa80425fbn & ~0x21n)
    expect(await bits('--cap-drop', 'ALL', '--cap-add', 'CAP_CHOWN')).toBe(1n)
    expect(await bits('--cap-add', 'SYS_ADMIN')).toBe(0xa80425fbn | (1n << 21n))
    expect(
      (await sh('mkdir /m; mount -t tmpfs x /m && echo mounted', '-u', '0', '--cap-add', 'SYS_ADMIN')).stdout,
    ).toBe('mounted\n')
    expect(await sh('true', '--cap-add', 'NOPE')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('unknown capability "NOPE"'),
    })
  })

  it.skipIf(skip)('adds groups, and a process that collects orphans', async () => {
    expect((await sh('id -G', '-u', '0', '--group-add', 'staff', '--group-add', '77')).stdout).toBe('0 50 77\n')
    // An orphan that ends is taken from the table of processes, which nobody does where the shell is process 1.
    const wait = 'n=0; while grep -qs State:.Z /proc/[0-9]*/status && [ $n -lt 300 ]; do n=$((n+1)); sleep 0.1; done'
    const script = `echo $$; (sleep 0.1 &); sleep 0.3; ${wait}; grep -l State:.Z /proc/[0-9]*/status; exit 42`
    expect(await sh(script, '--init', '-u', '0')).toMatchObject({ code: 42, stdout: '2\n', stderr: '' })
    expect((await sh('cat /proc/1/environ || echo hidden', '--init')).stdout).toBe('hidden\n')
    expect((await sh('kill -9 $$', '--init')).code).toBe(137)
  })

  it.skipIf(once)('says why it does not take some flags of docker run', async () => {
    expect(await tsbuild(['--privileged', 'app'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--privileged is not supported: it would hand this machine'),
    })
    expect(await tsbuild(['--rm=false', 'app'])).toMatchObject({ code: 2 })
    expect((await sh('hostname', '-h', 'named')).stdout).toBe('named\n')
  })

  it.skipIf(once)('passes the exit code on, and says what cannot be run', async () => {
    expect(await sh('exit 42')).toMatchObject({ code: 42, stderr: '' })
    expect((await sh("sh -c 'kill -9 $$'; exit $?")).code).toBe(137)
    const missing = await tsbuild(['--entrypoint', 'missing', 'app'])
    expect(missing.code).toBe(127)
    expect(missing.stderr).toMatch(/^ERROR: .*exec: "missing": executable file not found in \$PATH$/m)
    expect((await tsbuild(['--entrypoint', '/work/file.txt', 'app'])).code).toBe(126)
    expect(await tsbuild([`${inject('registry')}/unknown`])).toMatchObject({ code: 125 })
    expect(await tsbuild(['-v', 'name:/data', 'app'])).toMatchObject({ code: 2 })
    expect(await tsbuild(['-it', 'app'])).toMatchObject({ code: 2 })
  })

  it.skipIf(once)('hands on stdin with -i only, byte by byte, and keeps stdout and stderr apart', async () => {
    const bytes = Buffer.alloc(3_000_000, 'all bytes \0\xff\n', 'latin1')
    const cat = ['--entrypoint', 'cat', 'app']
    expect((await tsbuild(['-i', ...cat], { stdin: bytes })).bytes.equals(bytes)).toBe(true)
    expect((await tsbuild(cat, { stdin: bytes })).stdout).toBe('')
    // A process that does not read ends all the same.
    expect(await tsbuild(['-i', '--entrypoint', 'true', 'app'], { stdin: bytes })).toMatchObject({ code: 0 })
    expect(await sh('echo out; echo err >&2')).toMatchObject({ stdout: 'out\n', stderr: 'err\n' })
  })

  it.skipIf(skip)('throws away what is written, but for volumes', async () => {
    const { place } = opened
    expect((await sh('echo x > /tmp/x && ls /tmp')).stdout).toBe('x\n')
    expect((await sh('ls /tmp')).stdout).toBe('')
    const volume = `${place.home}/made:/data`
    const write = await sh('echo text > /data/file', '-u', '0', '-v', volume)
    expect(write).toMatchObject({ code: 0, stderr: '' })
    expect(pathsBelow(`${place.home}/made`)).toEqual(['file'])
    const refused = await sh('cat /data/file; echo x > /data/file', '-u', '0', '-v', `${volume}:ro`)
    expect(refused).toMatchObject({ code: 1, stdout: 'text\n' })
    expect(refused.stderr).toContain('Read-only file system')
  })

  it.skipIf(once)('fetches what the store does not have', async () => {
    const { place, options } = opened
    const result = await place.run(['run', `${inject('registry')}/busybox`, 'echo', 'fetched'], options)
    expect(result).toMatchObject({ code: 0, stdout: 'fetched\n' })
    expect(result.stderr).toContain('[internal] load metadata for')
  })

  const terminal = gate('script')
  it.skipIf(skip || terminal.skip)(`gives a terminal with -t${terminal.note}`, async () => {
    const { place, options } = opened
    const script =
      'stty size; test -t 0 && test -t 1 && test -t 2 && echo terminal; test -c /dev/console && echo console'
    const result = await place.terminal(['run', '-qit', '--entrypoint', 'sh', 'app', '-c', script], options)
    expect(result.code).toBe(0)
    expect(result.stdout.replaceAll('\r', '')).toMatch(/\d+ \d+\nterminal\nconsole\n/)
  })

  it.skipIf(skip)('ends at Ctrl-C and leaves nothing', async () => {
    const { place, options } = opened
    const seconds = `100.${randomInt(1e9)}`
    const script = `sleep ${seconds} & echo sleeping >&2; sleep ${seconds}`
    const running = place.start(['run', '-q', '--entrypoint', 'sh', 'app', '-c', script], options)
    await until('the process to run', () => running.stderr().includes('sleeping'), 60_000)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.finished
    expect(code).toBe(130)
    expect(stderr).toMatch(/^ERROR: canceled$/m)
    expect(processesOf(place.root, seconds)).toEqual([])
    expect(mountsOf(place.root)).toEqual([])
    for (const name of ['tmp', 'leases']) expect(pathsBelow(`${place.root}/${name}`)).toEqual([])
  })
})

const runc = gate('root', 'runc', 'docker-registry', 'busybox')
it.skipIf(runc.skip || which('script') === undefined)(
  `gives a terminal also through an OCI runtime${runc.note}`,
  async () => {
    await using opened = await userCases()[0]!.open()
    const args = ['run', '-qit', '--isolation=oci', '--oci-runtime=runc', `${inject('registry')}/busybox`]
    const result = await opened.place.terminal([...args, 'sh', '-c', 'test -t 0 && tty && stty size'])
    expect(result.stdout.replaceAll('\r', '')).toMatch(/\/dev\/\S+\n\d+ \d+\n/)
    expect(result.code).toBe(0)
  },
)
