/** What to say when the kernel does not know the format of a program: mostly, that it is for another platform. */
import { formatPlatform, hostPlatform, type Platform } from '@tsbuild/registry-client'
import type { BuildError } from '../errors.ts'

/** Adds a hint to an error of a program that could not be started in an image for `platform`. */
export function withExecHint(error: BuildError, platform: Platform): BuildError {
  if (!error.message.includes('exec format error')) return error
  const [image, machine] = [platform, hostPlatform()].map(formatPlatform)
  const hint =
    image === machine
      ? `it is neither a program for ${machine} nor a script that begins with #!; programs for other platforms need qemu-user-static on this machine`
      : `the image is for ${image}, this machine is ${machine}: install qemu-user-static, or build for --platform ${machine}`
  return error.with({ hint })
}
