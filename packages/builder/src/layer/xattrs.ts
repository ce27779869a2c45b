/** Which extended attributes layers carry. */

const OVERLAY = 'user.overlay.'

/**
 * Whether an attribute of a file goes into a layer: capabilities and what users set. The marks of overlay mounts, labels of
 * the host's security modules and what only the host's root can set stay behind.
 */
export function isPackedXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith(OVERLAY))
}

/**
 * Whether an attribute in a layer is set when it is unpacked. `trusted.*` and `user.overlay.*` would let a layer forge what
 * overlay mounts believe (hide or redirect directories); labels belong to the host.
 */
export function isUnpackedXattr(name: string): boolean {
  return !name.startsWith('trusted.') && !name.startsWith(OVERLAY) && name !== 'security.selinux'
}
