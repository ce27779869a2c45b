import { execFileSync, spawn } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openAgent } from './agent.ts'
import { AGENT, frame, readFrames, SshReader, sshString } from './frames.ts'

const directory = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-ssh-'))
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))

const has = (tool: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const openssh = has('ssh-keygen') && has('ssh-add') && has('ssh-agent')
const open = (paths: string[], authSock?: string) =>
  openAgent({ paths, authSock, directory: join(directory, 'sockets') })

async function ask(path: string, ...requests: Buffer[]): Promise<Buffer[]> {
  const socket = net.connect(path)
  const answers: Buffer[] = []
  socket.write(Buffer.concat(requests))
  for await (const answer of readFrames(socket)) {
    answers.push(Buffer.from(answer))
    if (answers.length === requests.length) break
  }
  socket.destroy()
  return answers
}

/** Asynchronously, since the agent lives in this process. */
async function tool(sock: string, file: string, ...args: string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(file, args, { env: { ...process.env, SSH_AUTH_SOCK: sock }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, out }
}

const identities = frame(AGENT.REQUEST_IDENTITIES)

describe('an agent over key files', () => {
  it('lists and signs with keys of every PEM kind', async () => {
    const pairs = [
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('ec', { namedCurve: 'P-521' }),
    ]
    const paths = pairs.map(({ privateKey }, i) => {
      const path = join(directory, `pem-${i}`)
      fs.writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
      return path
    })
    await using agent = await open(paths)
    const [listed] = await ask(agent.path, identities)
    const reader = new SshReader(listed!.subarray(1))
    expect(reader.uint32()).toBe(4)
    const types: string[] = []
    for (const pair of pairs) {
      const blob = Buffer.from(reader.string())
      expect(reader.text()).toMatch(/^pem-/)
      types.push(new SshReader(blob).text())
      const data = Buffer.from('to be signed')
      const sign = frame(AGENT.SIGN_REQUEST, sshString(blob), sshString(data), Buffer.from([0, 0, 0, 4]))
      const [answer] = await ask(agent.path, sign)
      expect(answer![0]).toBe(AGENT.SIGN_RESPONSE)
      const signature = new SshReader(new SshReader(answer!.subarray(1)).string())
      const algorithm = signature.text()
      const bytes = signature.string()
      const key = createPublicKey(pair.privateKey)
      if (algorithm.startsWith('ecdsa')) {
        const [hash, half] = algorithm.endsWith('256') ? (['sha256', 32] as const) : (['sha512', 66] as const)
        const parts = new SshReader(bytes)
        const fixed = (): Buffer => {
          const digits = parts.string()
          return Buffer.concat([Buffer.alloc(half), digits]).subarray(-half)
        }
        const raw = Buffer.concat([fixed(), fixed()])
        expect(verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, raw)).toBe(true)
      } else expect(verify(algorithm === 'rsa-sha2-512' ? 'sha512' : null, data, key, bytes)).toBe(true)
    }
    expect(types).toEqual(['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp521'])
  })

  it.skipIf(!openssh)('serves OpenSSH’s tools with OpenSSH’s keys (needs openssh-client)', async () => {
    const kinds = [['ed25519'], ['rsa', '-b', '2048'], ['ecdsa', '-b', '384']]
    const paths = kinds.map(([type, ...rest]) => {
      const path = join(directory, `id_${type}`)
      execFileSync('ssh-keygen', ['-q', '-t', type!, ...rest, '-N', '', '-C', `me@${type}`, '-f', path])
      return path
    })
    await using agent = await open(paths)
    const listed = await tool(agent.path, 'ssh-add', '-L')
    for (const path of paths) expect(listed.out).toContain(fs.readFileSync(`${path}.pub`, 'utf8').trim())
    fs.writeFileSync(join(directory, 'message'), 'hello')
    for (const path of paths) {
      expect(await tool(agent.path, 'ssh-add', '-T', `${path}.pub`)).toMatchObject({ code: 0 })
    }
    expect((await tool(agent.path, 'ssh-add', '-D')).code).not.toBe(0)
  })

  it('refuses what it does not know and what is malformed', async () => {
    const path = join(directory, 'pem-one')
    fs.writeFileSync(path, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await using agent = await open([path])
    const answers = await ask(agent.path, frame(17), frame(AGENT.SIGN_REQUEST, Buffer.from([0, 0, 0, 9])), identities)
    expect(answers.map((answer) => answer[0])).toEqual([AGENT.FAILURE, AGENT.FAILURE, AGENT.IDENTITIES_ANSWER])
    const socket = net.connect(agent.path)
    socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
    await new Promise((resolve) => socket.once('close', resolve))
  })

  it.skipIf(!openssh)('says what is wrong with a key (needs openssh-client)', async () => {
    const locked = join(directory, 'locked')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', locked])
    await expect(open([locked])).rejects.toMatchObject({
      code: 'SSH_UNAVAILABLE',
      message: expect.stringContaining('passphrase'),
      hint: expect.stringContaining('ssh-add'),
    })
    await expect(open([`${locked}.pub`])).rejects.toMatchObject({
      code: 'SSH_UNAVAILABLE',
      message: expect.stringMatching(/locked\.pub.*public key/),
      hint: expect.stringContaining(`${locked}`),
    })
    fs.writeFileSync(join(directory, 'nokey'), 'hello')
    await expect(open([join(directory, 'nokey')])).rejects.toMatchObject({ code: 'SSH_UNAVAILABLE' })
    await expect(open([join(directory, 'absent')])).rejects.toMatchObject({ code: 'SSH_UNAVAILABLE' })
    await expect(open([])).rejects.toMatchObject({
      code: 'SSH_UNAVAILABLE',
      message: expect.stringContaining('SSH_AUTH_SOCK'),
    })
  })

  it('leaves no socket behind', async () => {
    const path = join(directory, 'pem-last')
    fs.writeFileSync(path, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const agent = await open([path])
    expect(fs.statSync(agent.path).isSocket()).toBe(true)
    await agent[Symbol.asyncDispose]()
    expect(fs.readdirSync(join(directory, 'sockets'))).toEqual([])
  })
})

describe('an agent of the caller’s', () => {
  it('hears nothing but listing and signing; the rest is refused as the reference refuses it', async () => {
    const sock = join(directory, 'recorder')
    const heard: number[] = []
    const server = net.createServer(async (socket) => {
      for await (const request of readFrames(socket)) {
        heard.push(request[0]!)
        // In two parts: an answer that is given meanwhile must not get between them.
        const answer = frame(request[0]! + 1, Buffer.alloc(8))
        socket.write(answer.subarray(0, 6))
        await new Promise((resolve) => setTimeout(resolve, 20))
        socket.write(answer.subarray(6))
      }
    })
    await new Promise<void>((resolve) => server.listen(sock, resolve))
    try {
      await using agent = await open([], sock)
      const sign = frame(AGENT.SIGN_REQUEST, sshString(''), sshString(''), Buffer.alloc(4))
      const extension = frame(AGENT.EXTENSION, sshString('session-bind@openssh.com'))
      // Adding, removing, cards, locking, unlocking, adding with constraints; and numbers that nobody uses.
      const changes = [1, 17, 18, 19, 20, 21, 22, 23, 25, 26, 200].map((type) => frame(type))
      const answers = await ask(agent.path, identities, extension, sign, ...changes, identities)
      expect(answers.map((answer) => answer[0])).toEqual([
        AGENT.IDENTITIES_ANSWER,
        AGENT.EXTENSION_FAILURE,
        AGENT.SIGN_RESPONSE,
        ...changes.map(() => AGENT.FAILURE),
        AGENT.IDENTITIES_ANSWER,
      ])
      expect(heard).toEqual([AGENT.REQUEST_IDENTITIES, AGENT.SIGN_REQUEST, AGENT.REQUEST_IDENTITIES])
    } finally {
      server.close()
    }
  })
})

describe.skipIf(!openssh)('an agent of the caller’s (needs openssh-client)', () => {
  it('can be used but not changed', async () => {
    const sock = join(directory, 'outer')
    const outer = spawn('ssh-agent', ['-D', '-a', sock], { stdio: 'ignore' })
    try {
      for (let i = 0; i < 100 && !fs.existsSync(sock); i++) await new Promise((resolve) => setTimeout(resolve, 20))
      const path = join(directory, 'id_outer')
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'outer', '-f', path])
      expect((await tool(sock, 'ssh-add', path)).code).toBe(0)
      await using agent = await open([], sock)
      expect((await tool(agent.path, 'ssh-add', '-L')).out).toContain('outer')
      expect((await tool(agent.path, 'ssh-add', '-T', `${path}.pub`)).code).toBe(0)
      expect((await tool(agent.path, 'ssh-add', '-D')).code).not.toBe(0)
      expect((await tool(sock, 'ssh-add', '-L')).out).toContain('outer')
    } finally {
      outer.kill()
    }
  })
})
