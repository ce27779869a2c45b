/** kaniko's flags: the image, and where it goes. */
import { UsageError } from '../usage-error.ts'
import type { KanikoDraft } from './draft.ts'
import { type KanikoFlag, noEffect, pairOf, refused, works, worksWith, worksWithAll } from './row.ts'

export const IMAGE_FLAGS: readonly KanikoFlag[] = [
  worksWithAll(
    { name: 'destination', alias: 'd', value: 'NAME[:TAG]', note: 'Where the image is pushed to' },
    (draft, values) => {
      draft.destinations = values
    },
  ),
  works(
    {
      name: 'no-push',
      note: 'Push nothing but the cache; $KANIKO_NO_PUSH says the same',
    },
    (draft, value) => {
      draft.noPush = value
    },
  ),
  worksWith(
    {
      name: 'tar-path',
      value: 'FILE',
      note: 'An archive as docker save writes it, and docker load reads it, beside what is pushed',
    },
    setTarPath,
  ),
  worksWith({ name: 'tarPath', value: 'FILE', hidden: true, note: 'Older name of --tar-path' }, setTarPath),
  worksWith(
    { name: 'oci-layout-path', value: 'DIR', note: 'An OCI image layout whose index names this image and no other' },
    (draft, value) => {
      draft.ociLayout = value || undefined
    },
  ),
  worksWith({ name: 'digest-file', value: 'FILE', note: 'Gets the digest' }, (draft, value) => {
    setFile(draft, 'digest', 'digest-file', value)
  }),
  worksWith(
    { name: 'image-name-with-digest-file', value: 'FILE', note: 'Gets a line NAME@DIGEST for each destination' },
    (draft, value) => setFile(draft, 'name', 'image-name-with-digest-file', value),
  ),
  worksWith(
    {
      name: 'image-name-tag-with-digest-file',
      value: 'FILE',
      note: 'Gets a line NAME:TAG@DIGEST for each destination',
    },
    (draft, value) => setFile(draft, 'nameAndTag', 'image-name-tag-with-digest-file', value),
  ),
  worksWithAll({ name: 'label', value: 'KEY=VALUE', note: 'A label' }, (draft, values) => {
    draft.labels = Object.fromEntries(values.map((text) => pairOf(text, 'label')))
  }),
  worksWithAll({ name: 'annotation', value: 'KEY=VALUE', note: 'An annotation of the manifest' }, (draft, values) => {
    draft.annotations = values.map((text) => `manifest:${pairOf(text, 'annotation').join('=')}`)
  }),
  worksWith(
    {
      name: 'compression',
      value: 'TYPE',
      choices: ['gzip', 'zstd'],
      note: 'gzip or zstd, for new layers (default gzip)',
    },
    (draft, value) => {
      draft.compression = value
    },
  ),
  worksWith(
    { name: 'compression-level', value: 'LEVEL', note: 'gzip has 0 to 9, zstd 1 to 22 (default -1: the usual one)' },
    (draft, value) => {
      if (!/^-?\d{1,3}$/.test(value))
        throw new UsageError(`invalid argument ${JSON.stringify(value)} for --compression-level: it must be a number`)
      draft.compressionLevel = value.startsWith('-') ? undefined : value
    },
  ),
  worksWith(
    {
      name: 'image-format',
      value: 'FORMAT',
      choices: ['oci', 'docker'],
      note: 'Media types of the manifest: oci or docker (default oci, whatever the base image has)',
    },
    (draft, value) => {
      draft.imageFormat = value
    },
  ),
  refused({
    name: 'single-snapshot',
    note: 'each instruction is a layer of its own; leave the flag out if it was there for speed, or copy the result into a last stage FROM scratch',
  }),
  refused({
    name: 'push-ignore-immutable-tag-errors',
    note: 'build only if the tag is not there yet: tsbuild digest NAME:TAG || tsbuild kaniko …',
  }),
  noEffect({ name: 'push-retry', value: 'N', note: 'requests that may be repeated are tried again anyway' }),
  noEffect({ name: 'skip-push-permission-check', note: 'registries are not asked before the build' }),
  refused({ name: 'upload-tar', value: 'URL', note: 'write the archive with --tar-path and send it with curl' }),
  noEffect({ name: 'upload-tar-retry', value: 'N', note: 'nothing is uploaded' }),
]

function setTarPath(draft: KanikoDraft, value: string): void {
  draft.tarPath = value || draft.tarPath
}

function setFile(draft: KanikoDraft, key: keyof KanikoDraft['files'], flag: string, path: string): void {
  if (/^https?:\/\//.test(path))
    throw new UsageError(`--${flag} to a URL is not supported`, 'write a file and send it with curl --upload-file')
  if (path !== '') draft.files[key] = path
}
