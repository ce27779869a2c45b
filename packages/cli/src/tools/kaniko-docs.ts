/** docs/migrate-kaniko.md, made from the table of kaniko's flags. */
import { flagSyntax } from '../help.ts'
import { KANIKO_ENVIRONMENT, KANIKO_SECTIONS } from '../kaniko/flags.ts'
import type { Effect, KanikoFlag } from '../kaniko/row.ts'

const EFFECTS: Readonly<Record<Effect, string>> = { works: 'works', none: 'no effect', refused: 'refused' }

/** The whole document. */
export function kanikoDocs(): string {
  const lines = [
    '# From kaniko to tsbuild',
    '',
    'The tables are made from those in `packages/cli/src/kaniko` by `node packages/cli/src/tools/write-docs.ts`; a test fails when they are out of date.',
    '',
    '`tsbuild kaniko`, which is also a program of its own called `kaniko`, takes the flags and the environment of kaniko’s executor (version 1.24 and its forks), so that a job needs no change but the name of the program:',
    '',
    '```sh',
    'tsbuild kaniko --context "$CI_PROJECT_DIR" --destination "$CI_REGISTRY_IMAGE:$CI_COMMIT_TAG" --cache=true',
    '```',
    '',
    '`tsbuild migrate` prints the command of tsbuild itself for a command line of kaniko, and says on stderr what has no counterpart. It does the same for those of docker, podman and buildah:',
    '',
    '```sh',
    "tsbuild migrate kaniko '/kaniko/executor --context . --destination registry.example/app:1 --cache=true'",
    "tsbuild migrate buildah 'buildah bud --layers -t app -f Containerfile .'",
    '```',
    '',
    '## Flags',
    '',
    'A flag *works*, or it has *no effect*, which is said at `--verbosity debug`, or it is *refused*: the command fails and says what to use instead.',
  ]
  for (const { title, flags } of KANIKO_SECTIONS) {
    lines.push('', `### ${title}`, '', '| flag | | |', '| --- | --- | --- |')
    lines.push(...flags.map(row))
  }
  lines.push('', '## Environment', '', '| variable | meaning |', '| --- | --- |')
  lines.push(...KANIKO_ENVIRONMENT.map(([name, text]) => `| \`${name}\` | ${text} |`))
  lines.push(
    '',
    '## What is different',
    '',
    '- **Isolation.** RUN has a root file system of its own and is isolated as well as the machine allows (`tsbuild doctor`, docs/isolation.md). kaniko runs it in the file system of its own container, so it can be run outside of one here, and several times in one.',
    '- **Semantics** are those of BuildKit wherever kaniko has others: the owner of copied files, ARG and ENV, RUN `--mount`, heredocs, ignore files.',
    '- **The shared cache** is one image at the tag `tsbuild` of the cache’s repository, not one for each layer, and holds all steps. What kaniko has cached is not read.',
    '- **Media types** are OCI’s, unless `--image-format docker` asks for others; kaniko takes those of the base image, or docker’s.',
    '- **Contexts in buckets** (`s3://`, `gs://`, Azure) are not read: pipe the archive into `--context tar://stdin`. A URL that is signed in advance works as it is.',
    '- **git contexts** get `.git` behind their path if it is not there.',
    '- **Logs** look like kaniko’s. Exit codes are 0, the code of a RUN that failed, and 1 for everything else.',
  )
  return `${lines.join('\n')}\n`
}

function row(flag: KanikoFlag): string {
  return `| \`${cell(flagSyntax(flag))}\` | ${EFFECTS[flag.effect]} | ${cell(sentence(flag.note))} |`
}

const sentence = (text: string): string => text[0]!.toUpperCase() + text.slice(1)
const cell = (text: string): string => text.replaceAll('|', '\\|')
