/** A process on a terminal. */
import { describe, expect, it } from 'vitest'
import type { Contract } from './contract.ts'

const size = { columns: 100, rows: 30 }

export function describeTerminal(c: Contract): void {
  const { sh, run, traits } = c
  /** A terminal ends its lines with a carriage return, too, and shows what is typed. */
  const lines = (text: string): string[] => text.replaceAll('\r', '').split('\n')

  describe('a process with a terminal', () => {
    it('has it as all three descriptors, and prints on stdout only', async () => {
      const script = 'test -t 0 && test -t 1 && test -t 2 && stty size; echo error >&2; exit 3'
      const ran = await sh(script, {}, { terminal: [size] })
      expect(ran).toMatchObject({ exitCode: 3, err: '' })
      expect(lines(ran.out)).toEqual(['30 100', 'error', ''])
    })

    // A runtime has a terminal of its own in between, and takes a while until it passes keys on as they are.
    it.skipIf(!traits.execErrors)('reads what is typed, and the end of the input as its end', async () => {
      const ran = await sh(
        'stty -echo; echo begun; read a; echo "<$a>"; cat',
        {},
        { terminal: [size], stdin: 'one\ntwo\n' },
      )
      expect(ran.exitCode).toBe(0)
      expect(lines(ran.out)).toEqual(expect.arrayContaining(['<one>', 'two']))
    })

    it('is told of another size', async () => {
      const script =
        'trap "stty size; exit" WINCH; echo begun; i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done'
      const ran = await sh(script, {}, { terminal: [size, { columns: 120, rows: 40 }] })
      expect(lines(ran.out)).toEqual(['begun', '40 120', ''])
    })

    it('is interrupted by its keys', async () => {
      const script = 'trap "echo caught; exit 9" INT; echo begun; sleep 1000 & wait'
      expect(await sh(script, {}, { terminal: [size], stdin: '\u0003' })).toMatchObject({ exitCode: 9 })
    })

    it('can print more than a terminal holds', async () => {
      const ran = await run({ args: ['sh', '-c', 'yes | head -n 200000'] }, { terminal: [size], count: true })
      expect(ran).toMatchObject({ exitCode: 0, bytes: 600_000 })
    })
  })
}
