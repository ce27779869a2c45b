/** HEALTHCHECK: how to see whether a container works. */
import { quote } from '../util/go-text.ts'
import type { InstructionDef } from './definition.ts'
import { parseDuration } from './duration.ts'
import { instructionErrors } from './errors.ts'
import { type FlagValues, readFlags } from './flags.ts'
import type { HealthcheckNode } from './nodes.ts'

const flags = {
  interval: 'value',
  timeout: 'value',
  'start-period': 'value',
  'start-interval': 'value',
  retries: 'value',
} as const
type Values = FlagValues<typeof flags>

/** Nanoseconds. */
const millisecond = 1_000_000

export const healthcheck: InstructionDef<HealthcheckNode> = {
  keyword: 'HEALTHCHECK',
  flags,
  onbuild: true,
  parse(raw, { file }) {
    const [first, ...args] = raw.words.map((word) => word.text)
    if (first === undefined) throw instructionErrors.atLeastOneArgument(['HEALTHCHECK'])
    const type = first.toUpperCase()
    if (type === 'NONE') {
      if (args.length > 0) throw instructionErrors.healthcheckNone([])
      const none = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 }
      return { kind: 'HEALTHCHECK', raw, test: ['NONE'], ...none }
    }
    const values = readFlags(raw, flags, file)
    if (type !== 'CMD') throw instructionErrors.healthcheckType([type])
    if (args.length === 0) throw instructionErrors.healthcheckNoCommand([])
    return {
      kind: 'HEALTHCHECK',
      raw,
      test: [raw.form === 'exec' ? 'CMD' : 'CMD-SHELL', ...args],
      interval: duration(values, 'interval'),
      timeout: duration(values, 'timeout'),
      startPeriod: duration(values, 'start-period'),
      startInterval: duration(values, 'start-interval'),
      retries: retries(values.value('retries') ?? ''),
    }
  },
}

function duration(values: Values, name: keyof typeof flags): number {
  const text = values.value(name) ?? ''
  const time = text === '' ? 0 : parseDuration(text)
  if (time !== 0 && time < millisecond) throw instructionErrors.healthcheckTooShort([name])
  return time
}

function retries(text: string): number {
  if (text === '') return 0
  const problem = (what: string) =>
    instructionErrors.healthcheckRetries([`strconv.ParseInt: parsing ${quote(text)}: ${what}`])
  if (!/^[-+]?[0-9]+$/.test(text)) throw problem('invalid syntax')
  const count = Number(text)
  if (count > 2 ** 31 - 1 || count < -(2 ** 31)) throw problem('value out of range')
  if (count < 0) throw instructionErrors.healthcheckRetries([`--retries cannot be negative (${count})`])
  return count
}
