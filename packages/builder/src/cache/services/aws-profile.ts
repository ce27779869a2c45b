/** Profiles of the files that Amazon's tools share: `~/.aws/config` and `~/.aws/credentials`. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { schema } from '@tsbuild/registry-client'
import { hasCode } from '../../util/has-code.ts'
import {
  type AwsContext,
  type AwsIdentity,
  CREDENTIALS_LIMIT,
  parseIdentity,
  parseSecret,
  time,
} from './aws-identity.ts'
import { assumeRole } from './aws-sts.ts'
import { hider, readAnswer, ServiceError, serviceError } from './service-error.ts'

type Section = ReadonlyMap<string, string>

/** What `credential_source` names, beside what a profile has itself. */
export type OtherSources = Readonly<
  Record<'Environment' | 'EcsContainer' | 'Ec2InstanceMetadata', () => Promise<AwsIdentity | undefined>>
>

/** Profiles that take roles by one another. */
const MAX_DEPTH = 5
const PROCESS_MS = 60_000

/** The credentials of the profile AWS_PROFILE, else `default`; undefined: it has none. @throws ServiceError */
export async function profileCredentials(
  context: AwsContext,
  sources: OtherSources,
  signal: AbortSignal,
): Promise<AwsIdentity | undefined> {
  const { env, home } = context
  const [config, credentials] = await Promise.all([
    readSections(env.AWS_CONFIG_FILE || join(home, '.aws/config'), signal),
    readSections(env.AWS_SHARED_CREDENTIALS_FILE || join(home, '.aws/credentials'), signal),
  ])
  const section = (name: string): Section =>
    new Map([...(config.get(`profile ${name}`) ?? config.get(name) ?? []), ...(credentials.get(name) ?? [])])
  const resolve = async (name: string, depth: number): Promise<AwsIdentity | undefined> => {
    if (depth > MAX_DEPTH) throw new ServiceError(`profile ${name} takes a role by itself`)
    const profile = section(name)
    const role = profile.get('role_arn')
    const [id, secret] = [profile.get('aws_access_key_id'), profile.get('aws_secret_access_key')]
    const own =
      id && secret
        ? {
            accessKeyId: id,
            secretAccessKey: secret,
            sessionToken: profile.get('aws_session_token'),
            expires: undefined,
          }
        : undefined
    if (role) {
      const token = profile.get('web_identity_token_file')
      const session = profile.get('role_session_name')
      if (token) {
        const text = (await readFile(token, { encoding: 'utf8', signal })).trim()
        return assumeRole(context, { role, session, by: { token: text } }, signal)
      }
      const from = profile.get('source_profile')
      const kind = profile.get('credential_source')
      const by = from === name ? own : from ? await resolve(from, depth + 1) : await sourceOf(sources, kind, name)
      if (by === undefined) throw new ServiceError(`profile ${name} has nobody to take its role by`)
      if (profile.has('mfa_serial')) throw new ServiceError(`profile ${name} wants a code of a device (mfa_serial)`)
      return assumeRole(context, { role, session, externalId: profile.get('external_id'), by }, signal)
    }
    if (own) return own
    if (profile.has('sso_account_id')) return ssoCredentials(context, profile, config, signal)
    const command = profile.get('credential_process')
    return command ? processCredentials(command, name, signal) : undefined
  }
  const named = env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE
  if (named && section(named).size === 0) throw new ServiceError(`there is no profile ${named}`)
  return resolve(named || 'default', 0)
}

async function sourceOf(sources: OtherSources, kind: string | undefined, name: string) {
  if (kind === undefined) return undefined
  if (!Object.hasOwn(sources, kind)) throw new ServiceError(`profile ${name} has an unknown credential_source`)
  return sources[kind as keyof OtherSources]()
}

/** A program that prints credentials, as the profile's owner configured it. */
async function processCredentials(command: string, profile: string, signal: AbortSignal): Promise<AwsIdentity> {
  const what = `credential_process of profile ${profile}`
  const options = { signal, timeout: PROCESS_MS, maxBuffer: CREDENTIALS_LIMIT }
  const run = promisify(execFile)('/bin/sh', ['-c', command], options)
  const { stdout } = await run.catch(() => {
    signal.throwIfAborted()
    // What it printed, and the command, may hold what is secret.
    throw new ServiceError(`${what} failed`)
  })
  return parseIdentity(Buffer.from(stdout), what)
}

const login = schema.object<{ accessToken: string; expiresAt: string }>({
  accessToken: schema.text,
  expiresAt: schema.text,
})

interface RoleCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiration: number
}

const roleAnswer = schema.object<{ roleCredentials: RoleCredentials }>({
  roleCredentials: schema.object<RoleCredentials>({
    accessKeyId: schema.text,
    secretAccessKey: schema.text,
    sessionToken: schema.text,
    expiration: schema.size,
  }),
})

/** What `aws sso login` has left is exchanged for credentials of the profile's role. */
async function ssoCredentials(
  { client, home, now }: AwsContext,
  profile: Section,
  config: ReadonlyMap<string, Section>,
  signal: AbortSignal,
): Promise<AwsIdentity> {
  const session = profile.get('sso_session')
  const of = session === undefined ? profile : (config.get(`sso-session ${session}`) ?? new Map<string, string>())
  const [start, region] = [of.get('sso_start_url') ?? '', of.get('sso_region') ?? '']
  if (!/^[a-z0-9-]{1,40}$/.test(region)) throw new ServiceError('the profile has no sso_region')
  const again = new ServiceError('the login of the profile has ended: run `aws sso login`')
  const file = createHash('sha1')
    .update(session ?? start)
    .digest('hex')
  const text = await readFile(join(home, '.aws/sso/cache', `${file}.json`), { signal }).catch(() => {
    signal.throwIfAborted()
    throw again
  })
  const { accessToken, expiresAt } = parseSecret(text, login, 'the login of the profile')
  if ((time(expiresAt) ?? 0) <= now()) throw again
  const url = new URL(`https://portal.sso.${region}.amazonaws.com/federation/credentials`)
  url.searchParams.set('role_name', profile.get('sso_role_name') ?? '')
  url.searchParams.set('account_id', profile.get('sso_account_id') ?? '')
  const headers = () => ({ 'x-amz-sso_bearer_token': accessToken })
  await using answer = await client.request(url, { method: 'GET', headers, what: url.host, signal })
  if (answer.status !== 200) throw await serviceError(url.host, answer, hider(accessToken))
  const bytes = await readAnswer(answer, CREDENTIALS_LIMIT, url.host)
  const { expiration, ...credentials } = parseSecret(bytes, roleAnswer, url.host).roleCredentials
  return { ...credentials, expires: expiration }
}

/** Sections by their names; no file has none. */
async function readSections(file: string, signal: AbortSignal): Promise<ReadonlyMap<string, Section>> {
  const text = await readFile(file, { encoding: 'utf8', signal }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'EACCES', 'ENOTDIR')) return ''
    throw error
  })
  const sections = new Map<string, Map<string, string>>()
  let current: Map<string, string> | undefined
  for (const line of text.slice(0, CREDENTIALS_LIMIT).split(/\r?\n/)) {
    const head = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)
    if (head !== null) {
      const name = head[1]!.replace(/\s+/g, ' ')
      current = sections.get(name) ?? new Map()
      sections.set(name, current)
      continue
    }
    // Indented lines belong to the value above, which has parts that nothing here needs.
    const setting = /^([\w-]+)\s*=\s*(.*?)\s*$/.exec(line)
    if (setting !== null) current?.set(setting[1]!.toLowerCase(), setting[2]!)
  }
  return sections
}
