import { defineError } from '../errors.ts'

/** Errors of the linter: bad `check` options, and findings that `error=true` turns into a failure. */
export const lintErrors = {
  checkOptions: defineError({
    code: 'CHECK_OPTIONS_INVALID',
    doc:
      'The options of a `# check=` directive, of the build argument BUILDKIT_DOCKERFILE_CHECK or of a flag are not of the ' +
      'form `skip=RULE,…;error=true;experimental=RULE,…`.',
    message: (source: string, problem: string) => `failed to parse ${source}: ${problem}`,
    hint: 'write skip=, error= and experimental= with values, separated by semicolons',
  }),
  violation: defineError({
    code: 'LINT_VIOLATION',
    doc: 'Checks found something and the Dockerfile or the command line says that this fails the build (`error=true`).',
    message: (rules: readonly string[]) => `lint violation found for rules: ${rules.join(', ')}`,
    hint: 'run with --check to see the findings, fix them, or skip a rule with `# check=skip=RULE`',
  }),
}
