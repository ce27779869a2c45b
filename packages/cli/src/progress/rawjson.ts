/** The rawjson renderer: a JSON object per line, BuildKit's SolveStatus, for other programs to read. */
import { createHash } from 'node:crypto'
import type { BuildWarning, ProgressEvent } from '@tsbuild/builder'
import type { Renderer } from './renderer.ts'

/** What every line about a piece of work repeats. */
interface Vertex {
  readonly digest: string
  readonly inputs?: readonly string[]
  readonly name: string
  readonly started: string
}

export function rawJsonRenderer(): Renderer {
  const known = new Map<string, Vertex>()
  /** When transfers began: `ID ITEM`. */
  const transfers = new Map<string, string>()
  const vertex = (id: string, fields: object) => ({
    vertexes: [{ ...(known.get(id) ?? { digest: digestOf(id) }), ...fields }],
  })
  const digest = (id: string): string => known.get(id)?.digest ?? digestOf(id)

  const encode = (event: ProgressEvent): object => {
    const time = new Date(event.time).toISOString()
    switch (event.type) {
      case 'started': {
        const { id, name, digest, inputs } = event.vertex
        known.set(id, {
          digest: digest ?? digestOf(`${id} ${name}`),
          ...(inputs && inputs.length > 0 ? { inputs } : {}),
          name,
          started: time,
        })
        return vertex(id, {})
      }
      case 'cached':
        return vertex(event.id, { completed: time, cached: true })
      case 'done':
        return vertex(event.id, { completed: time })
      case 'failed':
        return vertex(event.id, { completed: time, error: event.message })
      case 'canceled':
        return vertex(event.id, { completed: time, error: 'context canceled' })
      case 'explained':
        return {
          logs: [
            {
              vertex: digest(event.id),
              stream: 2,
              data: Buffer.from(`${event.text}\n`).toString('base64'),
              timestamp: time,
            },
          ],
        }
      case 'log':
        return {
          logs: [
            {
              vertex: digest(event.id),
              stream: event.stream === 'stdout' ? 1 : 2,
              data: event.data.toString('base64'),
              timestamp: time,
            },
          ],
        }
      case 'progress': {
        const { id, item, current, total } = event
        const key = `${id} ${item}`
        const started = transfers.get(key) ?? time
        const ended = total > 0 && current >= total
        if (ended) transfers.delete(key)
        else transfers.set(key, started)
        return {
          statuses: [
            {
              id: item,
              vertex: digest(id),
              ...(total > 0 ? { total } : {}),
              current,
              timestamp: time,
              started,
              ...(ended ? { completed: time } : {}),
            },
          ],
        }
      }
      case 'warning': {
        const { warning, id } = event
        return { warnings: [{ ...(id === undefined ? {} : { vertex: digest(id) }), ...encodeWarning(warning) }] }
      }
    }
  }

  return {
    event: (event) => `${JSON.stringify(encode(event))}\n`,
    tick: () => '',
    end: () => '',
  }
}

/** Of work whose library says none. */
function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** BuildKit's VertexWarning. Texts are base64, as Go writes byte slices; what is zero is left out, as it does, too. */
export function encodeWarning(warning: BuildWarning): object {
  const short = warning.rule === '' ? warning.message : `${warning.rule}: ${warning.message}`
  const { at } = warning
  return {
    level: 1,
    short: base64(short),
    ...(warning.description ? { detail: [base64(warning.description)] } : {}),
    ...(warning.url ? { url: warning.url } : {}),
    ...(at
      ? {
          sourceInfo: { filename: at.file.name, data: base64(at.file.text), language: 'Dockerfile' },
          range: [{ start: position(at.range.start), end: position(at.range.end) }],
        }
      : {}),
  }
}

function position({ line, column }: { readonly line: number; readonly column: number }): object {
  return { line, ...(column > 0 ? { character: column } : {}) }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
