/** The repository of the workflow as a context, as docker's action has it when none is named. */
import type { Environment } from '../../cli/src/embed.ts'

export interface GitContext {
  /** `https://HOST/OWNER/NAME.git#REF` */
  readonly url: string
  /** The only host that the workflow's token is for. */
  readonly host: string
}

/**
 * The commit that the workflow runs for; that of a pull request by its ref, since its merge commit is on no branch.
 *
 * @returns undefined outside of workflows
 */
export function gitContext(env: Environment): GitContext | undefined {
  const { GITHUB_REPOSITORY: repository, GITHUB_SHA: sha, GITHUB_REF: ref = '' } = env
  const server = env.GITHUB_SERVER_URL || 'https://github.com'
  if (!repository || !URL.canParse(server)) return undefined
  const wanted = ref.startsWith('refs/pull/') ? ref : sha || ref
  return { url: `${server}/${repository}.git${wanted ? `#${wanted}` : ''}`, host: new URL(server).host }
}

/** `{{defaultContext}}` in an input stands for it. */
export function withDefaultContext(text: string, context: GitContext | undefined): string {
  return context === undefined ? text : text.replace(/\{\{\s*defaultContext\s*\}\}/g, () => context.url)
}
