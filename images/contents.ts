/** What the images are made of: which files of which packages. */

export const ARCHITECTURES = ['amd64', 'arm64'] as const
export type Architecture = (typeof ARCHITECTURES)[number]

/** As Debian and as npm name them. */
export const NAMES: Readonly<Record<Architecture, { readonly triplet: string; readonly npm: string }>> = {
  amd64: { triplet: 'x86_64-linux-gnu', npm: 'x64' },
  arm64: { triplet: 'aarch64-linux-gnu', npm: 'arm64' },
}

/** The parts of an image that are a layer each; the last two belong to one variant only. */
export type Part = 'system' | 'rootless' | 'debug'

const LIBRARY = /^usr\/lib\/[^/]+-linux-gnu\/[^/]+\.so[^/]*$/
/** The C library's that programs are linked with, and its loader; no plug-ins for ways to look up names. */
const LIBC = /^usr\/lib(64)?\/([^/]+\/)?(ld-linux-[^/]*|lib(c|m|dl|pthread|rt|util|resolv|anl)\.so\.\d+)$/

/** Packages by part, and the files that are taken of each (`/lib` is `/usr/lib` and so on), besides its copyright. */
export const PACKAGES: Readonly<Record<Part, Readonly<Record<string, RegExp>>>> = {
  system: {
    libc6: LIBC,
    'libgcc-s1': LIBRARY,
    'libstdc++6': LIBRARY,
    'ca-certificates': /^usr\/share\/ca-certificates\/mozilla\//,
    // Contexts and sources of git, by HTTP.
    git: /^usr\/(bin\/git|lib\/git-core\/git-remote-https?)$/,
    'libpcre2-8-0': LIBRARY,
    zlib1g: LIBRARY,
    'libcurl3-gnutls': LIBRARY,
    libbrotli1: LIBRARY,
    'libcom-err2': LIBRARY,
    libssl3: /\/libcrypto\.so/,
    libffi8: LIBRARY,
    libgmp10: LIBRARY,
    libgnutls30: LIBRARY,
    'libgssapi-krb5-2': LIBRARY,
    libhogweed6: LIBRARY,
    'libidn2-0': LIBRARY,
    libk5crypto3: LIBRARY,
    libkeyutils1: LIBRARY,
    'libkrb5-3': LIBRARY,
    libkrb5support0: LIBRARY,
    'libldap-2.5-0': LIBRARY,
    libnettle8: LIBRARY,
    'libnghttp2-14': LIBRARY,
    'libp11-kit0': LIBRARY,
    libpsl5: LIBRARY,
    librtmp1: LIBRARY,
    'libsasl2-2': LIBRARY,
    'libssh2-1': LIBRARY,
    'libtasn1-6': LIBRARY,
    libunistring2: LIBRARY,
    libzstd1: LIBRARY,
    // Starts the worker in namespaces, where the container may make some.
    'util-linux': /^usr\/bin\/unshare$/,
  },
  rootless: {
    // Waits in a new user namespace until its ids are mapped.
    dash: /^usr\/bin\/(dash|sh)$/,
    uidmap: /^usr\/bin\/new[ug]idmap$/,
    libsubid4: LIBRARY,
    libaudit1: LIBRARY,
    'libcap-ng0': LIBRARY,
    libselinux1: LIBRARY,
  },
  debug: {
    'busybox-static': /^usr\/bin\/busybox$/,
  },
}

/** What `debug` has of busybox. */
export const APPLETS =
  'sh ash awk base64 basename cat chmod chown cp cut date dd df diff dirname du echo env false find free grep gunzip gzip head hostname id kill ln ls md5sum mkdir mktemp more mount mv nslookup od ping printenv printf ps pwd readlink realpath rm rmdir sed sha256sum sleep sort stat tail tar tee test touch tr true umount uname uniq vi wc wget which whoami xargs yes'.split(
    ' ',
  )
