/** Build flags: the image, its names and where it goes. */
import { addAttest, addShorthandAttest, checkAnnotation } from './attest.ts'
import { parseOutput } from './output.ts'
import { parseLabels } from './pairs.ts'
import type { BuildFlag } from './row.ts'

export const IMAGE_FLAGS: readonly BuildFlag[] = [
  {
    name: 'tag',
    alias: 't',
    type: 'list',
    value: 'NAME[:TAG]',
    help: 'Name of the image (repeatable)',
    set: (draft, values) => {
      draft.options.tags = values
    },
  },
  {
    name: 'output',
    alias: 'o',
    type: 'list',
    value: 'DIR|-|type=TYPE[,KEY=VALUE]',
    help: 'Where the result goes: type oci, docker, tar, local, image, registry or cacheonly; DIR is type=local, - a tar on stdout (repeatable; default the local store)',
    completes: 'file',
    set: (draft, values) => {
      draft.options.outputs = values.map((text) => parseOutput(text))
    },
  },
  {
    name: 'push',
    type: 'boolean',
    help: 'Push the image under its names: --output type=registry',
    set: (draft, value) => {
      draft.push = value
    },
  },
  {
    name: 'load',
    type: 'boolean',
    help: 'Load the image into the running docker or podman: --output type=docker',
    set: (draft, value) => {
      draft.load = value
    },
  },
  {
    name: 'label',
    type: 'list',
    value: 'KEY=VALUE',
    help: 'Add a label (repeatable)',
    set: (draft, values) => {
      draft.options.labels = parseLabels(values)
    },
  },
  {
    name: 'annotation',
    type: 'list',
    value: '[TYPE:]KEY=VALUE',
    help: 'Add an annotation to the manifest, or to what TYPE names: index, manifest, index-descriptor, manifest-descriptor (repeatable)',
    set: (draft, values) => {
      draft.options.annotations = values.filter((text) => text !== '').map(checkAnnotation)
    },
  },
  {
    name: 'attest',
    type: 'list',
    value: 'type=TYPE[,KEY=VALUE]',
    help: 'Add an attestation: type provenance or sbom (repeatable)',
    set: (draft, values) => {
      for (const text of values) addAttest(draft, text)
    },
  },
  {
    name: 'provenance',
    type: 'string',
    value: 'BOOL|mode=min|mode=max',
    help: 'Shorthand of --attest type=provenance',
    set: (draft, value) => addShorthandAttest(draft, 'provenance', value),
  },
  {
    name: 'sbom',
    type: 'string',
    value: 'BOOL|KEY=VALUE',
    help: 'Shorthand of --attest type=sbom',
    set: (draft, value) => addShorthandAttest(draft, 'sbom', value),
  },
  {
    name: 'iidfile',
    type: 'string',
    value: 'FILE',
    completes: 'file',
    help: "Write the image's id to a file",
    set: (draft, value) => {
      draft.iidfile = value || undefined
    },
  },
  {
    name: 'metadata-file',
    type: 'string',
    value: 'FILE',
    completes: 'file',
    help: 'Write digests and names of the result to a file as JSON',
    set: (draft, value) => {
      draft.metadataFile = value || undefined
    },
  },
]
