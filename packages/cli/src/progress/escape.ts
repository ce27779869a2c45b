/** Makes text of a build safe to print: it can neither move the cursor nor pretend to be another line. */

// C0 but tab, DEL, C1, line separators, and the marks that reorder text.
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

// Control sequences: CSI, strings (OSC, DCS, PM, APC, SOS) to their terminator or the end, two-byte escapes.
const SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g

const COLOUR = /^\x1b\[[0-9;:]*m$/

/** Control bytes as `\xNN` (`\uNNNN` above them), everything else as it is. */
export function escapeControls(line: string): string {
  return line.replace(CONTROLS, (char) => {
    const code = char.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** {@link escapeControls} of each line of a text. */
export function escapeText(text: string): string {
  return text.split('\n').map(escapeControls).join('\n')
}

/** For a terminal: colours stay and end with the line, other control sequences go, other control bytes are escaped. */
export function keepColours(line: string): string {
  if (!line.includes('\x1b')) return escapeControls(line)
  let coloured = false
  let text = ''
  let from = 0
  for (const match of line.matchAll(SEQUENCES)) {
    text += escapeControls(line.slice(from, match.index))
    if (COLOUR.test(match[0])) {
      coloured = true
      text += match[0]
    }
    from = match.index + match[0].length
  }
  text += escapeControls(line.slice(from))
  return coloured ? `${text}\x1b[0m` : text
}

/** Without any control sequence, for text whose width counts. */
export function plainText(line: string): string {
  return escapeControls(line.replace(SEQUENCES, '').replaceAll('\t', '  '))
}
