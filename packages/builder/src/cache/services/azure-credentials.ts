/**
 * Whose requests to Azure are, where no key is given: found where its own libraries find it, in their order. A service's
 * secret, the identity of a workload, of a machine, then whoever is logged in with its command.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type RegistryClient, schema } from '@tsbuild/registry-client'
import type { Env } from '../backend.ts'
import { type Hide, hider, readAnswer, ServiceError, serviceError } from './service-error.ts'

export interface AzureContext {
  readonly client: RegistryClient
  readonly env: Env
  readonly now: () => number
}

interface Token {
  readonly text: string
  readonly expires: number
}

const RESOURCE = 'https://storage.azure.com'
const LIMIT = 256 << 10
const EARLY_MS = 5 * 60_000
/** The service of the machine is asked once and soon given up: most machines have none. */
const MACHINE_MS = 1000
const COMMAND_MS = 30_000

/** Finds a token when it is first needed, and again before it ends. */
export function azureToken(context: AzureContext): (signal: AbortSignal) => Promise<string> {
  let asked: Promise<Token> | undefined
  return async (signal) => {
    const known = await asked?.catch(() => undefined)
    if (known !== undefined && known.expires - EARLY_MS > context.now()) return known.text
    asked = findToken(context, signal)
    return (await asked).text
  }
}

async function findToken(context: AzureContext, signal: AbortSignal): Promise<Token> {
  for (const source of [application, machine, command]) {
    const found = await source(context, signal)
    if (found !== undefined) return found
  }
  throw new ServiceError(
    'there are no credentials: give secret_access_key, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or log in with `az login`',
  )
}

/** A registered application, by its secret or by the token of another identity provider. */
async function application(context: AzureContext, signal: AbortSignal): Promise<Token | undefined> {
  const { env } = context
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = env
  const { AZURE_FEDERATED_TOKEN_FILE: file, AZURE_AUTHORITY_HOST: authority } = env
  if (!tenant || !id || (!secret && !file)) return undefined
  if (!/^[\w.-]{1,255}$/.test(tenant)) throw new ServiceError('AZURE_TENANT_ID is none')
  const assertion = secret ? '' : (await readFile(file!, { encoding: 'utf8', signal })).trim()
  const host = authority || 'https://login.microsoftonline.com/'
  const url = new URL(`${tenant}/oauth2/v2.0/token`, host.replace(/\/*$/, '/'))
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: id,
    scope: `${RESOURCE}/.default`,
    ...(secret
      ? { client_secret: secret }
      : {
          client_assertion: assertion,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        }),
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = Buffer.from(form.toString())
  return ask(context, url, { method: 'POST', headers, body, hide: hider(secret, assertion) }, signal)
}

/** What a machine, an app service or a container of Azure is given. */
async function machine(context: AzureContext, signal: AbortSignal): Promise<Token | undefined> {
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header, AZURE_CLIENT_ID: id } = context.env
  const service = endpoint && header
  const url = new URL(service ? endpoint : 'http://169.254.169.254/metadata/identity/oauth2/token')
  url.searchParams.set('api-version', service ? '2019-08-01' : '2018-02-01')
  url.searchParams.set('resource', RESOURCE)
  if (id) url.searchParams.set('client_id', id)
  const headers: Record<string, string> = service ? { 'x-identity-header': header } : { metadata: 'true' }
  const call = { method: 'GET', headers, hide: hider(header) } as const
  if (service) return ask(context, url, call, signal)
  try {
    return await ask(context, url, call, AbortSignal.any([signal, AbortSignal.timeout(MACHINE_MS)]), 1)
  } catch {
    // No machine of Azure's, or one without an identity.
    signal.throwIfAborted()
    return undefined
  }
}

const cliAnswer = schema.object<{ accessToken: string; expires_on: number | undefined; expiresOn: string }>({
  accessToken: schema.text,
  expires_on: schema.optional(schema.integer),
  expiresOn: schema.text,
})

/** Who is logged in with Azure's command. */
async function command({ now }: AzureContext, signal: AbortSignal): Promise<Token | undefined> {
  const args = ['account', 'get-access-token', '--output', 'json', '--resource', RESOURCE]
  try {
    const { stdout } = await promisify(execFile)('az', args, { signal, timeout: COMMAND_MS, maxBuffer: LIMIT })
    const { accessToken, expires_on: seconds } = schema.parseDocument(Buffer.from(stdout), cliAnswer)
    // Its older versions say when in local time only: their tokens count for some minutes.
    return { text: accessToken, expires: seconds === undefined ? now() + 2 * EARLY_MS : seconds * 1000 }
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

const seconds: schema.Schema<number> = (value, field) => schema.integer(Number(value), field)

const tokenAnswer = schema.object<{ access_token: string; expires_in: number }>({
  access_token: schema.text,
  expires_in: seconds,
})

async function ask(
  { client, now }: AzureContext,
  url: URL,
  call: {
    readonly method: 'GET' | 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly body?: Buffer
    readonly hide: Hide
  },
  signal: AbortSignal,
  attempts?: number,
): Promise<Token> {
  const what = `token from ${url.host}`
  const { method, headers, body, hide } = call
  await using answer = await client.request(url, { method, headers: () => headers, body, attempts, what, signal })
  if (answer.status !== 200) throw await serviceError(what, answer, hide)
  try {
    const { access_token, expires_in } = schema.parseDocument(await readAnswer(answer, LIMIT, what), tokenAnswer)
    return { text: access_token, expires: now() + expires_in * 1000 }
  } catch (error) {
    if (!(error instanceof schema.SchemaProblem)) throw error
    throw new ServiceError(`${what}: the answer has none`)
  }
}
