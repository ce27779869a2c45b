/** `tsbuild build`, the default command. */
import type { Command } from '../command.ts'
import { BUILD_SECTIONS, draftBuild } from '../flags/build/index.ts'
import { resolveBuild } from '../flags/build/resolve.ts'

export const command: Command = {
  name: 'build',
  usage: ['[build] [FLAGS] PATH | URL | -'],
  description:
    'The context is a directory, a git or http URL, or - for a tar archive or a Dockerfile on stdin. Without --output the image goes to the local store under its names. stdout carries results only; progress and messages go to stderr. Flags mean what they mean for docker buildx build.',
  arity: { min: 0 },
  sections: BUILD_SECTIONS,
  examples: [
    { text: 'Build the current directory into the local store', command: 'tsbuild -t my-app:1.0 .' },
    {
      text: 'Another Dockerfile and one of its stages',
      command: 'tsbuild -t my-app:test -f docker/app.Dockerfile --target test .',
    },
    {
      text: 'Push to a registry, and keep the digest',
      command: 'tsbuild -t registry.example/my-app:1.0 --push --metadata-file out.json .',
    },
    { text: 'Write an OCI archive', command: 'tsbuild -o type=oci,dest=image.tar .' },
    { text: 'Take the files of the last stage out', command: 'tsbuild --target dist -o out .' },
    { text: 'Offer a secret to RUN --mount=type=secret,id=token', command: 'tsbuild --secret id=token,env=TOKEN .' },
    { text: 'Check the Dockerfile without building it', command: 'tsbuild --check .' },
  ],
  async run({ values, words }, context) {
    const request = resolveBuild(draftBuild(values, context.io.env), words, context.global)
    if (request.call) {
      const { runCall } = await import('../build/run-call.ts')
      return runCall(request, request.call, context)
    }
    const { runBuild } = await import('../build/run-build.ts')
    return runBuild(request, context)
  },
}
