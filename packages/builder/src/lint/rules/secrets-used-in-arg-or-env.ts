import type { RawInstruction } from '../../dockerfile/ast.ts'
import { quote } from '../../util/go-text.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const secretsUsedInArgOrEnv = defineRule({
  name: 'SecretsUsedInArgOrEnv',
  description: 'Sensitive data should not be used in the ARG or ENV commands',
  url: 'https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/',
  message: (keyword: 'ARG' | 'ENV', name: string) =>
    `Do not use ARG or ENV instructions for sensitive data (${keyword} ${quote(name)})`,
  doc: {
    why:
      'Values of ARG and ENV stay in the image: in its configuration or its history. Use a secret mount, which leaves ' +
      'no trace, and pass the value with --secret. The rule looks at names only.',
    bad: 'FROM scratch\nARG AWS_SECRET_ACCESS_KEY',
    good: 'FROM alpine\nRUN --mount=type=secret,id=aws,env=AWS_SECRET_ACCESS_KEY deploy',
  },
})

const telling = words([
  'apikey',
  'auth',
  'credential',
  'credentials',
  'key',
  'password',
  'pword',
  'passwd',
  'secret',
  'token',
])
const harmless = words(['public', 'file', 'version'])

/** Whether a name sounds like a secret: one of its words, at its beginning or end or between underscores, says so. */
function soundsSecret(name: string): boolean {
  const parts = name.toLowerCase().split('_')
  return parts.some((part) => telling.has(part)) && !parts.some((part) => harmless.has(part))
}

export function checkSecretName(
  reporter: Reporter,
  instruction: RawInstruction,
  keyword: 'ARG' | 'ENV',
  name: string,
): void {
  if (soundsSecret(name)) reporter.report(secretsUsedInArgOrEnv, [keyword, name], instruction)
}

function words(list: readonly string[]): ReadonlySet<string> {
  return new Set(list)
}
