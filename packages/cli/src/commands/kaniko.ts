/** `tsbuild kaniko`, and the program `kaniko`. */
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { draftKaniko, KANIKO_SECTIONS } from '../kaniko/flags.ts'
import { resolveKaniko } from '../kaniko/request.ts'

export const command: Command = {
  name: 'kaniko',
  usage: ['kaniko [FLAGS]'],
  description:
    "Takes the flags and the environment of kaniko's executor, and does what it does: builds, pushes to all destinations, and writes the files that were asked for. What is different is in docs/migrate-kaniko.md; flags without effect are told at --verbosity debug. Wrong flags and failures have the exit code 1, a failed RUN has its own, as in kaniko. The program kaniko is the same.",
  arity: { min: 0 },
  usageCode: EXIT.failed,
  sections: KANIKO_SECTIONS,
  examples: [
    {
      text: 'Build and push under two names, with the shared cache of the repository',
      command:
        'tsbuild kaniko --context . --destination registry.example/app:1 --destination registry.example/app:latest --cache=true',
    },
    {
      text: 'An archive on stdin as the context, an image archive as the result',
      command: 'tar -cz . | tsbuild kaniko --context tar://stdin --no-push --tar-path image.tar',
    },
  ],
  async run({ values, words }, context) {
    if (words[0] === 'version')
      return await (await import('./version.ts')).command.run({ values: {}, words: [] }, context)
    const request = resolveKaniko(draftKaniko(values, context.io.env), words, context.global)
    const { runKaniko } = await import('../kaniko/run.ts')
    return await runKaniko(request, context)
  },
}
