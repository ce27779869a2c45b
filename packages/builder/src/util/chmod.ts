/**
 * `--chmod` of COPY and ADD: octal and symbolic modes.
 *
 * Symbolic modes follow the BSD setmode that the reference uses: clauses `[ugoa]*([-+=][rwxXstugo]*)+` with commas
 * between them; without letters before the operator everybody is meant, as with a umask of 0. Leaf module.
 */
import { defineError } from '../errors.ts'

/** Errors of reading modes. */
export const modeErrors = {
  invalidChmod: defineError({
    code: 'CHMOD_INVALID',
    doc: 'The value of `--chmod` is neither an octal number up to 07777 nor a symbolic mode such as `u=rwX,go=rX`.',
    message: (text: string) => `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
    hint: 'Use octal digits such as 0644, or a symbolic mode such as u=rwX,go=rX.',
  }),
}

/** What `--chmod` does to a mode. */
export interface Chmod {
  /** The number of an octal mode; undefined for a symbolic one, which depends on the mode before. */
  readonly octal: number | undefined
  /** The permission bits (07777) of a file or directory that had those of `mode`. */
  apply(mode: number, isDir: boolean): number
}

const standardBits = 0o6777
const whoBits: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o0007, a: standardBits }

/** One operator with what it sets: `+rX`. */
interface Action {
  readonly operator: '+' | '-' | '='
  /** Classes it is for; 0: all. */
  readonly who: number
  readonly bits: number
  /** `X`: execution for directories and for files that someone may execute. */
  readonly conditional: boolean
  /** Classes to copy from. */
  readonly copies: readonly ('u' | 'g' | 'o')[]
}

/**
 * Reads the value of `--chmod`.
 *
 * @throws CHMOD_INVALID
 */
export function parseChmod(text: string): Chmod {
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8)
    if (mode > 0o7777) throw modeErrors.invalidChmod([text])
    return { octal: mode, apply: () => mode }
  }
  const actions = text.split(',').flatMap((clause) => {
    const match = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause)
    if (!match) throw modeErrors.invalidChmod([text])
    const [, letters = '', operations = ''] = match
    const who = Array.from(letters).reduce((bits, letter) => bits | whoBits[letter]!, 0)
    return operations.match(/[-+=][^-+=]*/g)!.map((operation) => readAction(who, operation))
  })
  return {
    octal: undefined,
    apply(mode, isDir) {
      const original = mode & 0o7777
      const executable = isDir || (original & 0o111) !== 0
      return actions.reduce((now, action) => applyAction(now, action, executable), original)
    },
  }
}

function readAction(who: number, operation: string): Action {
  const onlyOthers = who === whoBits.o
  let bits = 0
  let conditional = false
  const copies: ('u' | 'g' | 'o')[] = []
  for (const letter of operation.slice(1)) {
    switch (letter) {
      case 'r':
        bits |= 0o444
        break
      case 'w':
        bits |= 0o222
        break
      case 'x':
        bits |= 0o111
        break
      case 'X':
        conditional = true
        break
      // The set-id bits and the sticky bit mean nothing for others alone.
      case 's':
        if (!onlyOthers) bits |= 0o6000
        break
      case 't':
        if (!onlyOthers) bits |= 0o1000
        break
      default:
        copies.push(letter as 'u' | 'g' | 'o')
    }
  }
  return { operator: operation[0] as Action['operator'], who, bits, conditional, copies }
}

function applyAction(mode: number, { operator, who, bits, conditional, copies }: Action, executable: boolean): number {
  let wanted = bits | (conditional && executable ? 0o111 : 0)
  for (const source of copies) {
    const shift = source === 'u' ? 6 : source === 'g' ? 3 : 0
    wanted |= ((mode >> shift) & 7) * 0o111
  }
  // The sticky bit belongs to no class: whoever sets it, sets it.
  wanted &= (who === 0 ? standardBits : who) | 0o1000
  if (operator === '+') return mode | wanted
  if (operator === '-') return mode & ~wanted
  return (mode & ~(who === 0 ? standardBits : who)) | wanted
}
