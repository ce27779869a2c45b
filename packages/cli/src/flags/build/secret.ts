/** `--secret` and `--ssh`. */
import type { SecretSource, SshSource } from '@tsbuild/builder'
import type { Environment } from '../../io.ts'
import { UsageError } from '../../usage-error.ts'
import { csvFields, keyValue } from '../csv.ts'

/**
 * One `--secret id=ID[,src=FILE|,env=NAME]`. With neither, the environment variable of the id's name is taken if there is
 * one, else the file of that name.
 *
 * @throws UsageError in buildx' words
 */
export function parseSecret(text: string, env: Environment): SecretSource {
  const found: { id?: string; src?: string; env?: string; type?: string } = {}
  for (const field of csvFields(text, 'secret')) {
    const pair = keyValue(field)
    if (!pair) throw new UsageError(`invalid field '${field}' must be a key=value pair`)
    const key = pair[0].toLowerCase()
    if (key === 'id' || key === 'env') found[key] = pair[1]
    else if (key === 'src' || key === 'source') found.src = pair[1]
    else if (key !== 'type') throw new UsageError(`unexpected key '${key}' in '${field}'`)
    else if (pair[1] === 'file' || pair[1] === 'env') found.type = pair[1]
    else throw new UsageError(`unsupported secret type ${JSON.stringify(pair[1])}`)
  }
  const { id } = found
  if (!id) throw new UsageError('secret missing ID', 'write it as --secret id=NAME,src=FILE or id=NAME,env=VARIABLE')
  if (found.type === 'env') return { id, env: found.env ?? found.src ?? id }
  if (found.env) return { id, env: found.env }
  if (found.src) return { id, src: found.src }
  return found.type !== 'file' && env[id] !== undefined ? { id, env: id } : { id, src: id }
}

/** One `--ssh default|ID[=SOCKET|KEY[,KEY]]`. */
export function parseSsh(text: string): SshSource {
  const [id, paths] = keyValue(text) ?? [text, '']
  return { id: id || 'default', paths: paths.split(',').filter((path) => path !== '') }
}
