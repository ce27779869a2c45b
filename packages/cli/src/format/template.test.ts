import { describe, expect, it } from 'vitest'
import { UsageError } from '../usage-error.ts'
import { renderRows } from './rows.ts'
import { compileTemplate, openTable } from './template.ts'

const DATA = {
  ID: 'abc',
  Config: { Env: ['A=1', 'B=2'], Labels: openTable({ a: 'x', 'b.c': 'y' }), Cmd: null },
  Size: 1234,
  Empty: [],
}

describe('templates', () => {
  it.each([
    ['plain', 'plain'],
    ['{{.ID}}', 'abc'],
    ['{{ .Config.Env }}', '[A=1 B=2]'],
    ['{{json .Config.Env}} {{json .}}', `["A=1","B=2"] ${JSON.stringify(DATA)}`],
    ['{{.Config.Labels}}', 'map[a:x b.c:y]'],
    ['{{index .Config.Labels "b.c"}}{{index .Config.Env 1}}', 'yB=2'],
    ['{{.Config.Labels.nope}}', '<no value>'],
    ['{{range .Config.Env}}{{.}};{{end}}', 'A=1;B=2;'],
    ['{{range $i, $e := .Config.Env}}{{$i}}{{$e}} {{end}}', '0A=1 1B=2 '],
    ['{{range $k, $v := .Config.Labels}}{{println $k $v}}{{end}}', 'a x\nb.c y\n'],
    ['{{range .Empty}}x{{else}}none{{end}}', 'none'],
    ['{{if .Config.Cmd}}yes{{else if eq .ID "abc"}}abc{{else}}no{{end}}', 'abc'],
    ['{{with .Config}}{{.Env}} {{$.ID}}{{end}}', '[A=1 B=2] abc'],
    ['{{join .Config.Env ","}} {{upper .ID}} {{len .Config.Env}}', 'A=1,B=2 ABC 2'],
    ['{{.ID | upper | printf "%5s|%-5s|%q" "x"}}', '    x|ABC  |%!q'.replace('%!q', '"<no value>"')],
    ['{{$x := .ID}}{{$x}}', 'abc'],
    ['a {{- .ID -}} b', 'aabcb'],
    ['{{/* nothing */}}x', 'x'],
    ['{{(index .Config.Env 0)}}', 'A=1'],
    ['{{if and .ID (not .Empty)}}both{{end}}', 'both'],
    ['{{"}}"}}', '}}'],
  ])('%s', (text, expected) => expect(compileTemplate(text)(DATA)).toBe(expected))

  it.each([
    ['{{.Nope}}', "can't evaluate field Nope"],
    ['{{.ID.x}}', "can't evaluate field x"],
    ['{{nope .ID}}', 'function "nope" not defined'],
    ['{{.ID', 'unclosed action'],
    ['{{if .ID}}', 'unexpected EOF'],
    ['{{end}}', 'unexpected {{end}}'],
    ['{{(.ID}}', 'unclosed left paren'],
    ['{{constructor}}', 'function "constructor" not defined'],
    ['{{.constructor}}', "can't evaluate field constructor"],
    ['{{$x}}', 'undefined variable'],
    ['{{index .Config.Env 7}}', 'out of range'],
    ['{{}}', 'missing value'],
  ])('%s is refused', (text, message) => {
    const run = (): string => compileTemplate(text)(DATA)
    expect(run).toThrow(UsageError)
    expect(run).toThrow(message)
  })

  it('make tables', () => {
    const rows = [
      { ID: 'a', Tag: 'x' },
      { ID: 'bcd', Tag: 'y' },
    ]
    expect(renderRows(rows, 'table {{.ID}}\t{{upper .Tag}}', { ID: 'IMAGE ID' })).toBe(
      'IMAGE ID   TAG\na          X\nbcd        Y\n',
    )
    expect(renderRows([], 'table {{.ID}}\t{{.Tag}}', { ID: 'IMAGE ID', Tag: 'TAG' })).toBe('IMAGE ID   TAG\n')
    expect(renderRows(rows, '{{.ID}}', {})).toBe('a\nbcd\n')
  })
})
