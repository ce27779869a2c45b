/** `tsbuild doctor`. */
import { release, userInfo } from 'node:os'
import { defineCommand } from '../command.ts'
import { CHECKS, checkStore, type Finding } from '../doctor/checks.ts'
import { isolationFindings } from '../doctor/isolation.ts'
import { thisMachine } from '../doctor/machine.ts'
import { EXIT } from '../exit-codes.ts'
import { write } from '../io.ts'
import { escapeControls } from '../progress/escape.ts'
import { VERSION } from '../version.ts'

export const command = defineCommand({
  name: 'doctor',
  usage: ['doctor [FLAGS]'],
  description:
    'Looks at what builds need of this machine, and starts the worker as a build would. Says how RUN is isolated, and for each thing that is limited or missing the command that helps. Exit code 1 when RUN is not possible.',
  arity: { min: 0, max: 0 },
  flags: [
    {
      name: 'isolation',
      type: 'string',
      value: 'LEVEL',
      choices: ['auto', 'namespaces', 'oci', 'chroot'],
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
    const { probeIsolation } = await import('@tsbuild/builder')
    const machine = thisMachine(io.env, userInfo().username)
    // The parser has checked the choices.
    const isolation = values.isolation as 'auto' | undefined
    const report = await probeIsolation({
      root: global.root,
      env: io.env,
      isolation,
      ociRuntime: values['oci-runtime'],
      signal,
    })
    const about = `tsbuild ${VERSION}, Node ${process.versions.node}, ${process.platform} ${release()} ${process.arch}`
    const findings: readonly Finding[] = [
      { name: 'versions', status: 'ok', found: about },
      ...CHECKS.map((check) => check(machine)),
      checkStore(machine, report.root),
      ...isolationFindings(report),
    ]
    const text = values.format === 'json' ? `${JSON.stringify(findings, null, 2)}\n` : render(findings)
    await write(io.stdout, text)
    return report.error === undefined ? EXIT.ok : EXIT.failed
  },
})

function render(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length))
  const lines = findings.flatMap(({ name, status, found, advice }) => [
    `${status.padEnd(8)} ${name.padEnd(width)}  ${escapeControls(found)}`,
    ...(advice ? [`${' '.repeat(9 + width)}  → ${escapeControls(advice)}`] : []),
  ])
  return `${lines.join('\n')}\n`
}
