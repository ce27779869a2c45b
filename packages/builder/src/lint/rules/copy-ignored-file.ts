import type { CopyNode } from '../../instructions/nodes.ts'
import { quote } from '../../util/go-text.ts'
import type { IgnoreMatcher } from '../../util/ignore.ts'
import { cleanPath } from '../../util/inroot.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const copyIgnoredFile = defineRule({
  name: 'CopyIgnoredFile',
  description: 'Attempting to Copy file that is excluded by .dockerignore',
  url: 'https://docs.docker.com/go/dockerfile/rule/copy-ignored-file/',
  message: (keyword: 'Copy' | 'Add', path: string) =>
    `Attempting to ${keyword} file ${quote(path)} that is excluded by .dockerignore`,
  doc: {
    why: 'Files that a pattern of `.dockerignore` excludes are not part of the context, so copying them fails.',
    bad: '# .dockerignore: */tmp/*\nFROM scratch\nCOPY ./app/tmp/cache /cache',
    good: '# .dockerignore: */tmp/*\nFROM scratch\nCOPY ./app/forever /forever',
  },
})

/** What the rule has to know of the context's ignore file. */
export type IgnoredFiles = Pick<IgnoreMatcher, 'rules' | 'matches'>

/** @param source a path of COPY or ADD in the build context, expanded */
export function checkIgnoredSource(reporter: Reporter, node: CopyNode, source: string, ignored: IgnoredFiles): void {
  // With a `!` in the file nothing can be said without looking at the files.
  if (ignored.rules.some(({ negated }) => negated)) return
  const path = cleanPath(source)
  // `.` and `/` are the context itself: only excluded if everything is
  if ((path === '.' || path === '/') && !ignoresAll(ignored)) return
  if (!ignored.matches(path)) return
  reporter.report(copyIgnoredFile, [node.kind === 'ADD' ? 'Add' : 'Copy', path], node.raw)
}

function ignoresAll(ignored: IgnoredFiles): boolean {
  return ignored.rules.some(({ pattern, negated }) => !negated && ['*', '**', '**/*'].includes(pattern))
}
