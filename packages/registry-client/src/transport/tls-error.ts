/** What errors of TLS say, in words: they name a rule of OpenSSL, and what is wanted is what to do. */
import { networkCode } from './retry.ts'

/** true when a certificate is in order but for who has signed it: another authority to trust would help. */
export function isUntrusted(error: unknown): boolean {
  return /^(?:UNABLE_TO_(?:GET|VERIFY)|SELF_SIGNED|DEPTH_ZERO|CERT_UNTRUSTED)/.test(networkCode(error) ?? '')
}

/** The error of an untrusted peer, with what of the named authorities could not be read. */
export function withUnread(error: unknown, unread: readonly string[]): unknown {
  return unread.length > 0 && error instanceof Error ? Object.assign(error, { unread }) : error
}

function unreadOf(error: unknown): readonly string[] {
  for (let e = error, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++)
    if ('unread' in e) return e.unread as readonly string[]
  return []
}

/** true when an error shows that the peer speaks TLS, just not with us. */
export function speaksTls(error: unknown): boolean {
  const code = networkCode(error) ?? ''
  return isUntrusted(error) || /^(?:ERR_TLS_CERT|CERT_|CRL_|HOSTNAME_MISMATCH)|_ALERT_/.test(code)
}

/** What an error of TLS means and what helps; undefined for other errors. @param host `host[:port]` */
export function explainTls(error: unknown, host: string): { readonly why: string; readonly hint: string } | undefined {
  const code = networkCode(error) ?? ''
  if (isUntrusted(error)) {
    return {
      why: [`its certificate is not signed by an authority that is trusted here (${code})`, ...unreadOf(error)].join(
        '; ',
      ),
      hint: `Trust the authority: add it to the system's store or name its file in SSL_CERT_FILE, put it at /etc/docker/certs.d/${host}/ca.crt, or give it with --ca-file; --insecure-registry ${host} does without.`,
    }
  }
  if (/CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE|ALERT_BAD_CERTIFICATE/.test(code)) {
    return {
      why: `it wants a client certificate, or another one than it was given (${code})`,
      hint: `Put the certificate and its key at /etc/docker/certs.d/${host}/client.cert and client.key.`,
    }
  }
  if (code === 'CERT_HAS_EXPIRED') return { why: `its certificate has expired (${code})`, hint: 'Renew it there.' }
  return undefined
}
