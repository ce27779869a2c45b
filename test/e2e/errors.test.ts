import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { mountsOf, pathsBelow, processesOf } from '../support/leftovers.ts'
import { type Finished, run } from '../support/process.ts'
import { freePort, registryUser, startRegistry } from '../support/registry.ts'
import { gate, repository } from '../support/tools.ts'
import { openWorkspace, type Workspace } from '../support/workspace.ts'

const needs = gate('docker-registry', 'busybox')
const disk = gate('root', 'docker-registry', 'busybox')

let place: Workspace
beforeEach(async () => {
  place = await openWorkspace()
})
afterEach(() => place[Symbol.asyncDispose]())

/** Builds a Dockerfile with an output file that exists already, and looks at what a failure leaves. */
async function failing(dockerfile: string, args: readonly string[] = []): Promise<Finished> {
  const context = await place.files({ Dockerfile: dockerfile, 'file.txt': 'x' })
  await mkdir(place.join('out'))
  await writeFile(place.join('out/image.tar'), 'earlier')
  const output = ['-o', `type=oci,dest=${place.join('out/image.tar')}`, '--iidfile', place.join('out/iid')]
  const result = await place.run(['--progress=plain', ...output, ...args, context])
  expect(result.stdout).toBe('')
  expect(readdirSync(place.join('out'))).toEqual(['image.tar'])
  expect(readFileSync(place.join('out/image.tar'), 'utf8')).toBe('earlier')
  expect(pathsBelow(place.tmp)).toEqual([])
  expect(pathsBelow(`${place.root}/tmp`)).toEqual([])
  expect(processesOf(place.root)).toEqual([])
  expect(mountsOf(place.root)).toEqual([])
  expect(result.stderr).not.toMatch(/internal error|\n\s+at .*:\d+:\d+/)
  return result
}

/** The lines that begin with `ERROR: `, of which there is one. */
const errorLines = (result: Finished): string[] =>
  result.stderr.split('\n').filter((line) => line.startsWith('ERROR: '))

describe('errors of the Dockerfile and the command line', () => {
  it('a missing COPY source names the file and the line', async () => {
    const result = await failing('FROM scratch\nCOPY file.txt /\nCOPY missing.txt /\n')
    expect(result.code).toBe(1)
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toContain('"/missing.txt": not found')
    expect(result.stderr).toMatch(/^Dockerfile:3$/m)
    expect(result.stderr).toMatch(/^ +3 \| >>> COPY missing\.txt \/$/m)
  })

  it('an unknown instruction names the line and what was meant', async () => {
    const result = await failing('FROM scratch\nCPOY file.txt /\n')
    expect(result.code).toBe(1)
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toContain('unknown instruction: CPOY')
    expect(result.stderr).toMatch(/COPY\?/)
    expect(result.stderr).toMatch(/^ +2 \| >>> CPOY file\.txt \/$/m)
  })

  it.each<[string[], RegExp]>([
    [['--tagg', 'x', '.'], /unknown flag: --tagg\n.*--tag/],
    [['biuld'], /unknown command: biuld\n.*build/],
    [['-t', 'UPPER', '.'], /invalid tag/],
    [['--platform', 'linux/', '.'], /platform/],
    [['-o', 'type=oic,dest=x', '.'], /oic/],
    [['a', 'b'], /requires 1 argument/],
  ])('%j is a usage error', async (args, message) => {
    await place.files({ Dockerfile: 'FROM scratch\n' }, '.')
    const result = await place.run(args)
    expect(result.stderr).toMatch(message)
    expect(errorLines(result)).toHaveLength(1)
    expect(result.code).toBe(2)
    expect(existsSync(place.join('x'))).toBe(false)
  })

  it('a missing Dockerfile or context is named', async () => {
    await mkdir(place.join('empty'))
    const noFile = await place.run([place.join('empty')])
    expect(noFile.code).toBe(1)
    expect(noFile.stderr).toMatch(/ERROR: .*Dockerfile.*(no such file|not found)/)
    const noContext = await place.run([place.join('nowhere')])
    expect(noContext.code).toBe(1)
    expect(noContext.stderr).toMatch(/ERROR: .*nowhere/)
  })

  it('an old Node is refused in one line', async () => {
    const script = `Object.defineProperty(process, 'versions', { value: { node: '20.11.1' } }); require(${JSON.stringify(
      `${repository}/packages/cli/bin/tsbuild.js`,
    )})`
    const result = await run(process.execPath, ['-e', script])
    expect(result.code).toBe(2)
    expect(result.stderr).toMatch(/^tsbuild needs Node \S+ or \S+, this is 20\.11\.1.*\n$/)
  })
})

describe.skipIf(needs.skip)(`errors while building${needs.note}`, () => {
  it('a failing RUN shows the step, the exit code, its last lines and the place', async () => {
    const result = await failing(
      `FROM ${inject('registry')}/busybox AS app\nRUN true\nRUN for i in $(seq 60); do echo "line $i"; done; echo oops >&2; exit 42\n`,
    )
    expect(result.code).toBe(1)
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toMatch(
      /process "\/bin\/sh -c for i .*" did not complete successfully: exit code: 42/,
    )
    expect(result.stderr).toMatch(/^ > \[3\/3\] RUN for i/m)
    const tail = result.stderr.slice(result.stderr.indexOf('\n > [3/3]'))
    expect(tail).toContain('oops')
    expect(tail).toContain('line 60')
    expect(tail).not.toContain('line 20\n')
    expect(result.stderr).toMatch(/^Dockerfile:3$/m)
    expect(result.stderr).toMatch(/^ +3 \| >>> RUN for i/m)
  })

  it('directories that a RUN has nested too deep', async () => {
    // As far as paths go from within: from outside they are longer.
    const down = 'i=0; while [ $i -lt 150 ]; do mkdir $n && cd -P ./$n; i=$((i+1)); done'
    const result = await failing(
      `FROM ${inject('registry')}/busybox\nENV n=${'a'.repeat(50)}\nRUN mkdir /x && cd /x; ${down} 2>/dev/null; true\n`,
    )
    expect(result.code).toBe(1)
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toMatch(/the path of a file that the RUN made is too long .*: \/x\/.{1,60}…$/)
  })

  it('a command that is not there', async () => {
    const result = await failing(`FROM ${inject('registry')}/busybox\nRUN ["/no/such/program"]\n`)
    expect(result.code).toBe(1)
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toMatch(/\/no\/such\/program/)
  })

  it('one failing stage ends the others', async () => {
    const began = Date.now()
    const base = `${inject('registry')}/busybox`
    const result = await failing(
      `FROM ${base} AS slow\nRUN sleep 60\nFROM ${base} AS bad\nRUN sleep 1; exit 3\nFROM ${base}\nCOPY --from=slow /bin/sh /a\nCOPY --from=bad /bin/sh /b\n`,
    )
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('exit code: 3')
    expect(Date.now() - began).toBeLessThan(30_000)
  })

  it('an image that is not in the registry', async () => {
    const result = await failing(`FROM ${inject('registry')}/nothing:here\n`)
    expect(result.code).toBe(1)
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toMatch(/nothing:here.*not found/)
    expect(result.stderr).toMatch(/^ +1 \| >>> FROM/m)
  })
})

describe('errors of registries', () => {
  it('a registry that nobody runs', async () => {
    const host = `127.0.0.1:${await freePort()}`
    const result = await failing(`FROM ${host}/busybox\n`)
    expect(result.code).toBe(1)
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toMatch(new RegExp(`${host}.*refused|refused.*${host}`, 'i'))
  })

  it('a registry that answers nonsense', async () => {
    const server = createServer((_request, response) => response.end('<html>hello</html>')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const { port } = server.address() as { port: number }
      const result = await failing(`FROM 127.0.0.1:${port}/busybox\n`)
      expect(result.code).toBe(1)
      expect(errorLines(result)).toHaveLength(1)
    } finally {
      server.close()
    }
  })

  const registry = gate('docker-registry')
  it.skipIf(registry.skip)(`a wrong password, none, and the right one${registry.note}`, async () => {
    await using server = await startRegistry({ password: true })
    const context = await place.files({ Dockerfile: 'FROM scratch\nCOPY file.txt /\n', 'file.txt': 'x' })
    const image = `${server.host}/private/app:1`
    const push = (): Promise<Finished> => place.run(['-t', image, '--push', context])
    const login = async (password: string): Promise<void> => {
      const auth = Buffer.from(`${registryUser.name}:${password}`).toString('base64')
      await place.files({ '.docker/config.json': JSON.stringify({ auths: { [server.host]: { auth } } }) }, 'home')
    }

    const anonymous = await push()
    expect(anonymous.code).toBe(1)
    expect(errorLines(anonymous)).toHaveLength(1)
    expect(errorLines(anonymous)[0]).toMatch(/authorization failed|unauthori[sz]ed|credentials/i)

    await login('wrong-password')
    const wrong = await push()
    expect(wrong.code).toBe(1)
    expect(errorLines(wrong)).toHaveLength(1)
    expect(errorLines(wrong)[0]).toMatch(/authorization failed|unauthori[sz]ed|credentials/i)
    expect(wrong.stderr).not.toContain('wrong-password')
    const listed = await fetch(`http://${server.host}/v2/private/app/tags/list`, {
      headers: {
        authorization: `Basic ${Buffer.from(`${registryUser.name}:${registryUser.password}`).toString('base64')}`,
      },
    })
    expect(listed.status).toBe(404)

    await login(registryUser.password)
    expect((await push()).stderr).toContain(image)
    await using elsewhere = await openWorkspace()
    await elsewhere.files({ '.docker/config.json': readFileSync(place.join('home/.docker/config.json')) }, 'home')
    const pulled = await elsewhere.must(['pull', image])
    expect(pulled.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/)
  })
})

describe.skipIf(disk.skip)(`a full disk${disk.note}`, () => {
  /** Runs the build where `full` has little room; prints what is left there. The mount lives in a namespace of its own. */
  async function onFullDisk(size: string, args: string, setup = ''): Promise<Finished> {
    const context = await place.files({
      Dockerfile: `FROM ${inject('registry')}/busybox\nRUN dd if=/dev/zero of=/big bs=64k count=500\n`,
      'Dockerfile.small': 'FROM scratch\nCOPY Dockerfile /\n',
    })
    await mkdir(place.join('full'))
    const node = `${process.execPath} ${repository}/packages/cli/bin/tsbuild.js --progress=plain`
    const script = `mount -t tmpfs -o size=${size} tmpfs full && ${setup} ${args
      .replaceAll('TSBUILD', node)
      .replaceAll('CONTEXT', context)}`
    const env = { PATH: process.env.PATH, HOME: place.home, TMPDIR: place.tmp, TSBUILD_ROOT: place.root }
    return await run('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], { cwd: place.path, env })
  }

  it('under an output: one message, the earlier file stays', async () => {
    const result = await onFullDisk(
      '1m',
      'TSBUILD -o type=oci,dest=full/image.tar CONTEXT; echo $?; ls -A full; cat full/image.tar',
      'echo earlier > full/image.tar;',
    )
    expect(result.stdout).toBe('1\nimage.tar\nearlier\n')
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toMatch(/image\.tar.*no space left on device/i)
  })

  it('under the store: one message, and the next build that fits works', async () => {
    const result = await onFullDisk(
      '16m',
      'TSBUILD --root full/state CONTEXT; echo $?; TSBUILD --root full/state -t small -f CONTEXT/Dockerfile.small CONTEXT; echo $?',
    )
    expect(result.stdout, result.stderr).toBe('1\n0\n')
    expect(errorLines(result)).toHaveLength(1)
    expect(errorLines(result)[0]).toMatch(/dd .* exit code: 1/)
    expect(result.stderr).toContain('No space left on device')
    expect(result.stderr).not.toContain('internal error')
  })
})
