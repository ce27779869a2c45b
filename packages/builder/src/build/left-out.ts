import type { LeftOut } from '../steps/worker-api.ts'
import type { Session } from './session.ts'

/** Says that files could not be written where a root filesystem was handed out. */
export function warnOfLeftOut(leftOut: LeftOut | undefined, session: Pick<Session, 'warn'>): void {
  if (leftOut === undefined) return
  const { files, example } = leftOut
  const some = files === 1 ? 'a socket or device is' : `${files} sockets and devices are`
  session.warn({ rule: '', message: `${some} not in the output, which could not be made there (/${example})` })
}
