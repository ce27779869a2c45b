/** The rawjson renderer: a JSON object per line, of the shape of BuildKit's, for other programs to read. */
import type { BuildWarning, ProgressEvent } from '@tsbuild/builder'
import type { Renderer } from './renderer.ts'

export function rawJsonRenderer(): Renderer {
  const names = new Map<string, { name: string; started: string }>()
  const vertex = (id: string, fields: object) => ({ vertexes: [{ digest: id, ...names.get(id), ...fields }] })

  const encode = (event: ProgressEvent): object => {
    const time = new Date(event.time).toISOString()
    switch (event.type) {
      case 'started':
        names.set(event.vertex.id, { name: event.vertex.name, started: time })
        return vertex(event.vertex.id, {})
      case 'cached':
        return vertex(event.id, { completed: time, cached: true })
      case 'done':
        return vertex(event.id, { completed: time })
      case 'failed':
        return vertex(event.id, { completed: time, error: event.message })
      case 'canceled':
        return vertex(event.id, { completed: time, error: 'context canceled' })
      case 'log':
        return {
          logs: [
            {
              vertex: event.id,
              stream: event.stream === 'stdout' ? 1 : 2,
              data: event.data.toString('base64'),
              timestamp: time,
            },
          ],
        }
      case 'progress':
        return {
          statuses: [
            {
              id: event.item,
              vertex: event.id,
              current: event.current,
              ...(event.total > 0 ? { total: event.total } : {}),
              timestamp: time,
              ...(event.total > 0 && event.current >= event.total ? { completed: time } : {}),
            },
          ],
        }
      case 'warning':
        return { warnings: [encodeWarning(event.warning, event.id)] }
    }
  }

  return {
    event: (event) => `${JSON.stringify(encode(event))}\n`,
    tick: () => '',
    end: () => '',
  }
}

/** Texts are base64, as Go writes byte slices. */
function encodeWarning(warning: BuildWarning, id: string | undefined): object {
  const short = warning.rule === '' ? warning.message : `${warning.rule}: ${warning.message}`
  const { at } = warning
  return {
    ...(id === undefined ? {} : { vertex: id }),
    level: 1,
    short: base64(short),
    ...(warning.description ? { detail: [base64(warning.description)] } : {}),
    ...(warning.url ? { url: warning.url } : {}),
    ...(at
      ? {
          sourceInfo: { filename: at.file.name, data: base64(at.file.text) },
          range: [
            {
              start: { line: at.range.start.line, character: at.range.start.column },
              end: { line: at.range.end.line, character: at.range.end.column },
            },
          ],
        }
      : {}),
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
