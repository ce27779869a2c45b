/** `tsbuild doctor`. */
import { release } from 'node:os'
import { defineCommand } from '../command.ts'
import { type Finding, findings } from '../doctor/findings.ts'
import { EXIT } from '../exit-codes.ts'
import { ISOLATION_CHOICES, parseIsolation } from '../flags/build/isolation.ts'
import { write } from '../io.ts'
import { escapeControls } from '../progress/escape.ts'
import { VERSION } from '../version.ts'

export const command = defineCommand({
  name: 'doctor',
  usage: ['doctor [FLAGS]'],
  description:
    'Looks at what builds need of this machine, and sets up a process as RUN would. Says how RUN is isolated and why, and for each thing that is limited or missing the command that helps. Exit code 1 when RUN is not possible.',
  arity: { min: 0, max: 0 },
  flags: [
    {
      name: 'isolation',
      type: 'string',
      value: 'LEVEL',
      choices: ISOLATION_CHOICES,
      help: 'Try this level (default auto)',
    },
    { name: 'oci-runtime', type: 'string', value: 'PATH', completes: 'file', help: 'Runtime of --isolation oci' },
    { name: 'format', type: 'string', value: 'FORMAT', choices: ['text', 'json'], help: 'text or json (default text)' },
  ],
  examples: [
    { text: 'How would RUN be isolated here, and what would make it better?', command: 'tsbuild doctor' },
    { text: 'Would a level work?', command: 'tsbuild doctor --isolation chroot' },
  ],
  async run({ values }, { io, signal, global }) {
    const { diagnose } = await import('@tsbuild/builder')
    const isolation = parseIsolation(values.isolation)
    const options = { root: global.root, env: io.env, isolation, ociRuntime: values['oci-runtime'], signal }
    const diagnosis = await diagnose(options)
    const about = `tsbuild ${VERSION}, Node ${process.versions.node}, ${process.platform} ${release()} ${process.arch}`
    const all: readonly Finding[] = [{ name: 'versions', status: 'ok', found: about }, ...findings(diagnosis)]
    const { level, why, raise } = diagnosis
    const document = {
      works: level !== 'none',
      level,
      why,
      raise: raise ?? null,
      findings: all,
      machine: diagnosis.machine,
    }
    await write(io.stdout, values.format === 'json' ? `${JSON.stringify(document, null, 2)}\n` : render(all))
    return level === 'none' ? EXIT.failed : EXIT.ok
  },
})

function render(all: readonly Finding[]): string {
  const width = Math.max(...all.map(({ name }) => name.length))
  const lines = all.flatMap(({ name, status, found, advice }) => [
    `${status.padEnd(8)} ${name.padEnd(width)}  ${escapeControls(found)}`,
    ...(advice ? [`${' '.repeat(9 + width)}  → ${escapeControls(advice)}`] : []),
  ])
  return `${lines.join('\n')}\n`
}
