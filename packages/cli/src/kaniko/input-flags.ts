/** kaniko's flags: what is built from. */
import { parseSecret } from '../flags/build/secret.ts'
import { parseBoolean } from '../flags/parse.ts'
import { UsageError } from '../usage-error.ts'
import type { KanikoDraft } from './draft.ts'
import { type KanikoFlag, noEffect, pairOf, refused, works, worksWith, worksWithAll } from './row.ts'

export const INPUT_FLAGS: readonly KanikoFlag[] = [
  worksWith(
    {
      name: 'context',
      alias: 'c',
      value: 'CONTEXT',
      note: 'A directory, dir://DIR, tar://FILE, tar://stdin, git://HOST/REPO[#REF[#COMMIT]] or https://HOST/FILE.tar.gz (default /workspace/)',
    },
    (draft, value) => {
      draft.context = value
    },
  ),
  worksWith(
    {
      name: 'context-sub-path',
      value: 'DIR',
      note: 'The directory of the context in a directory or git repository; an archive has to be made of that directory itself',
    },
    (draft, value) => {
      draft.subPath = value || undefined
    },
  ),
  refused({
    name: 'bucket',
    alias: 'b',
    value: 'BUCKET',
    hidden: true,
    note: 'pipe the archive in: gcloud storage cat gs://BUCKET/context.tar.gz | tsbuild kaniko --context tar://stdin',
  }),
  worksWith(
    {
      name: 'dockerfile',
      alias: 'f',
      value: 'FILE',
      note: 'Looked for in the current directory, then in the context (default Dockerfile)',
    },
    (draft, value) => {
      draft.dockerfile = value
    },
  ),
  worksWithAll(
    {
      name: 'git',
      value: 'KEY=VALUE',
      note: 'branch=NAME names the branch or tag, recurse-submodules=BOOL says whether submodules are fetched; single-branch and depth have no effect, since one commit is fetched anyway; insecure-skip-tls=true is refused',
    },
    (draft, values) => {
      for (const text of values) setGit(draft, text)
    },
  ),
  worksWithAll(
    {
      name: 'build-arg',
      value: 'NAME[=VALUE]',
      note: 'An ARG; a name alone takes its value from the environment, and is empty when that has none',
    },
    (draft, values) => {
      const pairs = values.map((text) =>
        text.includes('=') ? pairOf(text, 'build-arg') : [text, draft.env[text] ?? ''],
      )
      draft.buildArgs = Object.fromEntries(pairs)
    },
  ),
  worksWith({ name: 'target', value: 'STAGE', note: 'The stage to build (default the last one)' }, (draft, value) => {
    draft.target = value || undefined
  }),
  worksWith(
    {
      name: 'custom-platform',
      value: 'OS/ARCH[/VARIANT]',
      note: "The platform to build for; RUN for another processor needs its emulator on the machine (default this machine's)",
    },
    (draft, value) => {
      draft.platform = value || undefined
    },
  ),
  worksWith(
    { name: 'customPlatform', value: 'OS/ARCH[/VARIANT]', hidden: true, note: 'Older name of --custom-platform' },
    (draft, value) => {
      draft.platform = value || draft.platform
    },
  ),
  worksWithAll(
    {
      name: 'secret',
      value: 'id=ID[,src=FILE|,env=NAME]',
      note: 'For RUN --mount=type=secret; kept in memory and out of every layer',
    },
    (draft, values) => {
      draft.secrets = values.map((text) => parseSecret(text, draft.env))
    },
  ),
  noEffect({
    name: 'skip-unused-stages',
    note: 'stages that the target does not need are never built',
  }),
  works({ name: 'reproducible', note: 'All times in new layers and in the config are 1970-01-01' }, (draft, value) => {
    draft.reproducible = value
  }),
]

function setGit(draft: KanikoDraft, text: string): void {
  const [key, value] = pairOf(text, 'git')
  if (key === 'branch') draft.gitBranch = value || undefined
  else if (key === 'recurse-submodules') draft.gitSubmodules = parseBoolean(value, 'git')
  else if (key === 'single-branch' || key === 'depth')
    draft.notes.push(`--git ${key} has no effect: no more than one commit is fetched`)
  else if (key !== 'insecure-skip-tls')
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for --git: there is no key ${key}`)
  else if (parseBoolean(value, 'git'))
    throw new UsageError(
      '--git insecure-skip-tls=true is not supported',
      'trust the certificate with SSL_CERT_FILE or git config http.sslCAInfo',
    )
}
