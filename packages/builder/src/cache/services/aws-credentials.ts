/**
 * Whose requests to Amazon's services are: found where its own tools find it, in their order. Environment variables, a
 * web identity, a profile of the shared files, then what a container or a machine is given.
 */
import { readFile } from 'node:fs/promises'
import { type AwsContext, type AwsIdentity, CREDENTIALS_LIMIT, parseIdentity } from './aws-identity.ts'
import { type OtherSources, profileCredentials } from './aws-profile.ts'
import { assumeRole } from './aws-sts.ts'
import { readAnswer, ServiceError, serviceError } from './service-error.ts'
import type { AwsCredentials } from './sigv4.ts'

/** Before they end, new ones are asked for. */
const EARLY_MS = 5 * 60_000

/**
 * Finds credentials when they are first needed, and again before they end.
 *
 * @param own what the user gave in the attributes of the cache, which comes first
 */
export function awsCredentials(
  context: AwsContext,
  own: AwsCredentials | undefined,
): (signal: AbortSignal) => Promise<AwsCredentials> {
  if (own !== undefined) return async () => own
  let asked: Promise<AwsIdentity> | undefined
  return async (signal) => {
    const known = await asked?.catch(() => undefined)
    if (known !== undefined && (known.expires === undefined || known.expires - EARLY_MS > context.now())) return known
    asked = findCredentials(context, signal)
    return asked
  }
}

async function findCredentials(context: AwsContext, signal: AbortSignal): Promise<AwsIdentity> {
  const { env } = context
  const sources: OtherSources = {
    Environment: async () => environmentCredentials(context),
    EcsContainer: () => containerCredentials(context, signal),
    Ec2InstanceMetadata: () => machineCredentials(context, signal),
  }
  const given = environmentCredentials(context)
  if (given !== undefined) return given
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role, AWS_ROLE_SESSION_NAME: session } = env
  if (file && role) return assumeRole(context, { role, session, by: { token: await readToken(file, signal) } }, signal)
  const found =
    (await profileCredentials(context, sources, signal)) ??
    (await sources.EcsContainer()) ??
    (await sources.Ec2InstanceMetadata())
  if (found !== undefined) return found
  throw new ServiceError(
    'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or access_key_id and secret_access_key of the cache',
  )
}

function environmentCredentials({ env }: AwsContext): AwsIdentity | undefined {
  const accessKeyId = env.AWS_ACCESS_KEY_ID || env.AWS_ACCESS_KEY
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY || env.AWS_SECRET_KEY
  if (!accessKeyId || !secretAccessKey) return undefined
  return { accessKeyId, secretAccessKey, sessionToken: env.AWS_SESSION_TOKEN || undefined, expires: undefined }
}

/** What ECS, EKS and others give a container. */
async function containerCredentials(
  { client, env }: AwsContext,
  signal: AbortSignal,
): Promise<AwsIdentity | undefined> {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = env
  if (!path && !full) return undefined
  const address = path ? `http://169.254.170.2${path}` : full!
  if (!URL.canParse(address)) throw new ServiceError('the address of the credentials of the container is not a URL')
  const url = new URL(address)
  // As Amazon's tools have it: over plain HTTP only from the machine itself and its link-local addresses.
  const local = /^(127\.[\d.]+|localhost|\[::1\]|169\.254\.170\.(2|23)|\[fd00:ec2::23\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !local)
    throw new ServiceError(`credentials of the container are not fetched from ${url.host} without TLS`)
  const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
  const token = file ? await readToken(file, signal) : env.AWS_CONTAINER_AUTHORIZATION_TOKEN
  const headers = () => (token ? { authorization: token } : {})
  const what = `credentials of the container from ${url.host}`
  await using answer = await client.request(url, { method: 'GET', headers, what, signal })
  if (answer.status !== 200) throw await serviceError(what, answer, () => '')
  return parseIdentity(await readAnswer(answer, CREDENTIALS_LIMIT, what), what)
}

/** The service of the machine is asked once and soon given up: most machines have none. */
const MACHINE_MS = 1000

/** What EC2 gives a machine, by its session-oriented interface (IMDSv2). */
async function machineCredentials({ client, env }: AwsContext, signal: AbortSignal): Promise<AwsIdentity | undefined> {
  if (/^true$/i.test(env.AWS_EC2_METADATA_DISABLED ?? '')) return undefined
  const base = env.AWS_EC2_METADATA_SERVICE_ENDPOINT || 'http://169.254.169.254'
  const ask = async (method: 'GET' | 'PUT', path: string, headers: Record<string, string>) => {
    const url = new URL(path, base)
    const body = method === 'PUT' ? Buffer.alloc(0) : undefined
    const soon = AbortSignal.any([signal, AbortSignal.timeout(MACHINE_MS)])
    const request = { method, headers: () => headers, body, attempts: 1, what: url.host, signal: soon }
    await using answer = await client.request(url, request)
    return answer.status === 200 ? await readAnswer(answer, CREDENTIALS_LIMIT, url.host) : undefined
  }
  try {
    const token = await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' })
    if (token === undefined) return undefined
    const session = { 'x-aws-ec2-metadata-token': token.toString().trim() }
    const path = '/latest/meta-data/iam/security-credentials/'
    const role = (await ask('GET', path, session))?.toString().trim().replace(/\n.*/s, '')
    if (!role) return undefined
    const answer = await ask('GET', `${path}${encodeURIComponent(role)}`, session)
    return answer === undefined ? undefined : parseIdentity(answer, 'the service of the machine')
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ServiceError) throw error
    return undefined
  }
}

/** A file that holds a token and nothing else. */
async function readToken(file: string, signal: AbortSignal): Promise<string> {
  return (await readFile(file, { encoding: 'utf8', signal })).trim()
}
