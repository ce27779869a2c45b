/** The commands as files that Node runs without a shell, which the image does not have. */
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const HOME = '/usr/local/lib/tsbuild'

/**
 * Writes a launcher for each command of the package.
 *
 * @param manifest the package.json that lists them
 * @param root of the layer
 */
export async function writeLaunchers(manifest: string, root: string): Promise<void> {
  const { bin } = JSON.parse(await readFile(manifest, 'utf8')) as { bin: Readonly<Record<string, string>> }
  const directory = join(root, 'usr/local/bin')
  await mkdir(directory, { recursive: true })
  for (const [name, file] of Object.entries(bin)) {
    await writeFile(join(directory, name), launcher(join(HOME, file)))
    await chmod(join(directory, name), 0o755)
  }
  if (bin.kaniko === undefined) return
  await mkdir(join(root, 'kaniko'), { recursive: true })
  await symlink('/usr/local/bin/kaniko', join(root, 'kaniko/executor'))
}

/** With `--`, Node takes no option of the command for its own. A fresh volume has no directory for temporary files yet. */
function launcher(file: string): string {
  return `#!/usr/local/bin/node --
const { TMPDIR } = process.env
try {
  if (TMPDIR) require('node:fs').mkdirSync(TMPDIR, { recursive: true, mode: 0o700 })
} catch {
  // Whoever needs it says what is wrong.
}
require('${file}')
`
}

/** `git submodule` is a script for a shell; what it does for `update` is a command of git that it only hands its words to. */
export async function writeSubmoduleLauncher(root: string): Promise<void> {
  const file = join(root, 'usr/lib/git-core/git-submodule')
  await writeFile(
    file,
    `#!/usr/local/bin/node --
process.execve('/usr/bin/git', ['git', 'submodule--helper', ...process.argv.slice(2)], process.env)
`,
  )
  await chmod(file, 0o755)
}
