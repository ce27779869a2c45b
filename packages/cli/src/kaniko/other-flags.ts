/** kaniko's flags: logs, and the file system that kaniko builds in. */
import { LOG_FORMATS, LOG_LEVELS } from './draft.ts'
import { type KanikoFlag, noEffect, refused, works, worksWith } from './row.ts'

const OWN_FILES = 'builds have file systems of their own, and nothing of the container gets into an image'

export const OTHER_FLAGS: readonly KanikoFlag[] = [
  worksWith(
    { name: 'verbosity', alias: 'v', value: 'LEVEL', choices: LOG_LEVELS, note: 'What is logged (default info)' },
    (draft, value) => {
      draft.log = { ...draft.log, level: LOG_LEVELS.find((level) => level === value)! }
    },
  ),
  worksWith(
    { name: 'log-format', value: 'FORMAT', choices: LOG_FORMATS, note: 'text, color or json (default color)' },
    (draft, value) => {
      draft.log = { ...draft.log, format: LOG_FORMATS.find((format) => format === value)! }
    },
  ),
  works({ name: 'log-timestamp', note: 'Full times in the format color' }, (draft, value) => {
    draft.log = { ...draft.log, timestamp: value }
  }),
  worksWith(
    {
      name: 'kaniko-dir',
      value: 'DIR',
      note: 'Where .docker/config.json and ssl/certs are looked for, and where the state is unless $TSBUILD_ROOT says otherwise; $KANIKO_DIR says the same (default /kaniko, for the two files)',
    },
    (draft, value) => {
      draft.kanikoDir = value || undefined
    },
  ),
  noEffect({ name: 'force', note: 'it is safe to build outside of a container' }),
  noEffect({ name: 'cleanup', note: OWN_FILES }),
  noEffect({ name: 'pre-cleanup', note: OWN_FILES }),
  noEffect({ name: 'preserve-context', note: OWN_FILES }),
  noEffect({ name: 'ignore-path', value: 'PATH', note: OWN_FILES }),
  noEffect({ name: 'ignore-var-run', note: OWN_FILES }),
  noEffect({ name: 'whitelist-var-run', hidden: true, note: OWN_FILES }),
  noEffect({
    name: 'snapshot-mode',
    value: 'MODE',
    choices: ['full', 'redo', 'time'],
    note: 'what a RUN changes is seen without comparing files',
  }),
  noEffect({
    name: 'snapshotMode',
    value: 'MODE',
    hidden: true,
    choices: ['full', 'redo', 'time'],
    note: 'what a RUN changes is seen without comparing files',
  }),
  noEffect({ name: 'use-new-run', note: 'what a RUN changes is seen without comparing files' }),
  noEffect({ name: 'force-build-metadata', hidden: true, note: 'the config always has what the Dockerfile says' }),
  refused({ name: 'materialize', note: 'tsbuild build --output DIR writes the files of the image to a directory' }),
]
