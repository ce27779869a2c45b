/** Roles that are taken for a while: Amazon's Security Token Service. */
import { type AwsContext, type AwsIdentity, CREDENTIALS_LIMIT, time } from './aws-identity.ts'
import { elementOf, hider, readAnswer, ServiceError, serviceError } from './service-error.ts'
import { type AwsCredentials, signRequest } from './sigv4.ts'

/** A role, and whose right it is to take it. */
export interface RoleRequest {
  readonly role: string
  readonly session: string | undefined
  readonly externalId?: string | undefined
  /** Other credentials, or the token of another identity provider, such as a CI system's. */
  readonly by: AwsCredentials | { readonly token: string }
}

/** Takes a role. @throws ServiceError */
export async function assumeRole(
  { client, env, region, now }: AwsContext,
  { role, session, externalId, by }: RoleRequest,
  signal: AbortSignal,
): Promise<AwsIdentity> {
  const token = 'token' in by ? by.token : undefined
  const fields = new URLSearchParams({
    Action: token === undefined ? 'AssumeRole' : 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: session || `tsbuild-${now()}`,
    ...(externalId && { ExternalId: externalId }),
    ...(token !== undefined && { WebIdentityToken: token }),
  })
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const url = new URL(env.AWS_ENDPOINT_URL_STS || `https://sts.${region}.${suffix}/`)
  const body = Buffer.from(fields.toString())
  const plain = { 'content-type': 'application/x-www-form-urlencoded' }
  const scope = { region, service: 'sts' }
  const headers = () =>
    'token' in by
      ? plain
      : signRequest({ method: 'POST', url, headers: plain, body }, { ...scope, credentials: by, time: now() })
  const what = `${fields.get('Action')} at ${url.host}`
  await using answer = await client.request(url, { method: 'POST', headers, body, what, signal })
  if (answer.status !== 200) throw await serviceError(what, answer, hider(token))
  const xml = (await readAnswer(answer, CREDENTIALS_LIMIT, what)).toString()
  const accessKeyId = elementOf(xml, 'AccessKeyId')
  const secretAccessKey = elementOf(xml, 'SecretAccessKey')
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw new ServiceError(`${what}: the answer has no credentials`)
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken: elementOf(xml, 'SessionToken'),
    expires: time(elementOf(xml, 'Expiration')),
  }
}
