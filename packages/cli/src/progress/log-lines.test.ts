import { describe, expect, it } from 'vitest'
import { LogLines, MAX_LINE } from './log-lines.ts'

/** The lines that chunks make, those at the end included. */
function lines(...chunks: (string | Buffer)[]): string[] {
  const log = new LogLines()
  const pieces = chunks.flatMap((chunk) => log.push(Buffer.from(chunk as string)))
  return [...pieces, ...log.end()].map((piece) => piece.text)
}

describe('LogLines', () => {
  const euro = Buffer.from('€')

  it.each<[string, (string | Buffer)[], string[]]>([
    ['complete lines', ['a\nb\n'], ['a', 'b']],
    ['a last line without newline', ['a\nb'], ['a', 'b']],
    ['lines in parts', ['a', 'b\nc', '\n'], ['ab', 'c']],
    ['empty lines', ['\n\na\n'], ['', '', 'a']],
    ['CRLF', ['a\r\nb\r\n'], ['a', 'b']],
    ['CRLF in parts', ['a\r', '\nb'], ['a', 'b']],
    ['several CR before LF', ['a\r\r\n'], ['a']],
    ['a progress bar: its last state', ['10%\r20%\r30%\n'], ['30%']],
    ['a progress bar in parts', ['10%\r', '20%', '\r', '30%'], ['30%']],
    ['a CR at the end', ['abc\r'], ['abc']],
    ['a character in parts', [euro.subarray(0, 1), euro.subarray(1), '\n'], ['€']],
    ['half a character at the end', ['a', euro.subarray(0, 2)], ['a\ufffd']],
    ['bytes that are no text', [Buffer.from([0xff, 0x0a])], ['\ufffd']],
  ])('%s', (_name, chunks, expected) => expect(lines(...chunks)).toEqual(expected))

  it('cuts long lines and says by how much', () => {
    const [line] = lines('x'.repeat(MAX_LINE), 'y'.repeat(10), '\n')
    expect(line).toBe(`${'x'.repeat(MAX_LINE)} [10 more characters]`)
  })

  it('needs no more memory for a line of 300 MB', () => {
    const chunk = Buffer.alloc(1 << 20, 'x')
    const log = new LogLines()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 300; i++) expect(log.push(chunk)).toEqual([])
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20)
    expect(log.end()[0]!.text).toHaveLength(MAX_LINE + ` [${(300 << 20) - MAX_LINE} more characters]`.length)
  })

  it('hands out a begun line once, and then what continues it', () => {
    const log = new LogLines()
    log.push(Buffer.from('sure? '))
    expect(log.hasPartial).toBe(true)
    expect(log.takePartial()).toEqual({ text: 'sure? ', continues: false })
    expect(log.hasPartial).toBe(false)
    expect(log.push(Buffer.from('yes\nnext\n'))).toEqual([
      { text: 'yes', continues: true },
      { text: 'next', continues: false },
    ])
  })
})
