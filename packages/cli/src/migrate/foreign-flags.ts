/** Flags of docker, podman and buildah that `tsbuild build` does not have, or has with another meaning. */

export type Tool = 'docker' | 'podman' | 'buildah'

export interface Foreign {
  /** It takes a value. */
  readonly value: boolean
  /** What it is here; nothing when absent. */
  readonly to?: (value: string) => readonly string[]
  readonly note?: string
}

/** Left out; a sentence says why, or what to use. */
const without = (note: string): Foreign => ({ value: true, note: `left out, ${note}` })
const switchWithout = (note: string): Foreign => ({ value: false, note: `left out, ${note}` })

const NAMESPACES = 'RUN has namespaces of its own wherever the machine allows them'
const CREDENTIALS = 'log in with tsbuild login, or name the directory of a config.json with DOCKER_CONFIG'
const CONFIG = 'the Dockerfile says what the config of the image is'

const DOCKER: Readonly<Record<string, Foreign>> = {
  stream: switchWithout('since it has no meaning'),
}

/** Of podman and buildah alike. */
const CONTAINERS: Readonly<Record<string, Foreign>> = {
  arch: { value: true, to: (value) => ['--platform', `linux/${value}`] },
  'all-platforms': switchWithout('name them with --platform'),
  authfile: without(CREDENTIALS),
  'build-arg-file': without('name each with --build-arg'),
  'cache-ttl': without('the cache does not expire'),
  'cap-add': without('RUN --security=insecure with --allow security.insecure has all capabilities'),
  'cap-drop': without("RUN has docker's capabilities"),
  'cert-dir': without('--ca-file trusts an authority, and /etc/containers/certs.d is read'),
  cgroupns: without(NAMESPACES),
  'cpp-flag': without('Dockerfiles are not preprocessed'),
  creds: without(CREDENTIALS),
  'created-annotation': switchWithout('annotations are those that are asked for'),
  'decryption-key': without('encrypted images are not read'),
  device: without('RUN has the usual devices'),
  'disable-compression': {
    value: false,
    note: 'layers are stored uncompressed until they are needed; --output type=image,compression=uncompressed keeps them so',
  },
  D: switchWithout('layers are compressed when they are needed'),
  'dns-option': without('--dns names servers'),
  'dns-search': without('--dns names servers'),
  env: without(CONFIG),
  format: {
    value: true,
    to: (value) => (value === 'docker' ? ['--output', 'type=image,oci-mediatypes=false'] : []),
  },
  from: without('--build-context NAME=docker-image://REF puts another image in the place of the one that FROM names'),
  'group-add': without('RUN has the groups of its user'),
  'hooks-dir': without('there are no hooks'),
  'http-proxy': switchWithout("docker's config.json names proxies, or --build-arg"),
  'identity-label': switchWithout('labels are those that are asked for'),
  ignorefile: without('name it as the Dockerfile with .dockerignore behind'),
  'inherit-annotations': switchWithout('annotations of base images are not inherited'),
  'inherit-labels': switchWithout('labels of base images are inherited'),
  ipc: without(NAMESPACES),
  isolation: {
    value: true,
    to: (value) => (value === 'chroot' || value === 'oci' ? ['--isolation', value] : []),
  },
  jobs: without('steps that do not need each other run side by side'),
  'layer-label': without('layers have no labels'),
  layers: switchWithout('steps are always cached; --no-cache runs them again'),
  logfile: without('progress goes to stderr: 2> FILE'),
  logsplit: switchWithout('progress goes to stderr'),
  'log-level': without('--progress says how much is shown'),
  manifest: { value: true, to: (value) => ['-t', value] },
  'no-hostname': switchWithout('it is as docker has it'),
  'no-hosts': switchWithout('--add-host adds lines to /etc/hosts'),
  'no-pivot': switchWithout(NAMESPACES),
  'omit-history': switchWithout('the history is part of the config'),
  os: { value: true, note: 'images for linux are built' },
  'os-feature': without(CONFIG),
  'os-version': without(CONFIG),
  pid: without(NAMESPACES),
  pull: { value: false, to: (value) => (/^(?:true|always|newer|ifnewer)$/.test(value) ? ['--pull'] : []) },
  'pull-always': { value: false, to: () => ['--pull'] },
  'pull-never': switchWithout('base images that the store has are used'),
  retry: without('requests are tried again anyway'),
  'retry-delay': without('requests are tried again anyway'),
  runtime: { value: true, to: (value) => ['--isolation', 'oci', '--oci-runtime', value] },
  'runtime-flag': without('runtimes get no further flags'),
  'sbom-scanner-image': without('--sbom makes one without a scanner'),
  'sign-by': without('sign the digest after the push'),
  'skip-unused-stages': switchWithout('stages that the target does not need are never built'),
  'source-date-epoch': { value: true, to: (value) => ['--build-arg', `SOURCE_DATE_EPOCH=${value}`] },
  'rewrite-timestamp': switchWithout('--output type=image,rewrite-timestamp=true does so'),
  'squash-all': switchWithout('copy the result into a last stage FROM scratch'),
  stdin: switchWithout('RUN reads nothing'),
  timestamp: {
    value: true,
    to: (value) => ['--build-arg', `SOURCE_DATE_EPOCH=${value}`],
    note: '--output type=image,rewrite-timestamp=true gives the files this time, too',
  },
  'tls-verify': switchWithout('--insecure-registry HOST is for one registry'),
  unsetenv: without(CONFIG),
  unsetlabel: without(CONFIG),
  userns: without(NAMESPACES),
  'userns-uid-map': without(NAMESPACES),
  'userns-gid-map': without(NAMESPACES),
  uts: without(NAMESPACES),
  variant: without('--platform linux/ARCH/VARIANT names it'),
  volume: without('RUN --mount=type=bind or type=cache does so in the Dockerfile'),
  v: without('RUN --mount=type=bind or type=cache does so in the Dockerfile'),
}

/** Those of one tool, by name or letter. */
export function foreignFlags(tool: Tool): ReadonlyMap<string, Foreign> {
  return new Map(Object.entries(tool === 'docker' ? DOCKER : CONTAINERS))
}
