import type { WorkdirNode } from '../../instructions/nodes.ts'
import { quote } from '../../util/go-text.ts'
import { defineRule, type Reporter } from '../rule.ts'

export const workdirRelativePath = defineRule({
  name: 'WorkdirRelativePath',
  description:
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  url: 'https://docs.docker.com/go/dockerfile/rule/workdir-relative-path/',
  message: (path: string) => `Relative workdir ${quote(path)} can have unexpected results if the base image changes`,
  doc: {
    why:
      "A relative path counts from the base image's working directory. If a later version of that image has another " +
      'one, files end up elsewhere.',
    bad: 'FROM nginx\nWORKDIR usr/share/nginx/html',
    good: 'FROM nginx\nWORKDIR /usr/share/nginx/html',
  },
})

/**
 * @param path the expanded path
 * @param os operating system of the stage: a drive letter makes a path absolute on Windows
 */
export function checkWorkdir(reporter: Reporter, node: WorkdirNode, path: string, os: string): void {
  const absolute = os === 'windows' ? /^(?:[A-Za-z]:)?[\\/]/.test(path) : path.startsWith('/')
  if (!absolute) reporter.report(workdirRelativePath, [path], node.raw)
}
