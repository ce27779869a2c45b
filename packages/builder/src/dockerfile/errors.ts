/** Errors of reading a Dockerfile or an ignore file, before instructions are understood. Words as in the reference. */
import { defineError } from '../errors.ts'
import { quote } from '../util/go-text.ts'

/** Every error of the scanner and the expander. */
export const dockerfileErrors = {
  empty: defineError({
    code: 'DOCKERFILE_EMPTY',
    doc: 'The Dockerfile holds no instruction, only comments and blank lines.',
    message: () => 'file with no instructions',
    hint: 'A Dockerfile needs at least one FROM instruction.',
  }),
  lineTooLong: defineError({
    code: 'DOCKERFILE_LINE_TOO_LONG',
    doc: 'A line of the Dockerfile is longer than 65535 bytes, the bound of the reference.',
    message: (max: number) => `dockerfile line greater than max allowed size of ${max}`,
    hint: 'Break the line with the escape character, or move its content to a file and COPY it.',
  }),
  duplicateDirective: defineError({
    code: 'DOCKERFILE_DUPLICATE_DIRECTIVE',
    doc: 'A parser directive (`# syntax=`, `# escape=`, `# check=`) stands more than once at the top of the file.',
    message: (name: string) => `only one ${name} parser directive can be used`,
    hint: 'Remove all but one of the lines.',
  }),
  invalidEscape: defineError({
    code: 'DOCKERFILE_INVALID_ESCAPE',
    doc: 'The `# escape=` directive names something else than a backslash or a backtick.',
    message: (value: string) => `invalid escape token '${value}' does not match \` or \\`,
  }),
  unterminatedHeredoc: defineError({
    code: 'DOCKERFILE_UNTERMINATED_HEREDOC',
    doc: 'The file ends before the line that closes a heredoc.',
    message: (_name: string) => 'unterminated heredoc',
    hint: (name) => `Close it with a line that holds nothing but ${quote(name)}.`,
  }),
  notStringArray: defineError({
    code: 'DOCKERFILE_JSON_NOT_STRINGS',
    doc: 'The arguments are a JSON array with something else than strings in it.',
    message: () => 'when using JSON array syntax, arrays must be comprised of strings only',
    hint: 'Put every element in double quotes.',
  }),
  nameWithoutValue: defineError({
    code: 'DOCKERFILE_NAME_WITHOUT_VALUE',
    doc: 'ENV or LABEL was given a name but no value.',
    message: (keyword: string) => `${keyword} must have two arguments`,
    hint: (keyword) => `Write ${keyword} name=value.`,
  }),
  missingEquals: defineError({
    code: 'DOCKERFILE_MISSING_EQUALS',
    doc: 'ENV or LABEL holds a word without `=` after one that has it; often a value with blanks that lacks quotes.',
    message: (word: string) => `Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`,
    hint: 'Put a value with blanks in double quotes.',
  }),
  badSubstitution: defineError({
    code: 'DOCKERFILE_BAD_SUBSTITUTION',
    doc: 'The use of a variable cannot be read, a quote is not closed, or the form with `:?` found no value.',
    message: (text: string, reason: string) => `failed to process ${quote(shorten(text))}: ${reason}`,
  }),
  expansionTooLarge: defineError({
    code: 'DOCKERFILE_EXPANSION_TOO_LARGE',
    doc: 'Replacing variables would make a text grow by more than 1 MiB.',
    message: (text: string) => `failed to process ${quote(shorten(text))}: the expanded text is too large`,
    hint: 'Put large values into a file of the build context instead of a variable.',
  }),
}

/** Keeps messages readable and bounded when the text is a heredoc. */
function shorten(text: string): string {
  return text.length <= 1000 ? text : `${text.slice(0, 1000)}…`
}
