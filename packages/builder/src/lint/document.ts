/** The text of docs/checks.md, from the table of rules. */
import { rules } from './table.ts'

/** docs/checks.md as it should be; a test compares it with the file. */
export function checksDocument(): string {
  const list = rules.map(({ name, description, experimental }) => {
    return `| [${name}](#${name.toLowerCase()}) | ${escapeCell(description)} | ${experimental ? 'experimental' : 'on'} |`
  })
  const parts = [introduction, ['| check | finds | state |', '|---|---|---|', ...list].join('\n')]
  for (const { name, description, url, experimental, doc } of rules) {
    const lines = [`## ${name}`, '', `${description.replace(/\.$/, '')}.`, '', doc.why]
    if (experimental) lines.push('', `This check is experimental: turn it on with \`# check=experimental=${name}\`.`)
    lines.push('', 'Reported:', '', fence(doc.bad), '', 'Better:', '', fence(doc.good))
    if (doc.fix !== undefined) lines.push('', `\`--check --fix\` ${doc.fix}.`)
    if (url !== undefined) lines.push('', `Page of the reference: <${url}>`)
    parts.push(lines.join('\n'))
  }
  return `${parts.join('\n\n')}\n`
}

const introduction = `# Checks

<!-- Generated from the rules in packages/builder/src/lint; do not edit. -->

tsbuild checks every Dockerfile it builds and shows what it finds as warnings. \`tsbuild build --check\` (or
\`--call=check\`) only checks, prints the findings with their place, and exits with status 1 if there are any. With
\`--call=check,format=json\` it prints the document that the reference prints, with \`format=sarif\` a SARIF 2.1.0 log for
code scanning services. \`--check --fix\` rewrites what can be rewritten safely and shows the difference.

A comment at the top of the file sets options for all of it:

\`\`\`dockerfile
# check=skip=JSONArgsRecommended,StageNameCasing;error=true
\`\`\`

| option | meaning |
|---|---|
| \`skip=NAME,…\` or \`skip=all\` | these checks, or all that are not experimental, are not made |
| \`experimental=NAME,…\` or \`experimental=all\` | these experimental checks are made too |
| \`error=true\` | a finding fails the build |

The build argument \`BUILDKIT_DOCKERFILE_CHECK\` takes the same options and replaces those of the file. A comment directly
above an instruction holds for that instruction alone; after a blank there may be a reason:

\`\`\`dockerfile
# check=skip=SecretsUsedInArgOrEnv // not a secret, the name is given by the library
ENV TOKEN_KEY=id
\`\`\`

An unknown name of a check is pointed out but does no harm.`

function fence(text: string): string {
  return `\`\`\`dockerfile\n${text}\n\`\`\``
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}
