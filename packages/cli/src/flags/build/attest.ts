/** `--attest`, `--provenance`, `--sbom` and `--annotation`. */
import { UsageError } from '../../usage-error.ts'
import { csvField, csvFields, keyValue } from '../csv.ts'
import { parseBoolean } from '../parse.ts'
import { suggest } from '../suggest.ts'
import type { BuildDraft } from './draft.ts'

const TYPES = ['provenance', 'sbom']

/** Adds one `--attest type=TYPE[,disabled=BOOL][,KEY=VALUE]` to the draft. */
export function addAttest(draft: BuildDraft, text: string, flag = 'attest'): void {
  let type = ''
  let disabled = false
  const kept: string[] = []
  for (const field of csvFields(text, flag)) {
    const pair = keyValue(field)
    if (!pair)
      throw new UsageError(`invalid value ${field} for --${flag}`, 'write it as key=value, separated by commas')
    const key = pair[0].trim().toLowerCase()
    if (key === 'disabled') {
      disabled = parseBoolean(pair[1], flag)
      continue
    }
    if (key === 'type') type = pair[1]
    kept.push(csvField(field))
  }
  if (!type) throw new UsageError('attestation type not specified')
  if (!TYPES.includes(type)) {
    const close = suggest(type, TYPES)
    throw new UsageError(
      `unknown attestation type ${JSON.stringify(type)}`,
      close ? `did you mean ${close}?` : `the types are ${TYPES.join(' and ')}`,
    )
  }
  if (draft.attests.some((attest) => attest.type === type)) throw new UsageError(`duplicate attestation field ${type}`)
  draft.attests.push({ type, text: kept.join(','), disabled })
}

const BOOLEAN = /^(?:[01tTfF]|true|TRUE|True|false|FALSE|False)$/

/** Adds `--provenance=VALUE` or `--sbom=VALUE`: a boolean, or attributes. */
export function addShorthandAttest(draft: BuildDraft, type: 'provenance' | 'sbom', value: string): void {
  if (value === '') return
  const attrs = BOOLEAN.test(value) ? `disabled=${!parseBoolean(value, type)}` : value
  addAttest(draft, `type=${type},${attrs}`, type)
}

const ANNOTATION_TYPES = new Set(['index', 'index-descriptor', 'manifest', 'manifest-descriptor'])

/** Checks one `--annotation [TYPE[PLATFORM],…:]KEY=VALUE`. */
export function checkAnnotation(text: string): string {
  const pair = keyValue(text)
  if (!pair) throw new UsageError(`invalid annotation ${JSON.stringify(text)}, expected key=value`)
  const colon = pair[0].indexOf(':')
  const types = colon < 0 ? [] : pair[0].slice(0, colon).split(',')
  for (const type of types) {
    const match = /^([a-z-]+)(?:\[[A-Za-z0-9_/-]+\])?$/.exec(type)
    if (!match) {
      throw new UsageError(
        `invalid annotation type ${JSON.stringify(type)}, expected type and optional platform in square brackets`,
      )
    }
    if (!ANNOTATION_TYPES.has(match[1]!)) throw new UsageError(`unknown annotation type ${JSON.stringify(match[1])}`)
  }
  return text
}
