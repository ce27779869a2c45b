/**
 * What looks secret in texts that are remembered: replaced by marks that are equal where the texts were, so that it can
 * still be told that something else stands there. Marks lose what they are made of before anybody sees them.
 */
import { hash } from 'node:crypto'

const WORDS =
  'pass(?!age|ive|through)|pwd|pword|secret|token|key|auth(?!or)|cred|private|cookie|jwt|dsn|signature|connection_?string'
const SECRET_NAME = new RegExp(`${WORDS}|(?:^|[_-])(?:pat|sas|sig)(?:$|[_-])`, 'i')

/** Whether a variable of this name is not to be shown. */
export function looksSecret(name: string): boolean {
  return SECRET_NAME.test(name)
}

/** Shorter values are no secrets, and stand everywhere. */
const MIN_VALUE = 6
const NAME = `(?:[\\w.-]{0,64}(?:${WORDS})[\\w.-]{0,64}|\\b(?:sas|sig|pat))`
/** Not the name of a variable, which says nothing, and no mark. */
const VALUE = `(?![$<])[^\\s"'\`&;,|<>()]{3,}`

/** Each has what stays before the secret, and the secret. */
const SECRETS = [
  // What stands before the host of a URL.
  /([a-z][a-z0-9+.-]{0,19}:\/\/)([^\s/?#]+)(?=@)/gi,
  // `token=…` in a query or a script, `_authToken=…`, `Authorization: Bearer …`, `"password": "…"`
  new RegExp(`(${NAME}["']?\\s{0,8}[=:]\\s{0,8}["']?(?:(?:bearer|basic|token)\\s+)?)(${VALUE})`, 'gi'),
  // `--password …`
  new RegExp(`((?<![\\w-])--?${NAME}\\s+["']?)((?!-)${VALUE})`, 'gi'),
  /(\bbearer\s+)((?![$<])[\w.~+/=-]{8,})/gi,
  // Tokens that say what they are.
  /()(\b(?:gh[pousr]_|github_pat_|glpat-|xox[a-z]-|npm_|pypi-|AKIA|ASIA|sk-|eyJ[\w-]{8,}\.)[\w.-]{10,})/g,
  /(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)([\s\S]*?(?:(?=-----END )|$))/g,
]

/** Hides secrets: those whose form or place says so, and values of variables whose names do, wherever they stand. */
export class Secrets {
  readonly #values = new Set<string>()

  /** Hides the value of a variable from now on, if it has to be. */
  learn(name: string, value: string): void {
    if (looksSecret(name) && value.length >= MIN_VALUE) this.#values.add(value)
  }

  /** @param limit what is longer is cut there, and has a mark of the whole */
  hide(text: string, limit: number): string {
    let shown = text
    for (const value of this.#values) shown = shown.replaceAll(value, mark)
    return shown.length > limit ? hideSecrets(shown.slice(0, limit)) + mark(text) : hideSecrets(shown)
  }
}

/** The text without what looks secret of itself. */
export function hideSecrets(text: string): string {
  return SECRETS.reduce(
    (shown, form) => shown.replace(form, (_, before: string, it: string) => before + mark(it)),
    text,
  )
}

/** What stands for a text that is not kept. */
export function mark(text: string): string {
  return `<hidden:${hash('sha256', text).slice(0, 16)}>`
}

/** Plain data as it may be shown. */
export function withoutMarks<T>(value: T): T {
  const text = JSON.stringify(value)
  return text === undefined ? value : (JSON.parse(text.replace(/<hidden:[0-9a-f]{16}>/g, '<hidden>')) as T)
}
