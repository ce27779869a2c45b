/** How RUN is isolated, from a real attempt. */
import type { IsolationReport } from '@tsbuild/builder'
import type { Finding } from './checks.ts'

const WORKERS: Readonly<Record<NonNullable<IsolationReport['worker']>, string>> = {
  root: 'in a mount namespace, as root',
  subids: 'in a user namespace with sub-ids',
  single: 'in a user namespace with one id',
  plain: 'without namespaces of its own',
}

/** The findings that decide; a failed attempt is said to be missing. */
export function isolationFindings({ worker, reasons, limits, error }: IsolationReport): readonly Finding[] {
  const advice = 'see what is limited or missing above'
  const started: Finding = worker
    ? {
        name: 'worker',
        status: worker === 'root' || worker === 'subids' ? 'ok' : 'limited',
        found: [WORKERS[worker], ...reasons].join('; '),
        ...(worker === 'root' || worker === 'subids' ? {} : { advice }),
      }
    : { name: 'worker', status: 'missing', found: error ?? 'could not be started', advice }
  if (!worker) return [started]
  if (error) return [started, { name: 'isolation of RUN', status: 'missing', found: error, advice }]
  const isolation: Finding = limits
    ? { name: 'isolation of RUN', status: 'limited', found: limits, advice }
    : { name: 'isolation of RUN', status: 'ok', found: 'namespaces' }
  return [started, isolation]
}
