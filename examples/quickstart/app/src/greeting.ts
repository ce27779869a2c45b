/** What the page says at a time of day. */
export function greeting(now: Date): string {
  const part = now.getHours() < 12 ? 'morning' : now.getHours() < 18 ? 'afternoon' : 'evening'
  return `Good ${part} from an image built by tsbuild`
}
