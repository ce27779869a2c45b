/** The exit codes of the command, as `tsbuild help` lists them. */
export const EXIT = {
  ok: 0,
  /** The build, or whatever the command does, failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** `tsbuild run` could not start the process. */
  notStarted: 125,
  hangup: 129,
  interrupted: 130,
  terminated: 143,
} as const
