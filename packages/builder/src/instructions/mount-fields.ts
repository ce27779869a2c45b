/** The single fields of `RUN --mount`: keys, aliases, kinds of values. */
import type { Location } from '../source.ts'
import { parseBytes } from '../util/bytes.ts'
import { parseBool } from './bool.ts'
import { instructionErrors } from './errors.ts'
import type { MountField } from './nodes.ts'

const types = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const
export const sharings = ['shared', 'private', 'locked'] as const
const keys = [
  'type',
  'from',
  'source',
  'target',
  'readonly',
  'id',
  'sharing',
  'required',
  'mode',
  'uid',
  'gid',
  'size',
  'env',
  'src',
  'dst',
  'destination',
  'ro',
  'rw',
  'readwrite',
]

/** What the fields read so far say; a key that comes again replaces the earlier value. */
export interface MountDraft {
  type: (typeof types)[number]
  from?: string
  source?: string
  target?: string
  readonly?: boolean
  id?: string
  sharing?: (typeof sharings)[number]
  required?: boolean
  mode?: number
  uid?: number
  gid?: number
  size?: number
  env?: string
}

/**
 * Takes one field into the draft. Fields are read in order: what depends on the type needs `type=` before it.
 *
 * @throws FIELD_FORM, FIELD_UNKNOWN, FIELD_VALUE, MOUNT_FIELD_FOR_TYPE, MOUNT_TYPE, MOUNT_SHARING
 */
export function applyField(
  draft: MountDraft,
  { key, value: written, text }: MountField,
  expand: (text: string) => string,
  at: Location,
): void {
  const onlyFor = (...allowed: string[]): void => {
    if (!allowed.includes(draft.type)) {
      throw instructionErrors.fieldForType([`unexpected key '${key}' for mount type '${draft.type}'`], {
        at,
        hint: `${key} belongs to mounts of type ${allowed.join(' and ')}; put type= before it.`,
      })
    }
  }
  if (written === undefined) {
    if (key === 'readonly' || key === 'ro') draft.readonly = true
    else if (key === 'readwrite' || key === 'rw') draft.readonly = false
    else if (key === 'required') {
      onlyFor('secret', 'ssh')
      draft.required = true
    } else throw instructionErrors.fieldForm([text], { at })
    return
  }
  const value = expand(written)
  const invalid = (problem: string): Error => instructionErrors.fieldValue([problem], { at })
  const number = (radix: 8 | 10): number => {
    const digits = radix === 8 ? /^[0-7]+$/ : /^[0-9]+$/
    const parsed = digits.test(value) ? Number.parseInt(value, radix) : Number.NaN
    if (!(parsed < 2 ** 32)) throw invalid(`invalid value ${value} for ${key}`)
    return parsed
  }
  const state = (): boolean => {
    const parsed = parseBool(value)
    if (parsed === undefined) throw invalid(`invalid value for ${key}: ${value}`)
    return parsed
  }
  switch (key) {
    case 'type': {
      const type = types.find((known) => known === value.toLowerCase())
      if (type === undefined) throw instructionErrors.mountType([value, types], { at })
      draft.type = type
      return
    }
    case 'from':
      draft.from = value
      return
    case 'source':
    case 'src':
      draft.source = value
      return
    case 'target':
    case 'dst':
    case 'destination':
      draft.target = value
      return
    case 'readonly':
    case 'ro':
      draft.readonly = state()
      return
    case 'readwrite':
    case 'rw':
      draft.readonly = !state()
      return
    case 'required':
      onlyFor('secret', 'ssh')
      draft.required = state()
      return
    case 'size': {
      onlyFor('tmpfs')
      const size = parseBytes(value)
      if (size === undefined) throw invalid(`invalid value for ${key}: ${value}`)
      draft.size = size
      return
    }
    case 'id':
      draft.id = value
      return
    case 'sharing': {
      const sharing = sharings.find((known) => known === value.toLowerCase())
      if (sharing === undefined) throw instructionErrors.mountSharing([value, sharings], { at })
      draft.sharing = sharing
      return
    }
    case 'mode':
      draft.mode = number(8)
      return
    case 'uid':
    case 'gid':
      draft[key] = number(10)
      return
    case 'env':
      draft.env = value
      return
    default:
      throw instructionErrors.fieldUnknown([key, text, keys], { at })
  }
}
