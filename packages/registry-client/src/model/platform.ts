/**
 * Platforms (image-spec "Image Index": platform): parsing, printing and normal form, by the rules that containerd and
 * BuildKit follow. match-platform.ts chooses among them.
 */
import { registryErrors } from './errors.ts'

/** An operating system and machine. Absent and empty fields mean the same. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly 'os.version'?: string
  readonly 'os.features'?: readonly string[]
}

const knownOs = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos'.split(
    ' ',
  ),
)
const knownArch = new Set(
  (
    '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ' +
    'ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'
  ).split(' '),
)
const osPattern = /^([A-Za-z0-9_.-]+)(?:\(([A-Za-z0-9_.-]*)((?:\+[A-Za-z0-9_.-]+)*)\))?$/
const partPattern = /^[A-Za-z0-9_.-]+$/

/** The platform of this machine, with os linux: what a build targets when nothing else is said. */
export function hostPlatform(arch: string = process.arch): Platform {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' }
  return normalizePlatform({ os: 'linux', architecture: names[arch] ?? arch })
}

/**
 * Parses `os`, `arch`, `os/arch` or `os/arch/variant` into normal form; the os may be followed by its version and
 * features as in `windows(10.0.20348.1006+win32k)/amd64`. What is missing is taken from `host`.
 *
 * @throws RegistryError PLATFORM_INVALID
 */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  if (typeof text !== 'string') throw registryErrors.platformInvalid([String(text), 'a platform is a text'])
  const parts = text.split('/')
  const fail = (why: string) => registryErrors.platformInvalid([text, why])
  if (text.length > 200 || parts.length > 3) throw fail('too many parts in the platform specifier')
  const first = osPattern.exec(parts[0]!)
  if (first === null) throw fail('invalid platform specifier component')
  for (const part of parts.slice(1)) if (!partPattern.test(part)) throw fail('invalid platform specifier component')
  const version: Partial<Platform> = {
    ...(first[2] && { 'os.version': first[2] }),
    ...(first[3] && { 'os.features': first[3].slice(1).split('+') }),
  }
  const name = first[1]!
  if (parts.length > 1) {
    const variant = parts[2] === undefined ? {} : { variant: parts[2] }
    return normalizePlatform({ os: name, architecture: parts[1]!, ...variant, ...version })
  }
  const asOs = normalizeOs(name)
  if (knownOs.has(asOs)) {
    const variant = host.variant === undefined ? {} : { variant: host.variant }
    return normalizePlatform({ os: asOs, architecture: host.architecture, ...variant, ...version })
  }
  const asArch = normalizePlatform({ os: host.os, architecture: name })
  if (knownArch.has(asArch.architecture)) return asArch
  throw fail('unknown operating system or architecture')
}

/** `os/arch[/variant]`, with the os version and features in parentheses where there are any. */
export function formatPlatform(platform: Platform): string {
  const version = platform['os.version'] ?? ''
  const features = (platform['os.features'] ?? []).map((feature) => `+${feature}`).join('')
  const os = version || features ? `${platform.os}(${version}${features})` : platform.os
  return [os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/')
}

/**
 * The normal form: lowercase, `x86_64` → `amd64`, `aarch64` → `arm64`, `armhf` → `arm/v7`, `arm` → `arm/v7`,
 * `arm64/v8` → `arm64`, `amd64/v1` → `amd64`, `macos` → `darwin`.
 */
export function normalizePlatform(platform: Platform): Platform {
  const [architecture, variant] = normalizeArch(
    platform.architecture.toLowerCase(),
    (platform.variant ?? '').toLowerCase(),
  )
  return {
    os: normalizeOs(platform.os),
    architecture,
    ...(variant && { variant }),
    ...(platform['os.version'] && { 'os.version': platform['os.version'] }),
    ...(platform['os.features']?.length && { 'os.features': platform['os.features'] }),
  }
}

function normalizeOs(os: string): string {
  const lower = os.toLowerCase()
  return lower === 'macos' ? 'darwin' : lower
}

function normalizeArch(arch: string, variant: string): [string, string] {
  switch (arch) {
    case 'i386':
      return ['386', '']
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? '' : variant]
    case 'aarch64':
    case 'arm64': {
      const dotted = /^[0-9]/.test(variant) ? `v${variant}` : variant
      const short = dotted.replace(/\.0$/, '')
      return ['arm64', short === 'v8' ? '' : short]
    }
    case 'armhf':
      return ['arm', 'v7']
    case 'armel':
      return ['arm', 'v6']
    case 'arm':
      return ['arm', variant === '' ? 'v7' : /^[0-9]/.test(variant) ? `v${variant}` : variant]
    default:
      return [arch, variant]
  }
}
