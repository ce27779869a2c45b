// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { describe, expect, it } from 'vitest'
import { plainImage } from '../stages/testing.ts'
import { parseIgnore } from '../util/ignore.ts'
import { type LintExample, lines, lintText } from './testing.ts'

/** Rules about instructions with the variables of their stage. */
const examples: Record<string, readonly LintExample[]> = {
  JSONArgsRecommended: [
    {
      name: 'CMD',
      text: lines('FROM scratch', 'CMD run it'),
      found: [
        'JSONArgsRecommended:2: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
      ],
    },
    {
      name: 'the keyword as written',
      text: lines('from scratch', 'entrypoint run it'),
      found: [
        'JSONArgsRecommended:2: JSON arguments recommended for entrypoint to prevent unintended behavior related to OS signals',
      ],
    },
    { name: 'JSON', text: lines('FROM scratch', 'CMD ["run"]'), found: [] },
    { name: 'own SHELL', text: lines('FROM scratch', 'SHELL ["/bin/sh"]', 'CMD run it'), found: [] },
    {
      name: 'SHELL of a base stage',
      text: lines('FROM scratch AS a', 'SHELL ["/bin/sh"]', 'FROM a', 'CMD run it'),
      found: [],
    },
    {
      name: 'SHELL of the image',
      text: lines('FROM alpine', 'CMD run it'),
      world: { resolveImage: async () => ({ ...plainImage, config: { Shell: ['/bin/bash', '-c'] } }) },
      found: [],
    },
  ],
  WorkdirRelativePath: [
    {
      name: 'the first one',
      text: lines('FROM scratch', 'WORKDIR app/', 'WORKDIR sub'),
      found: ['WorkdirRelativePath:2: Relative workdir "app/" can have unexpected results if the base image changes'],
    },
    {
      name: 'after an absolute one of the base stage',
      text: lines('FROM scratch AS a', 'WORKDIR /app', 'FROM a', 'WORKDIR sub'),
      found: [],
    },
    { name: 'from a variable', text: lines('FROM scratch', 'ENV D=/app', 'WORKDIR $D'), found: [] },
    {
      name: 'a drive letter is absolute on Windows only',
      text: lines('FROM scratch', 'WORKDIR C:\\\\app'),
      world: { platform: { os: 'windows', architecture: 'amd64' } },
      found: [],
    },
  ],
  UndefinedVar: [
    { name: 'ARG without value', text: lines('FROM scratch', 'ARG foo', 'COPY Dockerfile${foo} .'), found: [] },
    {
      name: 'inherited from a stage',
      text: lines('FROM alpine AS base', 'ARG foo=Dockerfile', 'FROM base', 'COPY $foo .'),
      found: [],
    },
    {
      name: 'before its ARG',
      text: lines('FROM alpine', 'COPY $foo .', 'ARG foo=bar', 'RUN echo $foo'),
      found: ["UndefinedVar:2: Usage of undefined variable '$foo'"],
    },
    {
      name: 'suggestion from the stage',
      text: lines('FROM alpine', 'ARG DIR_ASSETS=assets/', 'ARG DIR_CONFIG=config/', 'COPY $DIR_ASSET .'),
      found: ["UndefinedVar:4: Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)"],
    },
    {
      name: 'suggestion from the image',
      text: lines('FROM alpine', 'ENV PATH=$PAHT:/tmp/bin'),
      found: ["UndefinedVar:2: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
    },
    { name: 'PATH is always there', text: lines('FROM scratch', 'ENV PATH=$PATH:/tmp/bin'), found: [] },
    {
      name: 'defined by the image',
      text: lines('FROM alpine', 'COPY $SRC .'),
      world: { resolveImage: async () => ({ ...plainImage, config: { Env: ['SRC=a'] } }) },
      found: [],
    },
    { name: 'the shell of RUN', text: lines('FROM alpine', 'RUN echo $anything'), found: [] },
    {
      name: 'mount options',
      text: lines('FROM alpine', 'RUN --mount=type=cache,target=/$where true'),
      found: ["UndefinedVar:2: Usage of undefined variable '$where'"],
    },
    {
      name: 'heredocs, unless quoted',
      text: lines('FROM scratch', 'COPY <<EOF <<"END" /', '$one', 'EOF', '$two', 'END'),
      found: ["UndefinedVar:2: Usage of undefined variable '$one'"],
    },
    {
      name: 'a global ARG counts after it is declared again',
      text: lines('ARG A=1', 'FROM scratch', 'COPY $A /', 'ARG A', 'COPY $A /'),
      found: ["UndefinedVar:3: Usage of undefined variable '$A'"],
    },
    { name: 'EXPOSE is not looked at, as in the reference', text: lines('FROM scratch', 'EXPOSE 80$none'), found: [] },
  ],
  MultipleInstructionsDisallowed: [
    {
      name: 'shows the one that is replaced',
      text: lines('FROM scratch', 'CMD ["a"]', 'HEALTHCHECK NONE', 'CMD ["b"]', 'HEALTHCHECK CMD x'),
      found: [
        'MultipleInstructionsDisallowed:2: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
        'MultipleInstructionsDisallowed:3: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used',
      ],
    },
    { name: 'a stage of its own', text: lines('FROM scratch AS a', 'CMD ["a"]', 'FROM a', 'CMD ["b"]'), found: [] },
  ],
  LegacyKeyValueFormat: [
    {
      name: 'ENV and LABEL',
      text: lines('FROM scratch', 'ENV testkey value', 'LABEL key value'),
      found: [
        'LegacyKeyValueFormat:2: "ENV key=value" should be used instead of legacy "ENV key value" format',
        'LegacyKeyValueFormat:3: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
      ],
    },
    { name: 'with =', text: lines('FROM scratch', 'ENV testkey=value', 'LABEL key=value'), found: [] },
    {
      name: 'in stages that are not needed: a check without target only',
      text: lines('FROM scratch AS a', 'FROM a AS b', 'ENV testkey value', 'FROM a AS c'),
      world: { allStages: false },
      found: [],
    },
  ],
  SecretsUsedInArgOrEnv: [
    {
      name: 'words of the name',
      text: lines('FROM scratch', 'ARG SECRET_PASSPHRASE', 'ENV password=bar sunflower=foo', 'ARG auth=x'),
      found: [
        'SecretsUsedInArgOrEnv:2: Do not use ARG or ENV instructions for sensitive data (ARG "SECRET_PASSPHRASE")',
        'SecretsUsedInArgOrEnv:3: Do not use ARG or ENV instructions for sensitive data (ENV "password")',
        'SecretsUsedInArgOrEnv:4: Do not use ARG or ENV instructions for sensitive data (ARG "auth")',
      ],
    },
    {
      name: 'harmless ones',
      text: lines(
        'FROM scratch',
        'ENV PUBLIC_KEY= AUTHOR=me KEYBOARD=us',
        'ARG PASSWORD_FILE',
        'ARG AUTH_MODULE_VERSION',
      ),
      found: [],
    },
    {
      name: 'global ARGs are not looked at, as in the reference',
      text: lines('ARG TOKEN=x', 'FROM scratch'),
      found: [],
    },
  ],
  CopyIgnoredFile: [
    {
      name: 'COPY and ADD',
      text: lines('FROM scratch', 'COPY Dockerfile .', 'ADD ./Dockerfile /windy'),
      world: { ignored: async () => parseIgnore('Dockerfile\n') },
      found: [
        'CopyIgnoredFile:2: Attempting to Copy file "Dockerfile" that is excluded by .dockerignore',
        'CopyIgnoredFile:3: Attempting to Add file "Dockerfile" that is excluded by .dockerignore',
      ],
    },
    {
      name: 'from a stage',
      text: lines('FROM scratch AS b', 'FROM scratch', 'COPY --from=b /Dockerfile /'),
      world: { ignored: async () => parseIgnore('Dockerfile') },
      found: [],
    },
    {
      name: 'remote',
      text: lines('FROM scratch', 'ADD https://x.example/a git@x.example:a/b.git /'),
      world: { ignored: async () => parseIgnore('**') },
      found: [],
    },
    {
      name: 'the context',
      text: lines('FROM scratch', 'COPY . /'),
      world: { ignored: async () => parseIgnore('*\n!a') },
      found: [],
    },
    {
      name: 'the empty context',
      text: lines('FROM scratch', 'COPY . /'),
      world: { ignored: async () => parseIgnore('*') },
      found: ['CopyIgnoredFile:2: Attempting to Copy file "." that is excluded by .dockerignore'],
    },
    {
      name: 're-included below',
      text: lines('FROM scratch', 'COPY dir /'),
      world: { ignored: async () => parseIgnore('dir\n!dir/keep') },
      found: [],
    },
    {
      name: 're-included by a wildcard',
      text: lines('FROM scratch', 'COPY dir /'),
      world: { ignored: async () => parseIgnore('dir\n!*/keep') },
      found: [],
    },
    {
      name: 're-included elsewhere',
      text: lines('FROM scratch', 'COPY dir /'),
      world: { ignored: async () => parseIgnore('dir\n!other/keep') },
      found: [],
    },
    { name: 'no ignore file', text: lines('FROM scratch', 'COPY Dockerfile .'), found: [] },
  ],
  ExposeProtoCasing: [
    {
      name: 'sorted as the reference sorts them',
      text: lines('FROM scratch', 'EXPOSE 80/TcP 8080/TCP 8080/udp'),
      found: [
        "ExposeProtoCasing:2: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
        "ExposeProtoCasing:2: Defined protocol '8080/TCP' in EXPOSE instruction should be lowercase",
      ],
    },
  ],
  ExposeInvalidFormat: [
    {
      name: 'address and host port',
      text: lines('FROM scratch', 'EXPOSE 127.0.0.1:80:80 [::1]:8080:8080/TCP 5000:5000 8000'),
      found: [
        "ExposeInvalidFormat:2: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
        "ExposeInvalidFormat:2: EXPOSE instruction should not define an IP address or host-port mapping, found '5000:5000'",
        "ExposeProtoCasing:2: Defined protocol '[::1]:8080:8080/TCP' in EXPOSE instruction should be lowercase",
        "ExposeInvalidFormat:2: EXPOSE instruction should not define an IP address or host-port mapping, found '[::1]:8080:8080/TCP'",
      ],
    },
  ],
}

for (const [rule, list] of Object.entries(examples)) {
  describe(rule, () => {
    it.each(list)('$name', async ({ text, world, found }) => {
      expect((await lintText(text, world)).found).toEqual(found)
    })
  })
}
