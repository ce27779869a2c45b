/** Whether an error is a system error, of node:fs or of our own calls, with one of the codes. Leaf module. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
}
