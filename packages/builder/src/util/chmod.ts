/**
 * Modes as --chmod takes them: octal, or symbolic as chmod(1) has them. Leaf module.
 *
 * Symbolic modes follow BSD's setmode(3), which the reference uses, with a umask of 0: a missing "who" means everybody,
 * `X` looks at the mode before any change, `s` and `t` are for owner and group.
 */

/** A parsed mode. */
export interface Chmod {
  /** The mode itself if it was given in octal digits, else undefined. */
  readonly octal: number | undefined
  /** The mode of an entry whose mode was `mode`; both with setuid, setgid and sticky bits, without the type. */
  apply(mode: number, isDirectory: boolean): number
}

interface Change {
  readonly op: '+' | '-' | '='
  readonly who: number
  /** Bits to set or clear, within `who`. */
  readonly bits: number
  /** `X`: execute bits (within `who`) for directories and for what somebody may execute. */
  readonly executable: boolean
  /** `u`, `g`, `o`: the permissions that this class has. Shift of its bits. */
  readonly copies: readonly number[]
}

const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o0007, a: 0o6777 }
const PERMISSIONS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 }
const SHIFTS: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 }

/**
 * Reads a mode: octal from 0 to 07777, or `[ugoa]*([-+=]([rwxXst]*|[ugo]))+` joined by commas.
 *
 * @returns undefined if it is neither
 */
export function parseChmod(text: string): Chmod | undefined {
  if (/^[0-9]/.test(text)) {
    if (!/^[0-7]+$/.test(text)) return undefined
    const octal = Number.parseInt(text, 8)
    return octal > 0o7777 ? undefined : { octal, apply: () => octal }
  }
  const changes: Change[] = []
  for (const clause of text.split(',')) {
    const parts = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause)
    if (parts === null) return undefined
    let who = 0
    for (const c of parts[1]!) who |= WHO[c]!
    for (const action of parts[2]!.match(/[-+=][^-+=]*/g)!) {
      const change = parseAction(action, who)
      if (change === undefined) return undefined
      changes.push(change)
    }
  }
  return {
    octal: undefined,
    apply: (mode, isDirectory) => changes.reduce((m, c) => applyChange(m, c, mode, isDirectory), mode),
  }
}

function parseAction(action: string, given: number): Change | undefined {
  const letters = action.slice(1)
  const everybody = given === 0
  // Set-id and sticky bits are nothing that "other" has.
  const special = everybody || (given & ~0o0007) !== 0
  let who = everybody ? 0o6777 : given
  let bits = 0
  let executable = false
  const copies: number[] = []
  for (const c of letters) {
    if (c === 's') bits |= special ? 0o6000 : 0
    else if (c === 't') {
      if (special) {
        who |= 0o1000
        bits |= 0o1000
      }
    } else if (c === 'X') executable = true
    else if (c === 'u' || c === 'g' || c === 'o') copies.push(SHIFTS[c]!)
    else bits |= PERMISSIONS[c]!
  }
  // A class is copied alone: `g=u`, never `g=ur`.
  if (copies.length > 0 && letters.length > 1) return undefined
  return { op: action[0] as Change['op'], who, bits, executable, copies }
}

function applyChange(mode: number, change: Change, original: number, isDirectory: boolean): number {
  let bits = change.bits
  for (const shift of change.copies) bits |= ((mode >> shift) & 0o7) * 0o111
  if (change.executable && (isDirectory || (original & 0o111) !== 0)) bits |= 0o111
  bits &= change.who
  if (change.op === '+') return mode | bits
  if (change.op === '-') return mode & ~bits
  return (mode & ~change.who) | bits
}
