/** The lock file of a Dockerfile: its lines, and what names them. */
export {
  gitKey,
  httpKey,
  imageKey,
  isCommit,
  isNamed,
  type LockEntry,
  type LockKey,
  lockKey,
  parseLock,
  renderLock,
} from './entries.ts'
export { lockErrors } from './errors.ts'
