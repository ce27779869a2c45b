/**
 * How a repository is reached: its URL without credentials, and the credentials by ways that leave no trace. Git is given
 * them in its environment and asks for them when the server does, so that no command line, configuration file, reflog or
 * checkout ever holds them, whatever git makes of a URL.
 */
import { throwIfAborted } from '../errors.ts'
import { redactUrl, redactUrls } from '../redact.ts'
import { contextErrors } from './errors.ts'

/** What the caller offers to those who fetch. */
export interface GitAccess {
  /** A secret by its id; undefined when there is none of that id. */
  secret(id: string, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** A socket of the agent offered as `default`; undefined when none is offered. */
  agent(): Promise<({ readonly path: string } & AsyncDisposable) | undefined>
  /** Files with the keys of hosts. */
  readonly knownHosts: readonly string[]
}

/** A repository that git can be run with. */
export interface GitRemote extends AsyncDisposable {
  /** Without credentials. */
  readonly url: string
  /** The URL for messages. */
  readonly shown: string
  /** Configuration for git's command line; holds nothing that is secret. */
  readonly config: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** A text without anything secret. */
  redact(text: string): string
}

/** Opens a way to a repository. @throws BuildError GIT_URL_INVALID, GIT_SSH_MISSING, GIT_AUTH_INVALID */
export async function openGitRemote(
  url: string,
  access: GitAccess | undefined,
  signal: AbortSignal,
): Promise<GitRemote> {
  throwIfAborted(signal)
  const resources = new AsyncDisposableStack()
  try {
    const clean = withoutCredentials(url)
    const login = urlLogin(url, clean)
    const header = access && (await secretHeader(clean, access, signal))
    const ssh = await openSsh(clean, access, resources)
    const secrets = [...(login?.secrets ?? []), ...(header?.secrets ?? [])]
    return {
      url: clean,
      shown: redactUrl(url),
      config: login?.config ?? [],
      env: { ...login?.env, ...header?.env, ...ssh },
      redact: (text) => redactUrls(secrets.reduce((rest, secret) => rest.replaceAll(secret, 'xxxxx'), text)),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}

/** What of {@link GitRemote} a way to prove who one is consists of. */
interface Proof {
  readonly config?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly secrets: readonly string[]
}

const isHttp = (url: string): boolean => /^https?:\/\//i.test(url)
const isSsh = (url: string): boolean => /^ssh:\/\/|^[^/:]+:(?![:/])/i.test(url)

/** Of an ssh URL the user stays. */
export function withoutCredentials(url: string): string {
  if (/^ssh:\/\//i.test(url)) return url.replace(/^(ssh:\/\/[^/?#@:]*):[^/?#]*@/i, '$1@')
  return url.replace(/^(https?:\/\/)[^/?#]*@/i, '$1')
}

/** A helper that answers git's questions about this origin from git's own environment. */
const HELPER =
  '!f() { test "$1" = get && printf \'username=%s\\npassword=%s\\n\' "$TSBUILD_GIT_USERNAME" "$TSBUILD_GIT_PASSWORD"; }; f'

/** User and password of the URL, for the whole origin: relative submodules are fetched with them too. */
function urlLogin(url: string, clean: string): Proof | undefined {
  if (!isHttp(url) || url === clean || !URL.canParse(url)) return undefined
  const parsed = new URL(url)
  const [username, password] = [decoded(parsed.username), decoded(parsed.password)]
  for (const text of [username, password]) checkLine(text, 'the user or password of a git URL')
  // A user alone may be a token.
  const secret = password === '' ? (username.length >= 8 ? username : '') : password
  const encoded = password === '' ? parsed.username : parsed.password
  return {
    config: [`credential.${parsed.origin}.helper=${HELPER}`],
    env: { TSBUILD_GIT_USERNAME: username, TSBUILD_GIT_PASSWORD: password },
    secrets: secret === '' ? [] : [secret, encoded],
  }
}

/**
 * The secrets GIT_AUTH_HEADER and GIT_AUTH_TOKEN, or those for one host: GIT_AUTH_TOKEN.github.com. As in the reference
 * they are for this repository alone, except on GitHub, where they are for all.
 */
async function secretHeader(url: string, access: GitAccess, signal: AbortSignal): Promise<Proof | undefined> {
  if (!isHttp(url) || !URL.canParse(url)) return undefined
  const { host } = new URL(url)
  for (const id of [`GIT_AUTH_HEADER.${host}`, `GIT_AUTH_TOKEN.${host}`, 'GIT_AUTH_HEADER', 'GIT_AUTH_TOKEN']) {
    const bytes = await access.secret(id, signal)
    if (bytes === undefined) continue
    const text = Buffer.from(bytes).toString('utf8').trim()
    checkLine(text, `the secret ${id}`)
    const basic = Buffer.from(`x-access-token:${text}`).toString('base64')
    const value = id.startsWith('GIT_AUTH_TOKEN') ? `basic ${basic}` : text
    const scope = /^https:\/\/(?:www\.)?github\.com\//i.exec(url)?.[0] ?? url
    return {
      env: {
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: `http.${scope}.extraheader`,
        GIT_CONFIG_VALUE_0: `Authorization: ${value}`,
      },
      secrets: text === '' ? [] : [text, basic, ...text.split(/\s+/).filter((word) => word.length >= 8)],
    }
  }
  return undefined
}

/** What would add a line of its own to what git or a server reads. */
function checkLine(text: string, what: string): void {
  if (/[\0\r\n]/.test(text)) throw contextErrors.gitAuthInvalid([what])
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Nothing of the caller's own set-up counts: no configuration, keys or agent that were not offered. */
const SSH_COMMAND = [
  'ssh -F /dev/null',
  ...[
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'CheckHostIP=no',
    'PreferredAuthentications=publickey',
    'IdentityFile=none',
    'ForwardAgent=no',
    'ClearAllForwardings=yes',
  ].map((option) => `-o ${option}`),
].join(' ')

async function openSsh(
  url: string,
  access: GitAccess | undefined,
  resources: AsyncDisposableStack,
): Promise<Record<string, string>> {
  // Elsewhere it is for submodules only.
  const agent = await access?.agent().catch((error: unknown) => {
    if (isSsh(url)) throw error
    return undefined
  })
  if (agent !== undefined) resources.use(agent)
  else if (isSsh(url)) throw contextErrors.gitSshMissing([])
  const files = access?.knownHosts ?? []
  // Names of variables, since paths may have blanks and signs in them that ssh gives a meaning.
  const names = files.map((_, i) => `TSBUILD_KNOWN_HOSTS_${i}`)
  const known = names.length === 0 ? '/dev/null' : names.map((name) => `\${${name}}`).join(' ')
  const options = [
    `UserKnownHostsFile=${known}`,
    agent === undefined ? 'IdentityAgent=none' : 'IdentityAgent=SSH_AUTH_SOCK',
  ]
  return {
    GIT_SSH_COMMAND: `${SSH_COMMAND} ${options.map((option) => `-o '${option}'`).join(' ')}`,
    ...(agent && { SSH_AUTH_SOCK: agent.path }),
    ...Object.fromEntries(names.map((name, i) => [name, files[i]!])),
  }
}
