/** What an image config says of its platform. */
import type { Platform } from '@tsbuild/registry-client'
import type { ImageConfig } from '../graph/image-config.ts'

/** The config that `FROM scratch` starts with. */
export function emptyImage(platform: Platform): ImageConfig {
  const image: ImageConfig = {
    architecture: platform.architecture,
    os: platform.os,
    config: { WorkingDir: platform.os === 'windows' ? '\\' : '/' },
    rootfs: { type: 'layers', diff_ids: [] },
  }
  if (platform.variant) image.variant = platform.variant
  if (platform['os.version']) image['os.version'] = platform['os.version']
  return image
}

/** Sets the platform that was asked for. */
export function setPlatform(image: ImageConfig, platform: Platform): void {
  const same = image.os === platform.os && image.architecture === platform.architecture
  image.os = platform.os
  image.architecture = platform.architecture
  for (const key of ['variant', 'os.version'] as const) {
    const value = platform[key]
    if (value) image[key] = value
    else if (!same) delete image[key]
  }
  if (platform['os.features']) image['os.features'] = [...platform['os.features']]
}
