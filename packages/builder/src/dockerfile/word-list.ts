/** Words of an expanded text. */
import { isSpace } from '../util/go-text.ts'

/** Collects the words of a text: blanks part them, raw text (quoted, escaped) never does. */
export class WordList {
  readonly #words: string[] = []
  #word = ''

  add(text: string): void {
    let start = 0
    for (let at = 0; at < text.length; at++) {
      if (!isSpace(text.charCodeAt(at))) continue
      this.#word += text.slice(start, at)
      this.#end()
      start = at + 1
    }
    this.#word += text.slice(start)
  }

  addRaw(text: string): void {
    this.#word += text
  }

  finish(): string[] {
    this.#end()
    return this.#words
  }

  #end(): void {
    if (this.#word !== '') this.#words.push(this.#word)
    this.#word = ''
  }
}
