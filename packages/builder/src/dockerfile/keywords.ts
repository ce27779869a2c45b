/** How the scanner treats each keyword: how its arguments are split, and whether heredocs may follow. */

/** The reference's line parsers in short. */
export type Grammar =
  | 'text'
  | 'blanks'
  | 'json-text'
  | 'json-blanks'
  | 'quoted'
  | 'name-values'
  | 'health'
  | 'trigger'
  | 'none'

/** A keyword for the scanner. */
export interface KeywordInfo {
  /** Upper case. */
  readonly name: string
  readonly grammar: Grammar
  readonly heredocs: boolean
}

const known: readonly KeywordInfo[] = [
  { name: 'ADD', grammar: 'json-blanks', heredocs: true },
  { name: 'ARG', grammar: 'quoted', heredocs: false },
  { name: 'CMD', grammar: 'json-text', heredocs: false },
  { name: 'COPY', grammar: 'json-blanks', heredocs: true },
  { name: 'ENTRYPOINT', grammar: 'json-text', heredocs: false },
  { name: 'ENV', grammar: 'name-values', heredocs: false },
  { name: 'EXPOSE', grammar: 'blanks', heredocs: false },
  { name: 'FROM', grammar: 'blanks', heredocs: false },
  { name: 'HEALTHCHECK', grammar: 'health', heredocs: false },
  { name: 'LABEL', grammar: 'name-values', heredocs: false },
  { name: 'MAINTAINER', grammar: 'text', heredocs: false },
  { name: 'ONBUILD', grammar: 'trigger', heredocs: false },
  { name: 'RUN', grammar: 'json-text', heredocs: true },
  { name: 'SHELL', grammar: 'json-text', heredocs: false },
  { name: 'STOPSIGNAL', grammar: 'text', heredocs: false },
  { name: 'USER', grammar: 'text', heredocs: false },
  { name: 'VOLUME', grammar: 'json-blanks', heredocs: false },
  { name: 'WORKDIR', grammar: 'text', heredocs: false },
]
const byName = new Map(known.map((info) => [info.name, info]))
/** The common case without cutting the word out: keywords in capitals, by first letter and length. */
const byShape: (readonly KeywordInfo[] | undefined)[] = []
for (const info of known) {
  const shape = shapeOf(info.name.charCodeAt(0), info.name.length)
  byShape[shape] = [...(byShape[shape] ?? []), info]
}

/** The info of the keyword in [start, end) of a text; unknown ones have no words, instructions/ refuses them. */
export function keywordInfo(text: string, start: number, end: number): KeywordInfo {
  const candidates = byShape[shapeOf(text.charCodeAt(start), end - start)]
  if (candidates !== undefined) {
    for (const info of candidates) if (text.startsWith(info.name, start)) return info
  }
  const name = text.slice(start, end).toUpperCase()
  return byName.get(name) ?? { name, grammar: 'none', heredocs: false }
}

function shapeOf(firstCode: number, length: number): number {
  return length < 16 && firstCode >= 0x41 && firstCode <= 0x5a ? (firstCode - 0x41) * 16 + length : -1
}
