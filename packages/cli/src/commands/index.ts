/** The table of commands. A command's module is loaded when it is called, so a row holds all that the overview shows. */
import type { CommandEntry } from '../command.ts'

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'build',
    group: 'Building',
    summary: 'Build an image from a Dockerfile (the default command)',
    load: () => import('./build.ts'),
  },
  {
    name: 'lock',
    group: 'Building',
    summary: 'Write down which base images, URLs and git refs builds use',
    load: () => import('./lock.ts'),
  },
  {
    name: 'run',
    group: 'Building',
    summary: 'Run an image once, in the foreground',
    load: () => import('./run.ts'),
  },
  {
    name: 'debug',
    group: 'Building',
    summary: 'Enter what a failed RUN has left',
    load: () => import('./debug.ts'),
  },
  {
    name: 'explain',
    group: 'Building',
    summary: 'Say why the steps of the latest build ran',
    load: () => import('./explain.ts'),
  },
  {
    name: 'kaniko',
    group: 'Building',
    summary: "Build with the flags of kaniko's executor",
    load: () => import('./kaniko.ts'),
  },
  { name: 'images', group: 'Images', summary: 'List the images of the local store', load: () => import('./images.ts') },
  {
    name: 'inspect',
    group: 'Images',
    summary: 'Show the manifest and config of an image',
    load: () => import('./inspect.ts'),
  },
  {
    name: 'history',
    group: 'Images',
    summary: 'Show what the layers of an image were made by',
    load: () => import('./history.ts'),
  },
  {
    name: 'save',
    group: 'Images',
    summary: 'Write images of the local store to an archive',
    load: () => import('./save.ts'),
  },
  {
    name: 'load',
    group: 'Images',
    summary: 'Read the images of an archive into the local store',
    load: () => import('./load.ts'),
  },
  {
    name: 'tag',
    group: 'Images',
    summary: 'Give an image of the local store another name',
    load: () => import('./tag.ts'),
  },
  {
    name: 'rmi',
    group: 'Images',
    summary: 'Remove names of images from the local store',
    load: () => import('./rmi.ts'),
  },
  { name: 'du', group: 'Images', summary: 'Show what the local store takes on disk', load: () => import('./du.ts') },
  {
    name: 'prune',
    group: 'Images',
    summary: 'Delete what is not needed from the local store',
    load: () => import('./prune.ts'),
  },
  {
    name: 'push',
    group: 'Registries',
    summary: 'Push an image of the local store to a registry',
    load: () => import('./push.ts'),
  },
  { name: 'pull', group: 'Registries', summary: 'Pull an image into the local store', load: () => import('./pull.ts') },
  {
    name: 'copy',
    group: 'Registries',
    summary: 'Copy an image between registries, layouts and archives',
    load: () => import('./copy.ts'),
  },
  { name: 'tags', group: 'Registries', summary: 'List the tags of a repository', load: () => import('./tags.ts') },
  {
    name: 'digest',
    group: 'Registries',
    summary: 'Print the digest of an image in a registry',
    load: () => import('./digest.ts'),
  },
  {
    name: 'login',
    group: 'Registries',
    summary: 'Store the credentials of a registry',
    load: () => import('./login.ts'),
  },
  {
    name: 'logout',
    group: 'Registries',
    summary: 'Forget the credentials of a registry',
    load: () => import('./logout.ts'),
  },
  {
    name: 'doctor',
    group: 'Other',
    summary: 'Look at what builds need of this machine',
    load: () => import('./doctor.ts'),
  },
  {
    name: 'migrate',
    group: 'Other',
    summary: 'Print the command for a command line of kaniko, docker, buildah or podman',
    load: () => import('./migrate.ts'),
  },
  {
    name: 'completion',
    group: 'Other',
    summary: 'Print the completion script of a shell',
    load: () => import('./completion.ts'),
  },
  { name: 'version', group: 'Other', summary: 'Print the version', load: () => import('./version.ts') },
  { name: 'help', group: 'Other', summary: 'Show the help of a command', load: () => import('./help.ts') },
]

/** The row of a command, if there is one of that name. */
export function findCommand(name: string): CommandEntry | undefined {
  return COMMANDS.find((entry) => entry.name === name)
}
