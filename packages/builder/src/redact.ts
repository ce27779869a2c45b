/** URLs without what is secret in them, for messages, progress, history and keys. Leaf module. */

/** A scheme, and what stands between it and the last `@` before the path. */
const USER_INFO = /([a-zA-Z][a-zA-Z0-9+.-]{0,19}:\/\/)([^\s/?#]*)@/g

/** A URL without its user and password. Of an ssh URL the user stays: it is no secret, and says whose key is asked for. */
export function redactUrl(url: string): string {
  return redactUrls(url)
}

/** A text in which no URL has a user or password any more. */
export function redactUrls(text: string): string {
  return text.replace(USER_INFO, (_, scheme: string, user: string) => `${scheme}${shownUser(scheme, user)}@`)
}

function shownUser(scheme: string, user: string): string {
  return /^(?:ssh|git\+ssh):/i.test(scheme) ? user.replace(/:.*$/s, ':xxxxx') : 'xxxxx'
}
