/** Splits the output of a process into lines, in bounded memory. */
import { StringDecoder } from 'node:string_decoder'

/** Characters of a line that are kept; what goes beyond is counted and left out. */
export const MAX_LINE = 16 * 1024

/** A line, or the rest of one whose begin was taken by {@link LogLines.takePartial} already. */
export interface LinePiece {
  readonly text: string
  readonly continues: boolean
}

/**
 * The lines of one stream of one step. `\r\n` ends a line; after a lone `\r` the line is written anew, as on a terminal,
 * so only its last state counts. Characters that arrive in parts are put together.
 */
export class LogLines {
  readonly #decoder = new StringDecoder('utf8')
  #text = ''
  #left = 0
  #return = false
  #continues = false

  /** The lines that `data` completes. */
  push(data: Buffer): LinePiece[] {
    return this.#split(this.#decoder.write(data))
  }

  /** What the stream ends with, if that is no complete line. */
  end(): LinePiece[] {
    const pieces = this.#split(this.#decoder.end())
    if (this.hasPartial) pieces.push(this.#finishLine())
    return pieces
  }

  /** There is a begun line of which nothing was taken yet. */
  get hasPartial(): boolean {
    return this.#text !== '' || this.#left > 0
  }

  /** Takes the begun line; what follows will be a piece that continues it. */
  takePartial(): LinePiece {
    const piece = { text: this.#text, continues: this.#continues }
    this.#text = ''
    this.#continues = true
    return piece
  }

  #split(text: string): LinePiece[] {
    const pieces: LinePiece[] = []
    let from = 0
    while (from < text.length) {
      const newline = text.indexOf('\n', from)
      this.#append(text.slice(from, newline < 0 ? undefined : newline))
      if (newline < 0) break
      this.#return = false
      pieces.push(this.#finishLine())
      from = newline + 1
    }
    return pieces
  }

  /** Adds text without newlines to the begun line. */
  #append(text: string): void {
    if (text === '') return
    let end = text.length
    while (end > 0 && text[end - 1] === '\r') end--
    const last = text.slice(0, end)
    if (this.#return && last !== '') this.#restart()
    const start = last.lastIndexOf('\r') + 1
    if (start > 0) this.#restart()
    this.#return = last.length < text.length || (this.#return && last === '')
    const room = MAX_LINE - this.#text.length
    const added = last.slice(start, start + room)
    this.#text += added
    this.#left += last.length - start - added.length
  }

  #restart(): void {
    this.#text = ''
    this.#left = 0
    this.#continues = false
  }

  #finishLine(): LinePiece {
    const cut = this.#left > 0 ? ` [${this.#left} more characters]` : ''
    const piece = { text: this.#text + cut, continues: this.#continues }
    this.#restart()
    return piece
  }
}
