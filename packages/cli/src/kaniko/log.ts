/** Logs as kaniko writes them: lines of logrus on stderr, and what a RUN prints as it is. */
import type { ProgressEvent, ProgressListener } from '@tsbuild/builder'
import type { Io, Output } from '../io.ts'
import { escapeControls, keepColours } from '../progress/escape.ts'
import { LogLines } from '../progress/log-lines.ts'
import type { LogLevel, LogSettings } from './draft.ts'

type Level = 'debug' | 'info' | 'warning' | 'error'

/** The more, the less is said. */
const ORDER: Readonly<Record<LogLevel, number>> = {
  trace: 0,
  debug: 1,
  info: 2,
  warn: 3,
  warning: 3,
  error: 4,
  fatal: 5,
  panic: 6,
}

const COLOURS: Readonly<Record<Level, number>> = { debug: 37, info: 36, warning: 33, error: 31 }

export class KanikoLog {
  readonly #settings: LogSettings
  readonly #output: Output
  readonly #now: () => number
  readonly #started: number

  /** @param now milliseconds since the epoch */
  constructor(settings: LogSettings, output: Output, now: () => number = Date.now) {
    this.#settings = settings
    this.#output = output
    this.#now = now
    this.#started = now()
  }

  say(level: Level, message: string): void {
    if (ORDER[level] < ORDER[this.#settings.level] || this.#output.destroyed) return
    for (const line of message.split('\n')) this.#output.write(`${this.#line(level, escapeControls(line))}\n`)
  }

  #line(level: Level, message: string): string {
    const time = `${new Date(this.#now()).toISOString().slice(0, 19)}Z`
    const { format, timestamp } = this.#settings
    if (format === 'json') return JSON.stringify({ level, msg: message, time })
    if (format === 'text') return `time=${JSON.stringify(time)} level=${level} msg=${quoted(message)}`
    const seconds = String(Math.floor((this.#now() - this.#started) / 1000)).padStart(4, '0')
    const name = level.toUpperCase().slice(0, 4)
    return `\x1b[${COLOURS[level]}m${name}\x1b[0m[${timestamp ? time : seconds}] ${message.padEnd(44)} `
  }
}

/** logrus quotes what has other characters than these. */
const quoted = (text: string): string => (/^[A-Za-z0-9\-._/@^+]+$/.test(text) ? text : JSON.stringify(text))

/** Says what happens during a build, and passes on what its processes print, line by line. */
export function kanikoProgress(log: KanikoLog, { stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>): ProgressListener {
  const names = new Map<string, string>()
  const streams = new Map<string, { readonly lines: LogLines; readonly output: Output }>()
  const print = (output: Output, text: string): void => {
    if (!output.destroyed) output.write(`${output.isTTY ? keepColours(text) : escapeControls(text)}\n`)
  }
  const end = (id: string): void => {
    for (const kind of ['stdout', 'stderr']) {
      const stream = streams.get(`${kind} ${id}`)
      for (const { text } of stream?.lines.end() ?? []) print(stream!.output, text)
      streams.delete(`${kind} ${id}`)
    }
    names.delete(id)
  }
  return (event: ProgressEvent) => {
    if (event.type === 'started') {
      const { id, name } = event.vertex
      names.set(id, name)
      log.say(name.startsWith('[internal]') ? 'debug' : 'info', name)
    } else if (event.type === 'log') {
      const key = `${event.stream} ${event.id}`
      const stream = streams.get(key) ?? { lines: new LogLines(), output: event.stream === 'stdout' ? stdout : stderr }
      streams.set(key, stream)
      for (const { text } of stream.lines.push(event.data)) print(stream.output, text)
    } else if (event.type === 'cached') {
      log.say('info', `Using caching version of cmd: ${names.get(event.id) ?? ''}`)
      end(event.id)
    } else if (event.type === 'warning') log.say('warning', event.warning.message)
    else if (event.type === 'done' || event.type === 'failed' || event.type === 'canceled') end(event.id)
  }
}
