/** kaniko's flags: how registries are reached. */
import { type KanikoFlag, noEffect, pairOf, refused, works, worksWithAll } from './row.ts'

export const REGISTRY_FLAGS: readonly KanikoFlag[] = [
  works(
    {
      name: 'insecure',
      note: 'Destinations and the cache may speak plain http, or have a certificate nobody vouches for',
    },
    (draft, value) => {
      draft.insecurePush ||= value
    },
  ),
  works({ name: 'insecure-pull', note: 'So may the registries of base images' }, (draft, value) => {
    draft.insecurePull ||= value
  }),
  worksWithAll(
    { name: 'insecure-registry', value: 'HOST', note: 'So may this registry, for pulls and pushes' },
    (draft, values) => {
      draft.insecureRegistries = [...draft.insecureRegistries, ...values.map(hostOf)]
    },
  ),
  works({ name: 'skip-tls-verify', note: 'The same as --insecure' }, (draft, value) => {
    draft.insecurePush ||= value
  }),
  works({ name: 'skip-tls-verify-pull', note: 'The same as --insecure-pull' }, (draft, value) => {
    draft.insecurePull ||= value
  }),
  worksWithAll(
    { name: 'skip-tls-verify-registry', value: 'HOST', note: 'The same as --insecure-registry' },
    (draft, values) => {
      draft.insecureRegistries = [...draft.insecureRegistries, ...values.map(hostOf)]
    },
  ),
  worksWithAll(
    {
      name: 'registry-certificate',
      value: 'HOST=FILE',
      note: 'Certificates of authorities to trust, by all registries; those in /kaniko/ssl/certs are trusted, too',
    },
    (draft, values) => {
      draft.caFiles = values.map((text) => pairOf(text, 'registry-certificate')[1])
    },
  ),
  refused({
    name: 'registry-client-cert',
    value: 'HOST=CERT,KEY',
    note: 'put them where docker looks for them: /etc/docker/certs.d/HOST/client.cert and client.key',
  }),
  worksWithAll(
    {
      name: 'registry-mirror',
      value: 'HOST[/PATH]',
      note: 'Look for images of Docker Hub there first; $KANIKO_REGISTRY_MIRROR adds one',
    },
    (draft, values) => {
      draft.mirrors = [...draft.mirrors, ...values.map((mirror) => ['docker.io', mirror] as const)]
    },
  ),
  worksWithAll(
    {
      name: 'registry-map',
      value: 'HOST=HOST[/PATH][;…]',
      note: 'Look for images of the first registry in the second one first; $KANIKO_REGISTRY_MAP adds some',
    },
    (draft, values) => {
      draft.mirrors = [...values.flatMap(registryMap), ...draft.mirrors]
    },
  ),
  works(
    {
      name: 'skip-default-registry-fallback',
      note: 'Base images of a registry that has mirrors come from these alone',
    },
    (draft, value) => {
      draft.mirrorsOnly = value
    },
  ),
  noEffect({
    name: 'image-download-retry',
    value: 'N',
    note: 'requests that may be repeated are tried again anyway, and downloads go on where they broke off',
  }),
  noEffect({
    name: 'image-fs-extract-retry',
    value: 'N',
    note: 'requests that may be repeated are tried again anyway, and downloads go on where they broke off',
  }),
  noEffect({
    name: 'credential-helpers',
    value: 'NAME',
    note: "the helpers that docker's config.json names are asked, if they are installed",
  }),
  refused({
    name: 'azure-container-registry-config',
    value: 'FILE',
    hidden: true,
    note: "name the helper in docker's config.json, or log in with tsbuild login",
  }),
]

/** `HOST=MIRROR;HOST=MIRROR` */
export function registryMap(text: string): (readonly [registry: string, mirror: string])[] {
  return text === '' ? [] : text.split(';').map((one) => pairOf(one, 'registry-map'))
}

const hostOf = (text: string): string => text.replace(/^https?:\/\//i, '').replace(/\/+$/, '')
