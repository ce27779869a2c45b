import { describe, expect, it } from 'vitest'
import type { Step } from '../graph/step.ts'
import { hideSecrets, looksSecret, withoutMarks } from './secrets.ts'
import { Trace } from './trace.ts'

const shown = (text: string) => withoutMarks(hideSecrets(text))

describe('what is remembered of texts', () => {
  it.each([
    ['postgres://user:pw@db/x', 'postgres://<hidden>@db/x'],
    ['https://h/f?a=1&X-Amz-Signature=abcdef&b=2', 'https://h/f?a=1&X-Amz-Signature=<hidden>&b=2'],
    ['https://h/f?sig=abcdef%3D', 'https://h/f?sig=<hidden>'],
    ['//r/:_authToken=abc-def', '//r/:_authToken=<hidden>'],
    ['curl -H "Authorization: Bearer abc.def.ghi" h', 'curl -H "Authorization: Bearer <hidden>" h'],
    ['login --password hunter2 -u me', 'login --password <hidden> -u me'],
    ['login --token=hunter2', 'login --token=<hidden>'],
    ['{"password": "hunter2"}', '{"password": "<hidden>"}'],
    ['Server=db;Password=hunter2;Port=1', 'Server=db;Password=<hidden>;Port=1'],
    ['echo ghp_0123456789abcdef', 'echo <hidden>'],
    [
      '-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----',
      '-----BEGIN RSA PRIVATE KEY-----<hidden>-----END RSA PRIVATE KEY-----',
    ],
  ])('of %j nothing secret', (text, expected) => {
    expect(shown(text)).toBe(expected)
  })

  it.each([
    'curl -H "token: $TOKEN"',
    'make --keep-going x',
    'COPY --from=a /b /c',
    'https://h/p?x=1',
    'echo a@b',
    'RUN monkey',
  ])('of %j all', (text) => {
    expect(shown(text)).toBe(text)
  })

  it('tells secrets apart that it does not show', () => {
    expect(hideSecrets('https://a:b@h')).not.toBe(hideSecrets('https://a:c@h'))
  })

  it('knows names', () => {
    for (const name of [
      'GITHUB_PAT',
      'DB_PWD',
      'AZURE_SAS',
      'DATABASE_DSN',
      'CRED',
      'API_TOKEN',
      'npm_auth',
      'passphrase',
    ])
      expect([name, looksSecret(name)]).toEqual([name, true])
    for (const name of ['AUTHOR', 'PATH', 'SASS', 'VERSION', 'SIGNAL', 'PASSAGE'])
      expect([name, looksSecret(name)]).toEqual([name, false])
  })
})

it('remembers the value of a secret nowhere, whatever it got into', () => {
  const trace = new Trace({ API_TOKEN: 'from-the-flag' })
  const run = {
    kind: 'run',
    name: '[2/2] RUN echo from-the-flag from-the-env',
    noCache: false,
    parent: undefined,
    mounts: [],
  } as unknown as Step
  const env = ['API_KEY=from-the-env', 'OTHER=x from-the-flag', 'URL=http://h/from-the-env']
  trace.keyed(
    run,
    { key: 'k', parts: [['process', { env, args: ['from-the-flag'], cwd: '/from-the-env' }]] },
    () => undefined,
  )
  expect(JSON.stringify(trace.steps)).not.toContain('from-the')
})

it('remembers no more of a long name than tells it from others', () => {
  const trace = new Trace()
  for (const end of 'ab')
    trace.keyed(
      { kind: 'run', name: `RUN ${'token'.repeat(50_000)}${end}`, mounts: [] } as unknown as Step,
      { key: end, parts: [] },
      () => undefined,
    )
  const [a, b] = trace.steps
  expect(a!.name.length).toBeLessThan(5000)
  expect(a!.name).not.toBe(b!.name)
})
