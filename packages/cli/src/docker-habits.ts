/** Commands that people know from docker and its peers, and what does the same here. */

/** By the words they begin with; a longer row wins. The text is a hint: one sentence, without a full stop. */
const HABITS: Readonly<Record<string, string>> = {
  'image ls': 'tsbuild images lists the images of the local store',
  'image list': 'tsbuild images lists the images of the local store',
  'image build': 'it is tsbuild build here',
  'image rm': 'it is tsbuild rmi here',
  'image prune': 'it is tsbuild prune here',
  'image save': 'it is tsbuild save here',
  'image load': 'it is tsbuild load here',
  'image history': 'it is tsbuild history here',
  'image inspect': 'it is tsbuild inspect here',
  'image pull': 'it is tsbuild pull here',
  'image push': 'it is tsbuild push here',
  'image tag': 'it is tsbuild tag here',
  'image import': 'FROM scratch with ADD FILE.tar / makes an image of a tar archive',
  image: 'images, inspect, history, tag, rmi, save, load, push, pull and prune are commands of their own here',
  'builder prune': 'it is tsbuild prune here',
  'builder build': 'it is tsbuild build here',
  builder: 'there are no builder instances: tsbuild build runs in its own process, tsbuild prune deletes its cache',
  'buildx build': 'it is tsbuild build here, with the same flags',
  'buildx imagetools inspect':
    'tsbuild inspect --remote shows the manifest or index in a registry, with --raw its bytes',
  'buildx imagetools create': 'tsbuild copy copies an image with all its platforms to another name',
  'buildx imagetools': 'tsbuild inspect --remote, tsbuild digest and tsbuild copy do what imagetools does',
  'buildx du': 'it is tsbuild du here',
  'buildx prune': 'it is tsbuild prune here',
  'buildx bake': 'this version has no bake: call tsbuild build once for each target',
  'buildx debug': 'tsbuild build --on-error keep and tsbuild debug do this',
  'buildx version': 'it is tsbuild version here',
  'buildx history': 'tsbuild keeps no list of builds; --metadata-file writes down what one came to',
  buildx: 'there are no builder instances: tsbuild build takes the flags of docker buildx build',
  bake: 'this version has no bake: call tsbuild build once for each target',
  'system df': 'it is tsbuild du here',
  'system prune': 'it is tsbuild prune here',
  'system info': 'tsbuild doctor says what this machine allows',
  system: 'tsbuild du, tsbuild prune and tsbuild doctor do what there is to do',
  info: 'tsbuild doctor says what this machine allows',
  df: 'it is tsbuild du here',
  'manifest inspect': 'tsbuild inspect --raw shows a manifest or index',
  'manifest create': 'tsbuild build --platform A,B makes an index with its images',
  manifest: 'tsbuild inspect --raw shows a manifest or index; tsbuild build --platform A,B makes one',
  imagetools: 'tsbuild inspect --remote, tsbuild digest and tsbuild copy do what imagetools does',
  'container run': 'it is tsbuild run here',
  container: 'there are no containers that stay; tsbuild run runs a process of an image in the foreground',
  create: 'there are no containers that stay; tsbuild run runs a process of an image in the foreground',
  start: 'there are no containers that stay; tsbuild run runs a process of an image in the foreground',
  exec: 'there are no containers that stay; tsbuild run starts a process of an image, tsbuild debug enters a failed RUN',
  ps: 'there are no containers that stay; tsbuild images lists images',
  commit: 'an image is made by tsbuild build only',
  import: 'FROM scratch with ADD FILE.tar / makes an image of a tar archive',
  export: 'tsbuild build -o DIR takes the files of a build out; tsbuild save writes an image to an archive',
  'compose build': 'this version reads no compose files: call tsbuild build once for each service',
  compose: 'this version reads no compose files: call tsbuild build once for each service',
  search: 'tsbuild tags lists the tags of a repository',
  untag: 'it is tsbuild rmi here',
  bud: 'it is tsbuild build here',
  ls: 'tsbuild images lists the images of the local store',
  rm: 'tsbuild rmi removes names of images',
  cp: 'tsbuild copy copies images; tsbuild build -o DIR takes the files of a build out',
  diff: 'tsbuild inspect shows the layers of an image',
  manifests: 'tsbuild inspect --raw shows a manifest or index',
  catalog: 'tsbuild tags lists the tags of a repository',
}

/** Longest row, in words. */
const MAX_WORDS = 3

/** Tools whose commands are spelled out from habit. */
const TOOLS: ReadonlySet<string> = new Set(['docker', 'podman', 'nerdctl', 'buildah', 'buildctl'])

/** What a command line of another tool was, and what to write here; undefined for words that no other tool has. */
export function dockerHabit(words: readonly string[]): { readonly command: string; readonly hint: string } | undefined {
  const [tool = '', ...own] = words
  if (TOOLS.has(tool) && own.length > 0)
    return {
      command: tool,
      hint: dockerHabit(own)?.hint ?? `leave out ${tool}: tsbuild ${own.slice(0, MAX_WORDS).join(' ')}`,
    }
  for (let count = Math.min(MAX_WORDS, words.length); count > 0; count--) {
    const command = words.slice(0, count).join(' ')
    if (Object.hasOwn(HABITS, command)) return { command, hint: HABITS[command]! }
  }
  return undefined
}
