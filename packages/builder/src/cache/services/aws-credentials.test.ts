import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RegistryClient } from '@tsbuild/registry-client'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../backends/temporary.test-support.ts'
import { awsCredentials } from './aws-credentials.ts'
import { type Exchange, TestServer } from './test-server.test-support.ts'

const signal = new AbortController().signal
const NOW = Date.UTC(2030, 0, 1)
const LATER = '2030-01-01T01:00:00Z'
const given = { AccessKeyId: 'given', SecretAccessKey: 'secret', Token: 'token', Expiration: LATER }

interface Case {
  readonly config?: string
  readonly credentials?: string
  readonly files?: Readonly<Record<string, string>>
  /** `ORIGIN` and `HOME` in values are the server's and the directory. */
  readonly env?: Readonly<Record<string, string>>
  readonly answer?: (exchange: Exchange) => unknown
}

/** Finds credentials on a machine like that, and tells what was asked. */
async function find({ config, credentials, files = {}, env = {}, answer = () => {} }: Case) {
  const asked: string[] = []
  await using home = await temporaryDirectory()
  await using server = await new TestServer((exchange) => {
    asked.push(`${exchange.method} ${exchange.url.pathname}${exchange.url.search} ${exchange.body}`)
    return answer(exchange)
  }).start()
  await using client = new RegistryClient({ credentials: false, env: {} })
  await mkdir(join(home.path, '.aws/sso/cache'), { recursive: true })
  if (config !== undefined) await writeFile(join(home.path, '.aws/config'), config)
  if (credentials !== undefined) await writeFile(join(home.path, '.aws/credentials'), credentials)
  for (const [name, text] of Object.entries(files)) await writeFile(join(home.path, name), text)
  const filled = Object.entries({ AWS_EC2_METADATA_DISABLED: 'true', AWS_ENDPOINT_URL_STS: 'ORIGIN/', ...env }).map(
    ([name, value]) => [name, value.replace('ORIGIN', server.origin).replace('HOME', home.path)],
  )
  const context = { client, env: Object.fromEntries(filled), home: home.path, region: 'eu-x', now: () => NOW }
  const credentialsOf = awsCredentials(context, undefined)
  const found = await credentialsOf(signal)
  expect(await credentialsOf(signal)).toEqual(found)
  return { id: found.accessKeyId, token: found.sessionToken, asked }
}

const role = ({ response, body }: Exchange) => {
  const name = new URLSearchParams(body.toString()).get('RoleArn')
  response.end(
    `<R><Credentials><AccessKeyId>of ${name}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t&amp;t</SessionToken><Expiration>${LATER}</Expiration></Credentials></R>`,
  )
}

describe('credentials for Amazon', () => {
  it('are those of the environment first', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'env', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 't' }
    const found = await find({ env, credentials: '[default]\naws_access_key_id=file\naws_secret_access_key=s' })
    expect(found).toEqual({ id: 'env', token: 't', asked: [] })
  })

  it.each<[string, Case, string]>([
    ['the default profile', { credentials: '[default]\naws_access_key_id = a\naws_secret_access_key=b # c\n' }, 'a'],
    [
      'a named profile of both files',
      {
        env: { AWS_PROFILE: 'dev' },
        config:
          '[profile dev]\r\nregion = x\r\ns3 =\r\n  aws_access_key_id = no\r\n[profile other]\r\naws_access_key_id=no',
        credentials: '; comment\n[ dev ]\naws_access_key_id=d\naws_secret_access_key=e',
      },
      'd',
    ],
    [
      'files in other places',
      {
        env: { AWS_SHARED_CREDENTIALS_FILE: 'HOME/elsewhere' },
        files: { elsewhere: '[default]\naws_access_key_id=x\naws_secret_access_key=y' },
      },
      'x',
    ],
    [
      'a program',
      {
        config: `[default]\ncredential_process = echo '{"Version":1,"AccessKeyId":"p","SecretAccessKey":"s"}'\n`,
      },
      'p',
    ],
  ])('are those of %s', async (_, machine, id) => {
    expect(await find(machine)).toMatchObject({ id, asked: [] })
  })

  it('are taken from a role by another profile, signed', async () => {
    const config = [
      '[default]\nrole_arn=one\nsource_profile=two\nexternal_id=x',
      '[profile two]\naws_access_key_id=me\naws_secret_access_key=s',
    ]
    let signed = ''
    const answer = (exchange: Exchange) => {
      signed = String(exchange.headers.authorization)
      return role(exchange)
    }
    const found = await find({ config: config.join('\n'), answer })
    expect(found).toMatchObject({ id: 'of one', token: 't&t' })
    expect(found.asked).toEqual([expect.stringMatching(/Action=AssumeRole&.*RoleArn=one&.*ExternalId=x/)])
    expect(signed).toMatch(/^AWS4-HMAC-SHA256 Credential=me\/20300101\/eu-x\/sts\//)
  })

  it('are taken from a role by the token of a web identity', async () => {
    const env = { AWS_ROLE_ARN: 'web', AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/token' }
    const found = await find({ env, files: { token: 'jwt\n' }, answer: role })
    expect(found).toMatchObject({ id: 'of web' })
    expect(found.asked).toEqual([expect.stringMatching(/AssumeRoleWithWebIdentity.*WebIdentityToken=jwt$/)])
  })

  it('are those of a container', async () => {
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'ORIGIN/c?a=b', AWS_CONTAINER_AUTHORIZATION_TOKEN: 'tell me' }
    const found = await find({
      env,
      answer: ({ headers, response }) =>
        headers.authorization === 'tell me' ? response.end(JSON.stringify(given)) : response.writeHead(403).end(),
    })
    expect(found).toEqual({ id: 'given', token: 'token', asked: ['GET /c?a=b '] })
  })

  it('are those of the machine', async () => {
    const env = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: 'ORIGIN' }
    const found = await find({
      env,
      answer({ method, url, headers, response }) {
        if (method === 'PUT') return response.end('session')
        if (headers['x-aws-ec2-metadata-token'] !== 'session') return response.writeHead(401).end()
        return response.end(url.pathname.endsWith('/role') ? JSON.stringify(given) : 'role\nother')
      },
    })
    expect(found).toMatchObject({ id: 'given', token: 'token' })
    expect(found.asked).toHaveLength(3)
  })

  it('are found again before they end', async () => {
    await using server = await new TestServer(({ response }) => response.end(JSON.stringify(given))).start()
    await using client = new RegistryClient({ credentials: false, env: {} })
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: server.origin }
    let now = NOW
    const find = awsCredentials({ client, env, home: '/nowhere', region: 'eu-x', now: () => now }, undefined)
    await find(signal)
    now = Date.parse(LATER) - 6 * 60_000
    await find(signal)
    expect(server.seen).toHaveLength(1)
    now += 2 * 60_000
    await find(signal)
    expect(server.seen).toHaveLength(2)
  })

  it.each<[string, Case, RegExp]>([
    ['there are none', {}, /there are no credentials: set AWS_ACCESS_KEY_ID/],
    ['a profile is not there', { env: { AWS_PROFILE: 'gone' } }, /there is no profile gone/],
    [
      'profiles take roles by one another',
      { config: '[default]\nrole_arn=a\nsource_profile=b\n[profile b]\nrole_arn=b\nsource_profile=default' },
      /takes a role by itself/,
    ],
    [
      'a program prints something else',
      { config: '[default]\ncredential_process=echo hush' },
      /^(?!.*hush).*credential_process of profile default gave something else/,
    ],
    [
      'a login has ended',
      { config: '[default]\nsso_account_id=1\nsso_role_name=r\nsso_region=eu-x\nsso_start_url=https://x' },
      /run `aws sso login`/,
    ],
    [
      'a container is told to ask far away without TLS',
      { env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://192.0.2.1/x' } },
      /without TLS/,
    ],
    [
      'a role is refused',
      {
        env: { AWS_ROLE_ARN: 'web', AWS_WEB_IDENTITY_TOKEN_FILE: 'HOME/token' },
        files: { token: 'hush hush' },
        answer: ({ response }) =>
          response.writeHead(403).end('<E><Code>Denied</Code><Message>not with hush hush</Message></E>'),
      },
      /status 403 \(Denied: not with \*\*\*\)/,
    ],
  ])('are missed in words when %s', async (_, machine, message) => {
    await expect(find(machine)).rejects.toThrow(message)
  })
})
