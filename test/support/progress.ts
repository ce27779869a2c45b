/** Reads what `--progress plain` prints. */

export type StepState = 'CACHED' | 'DONE' | 'ERROR' | 'CANCELED' | 'none'

/** The steps of the build graph (`[stage 2/3] RUN make`), by their instruction, with how they ended. */
export function stepStates(stderr: string): Map<string, StepState> {
  const names = new Map<string, string>()
  const states = new Map<string, StepState>()
  for (const line of stderr.split('\n')) {
    const match = /^#(\d+) (.*)$/.exec(line)
    if (!match) continue
    const [, number, text] = match
    const step = /^\[(?!internal)[^\]]*\d+\/\d+\] (.*)$/.exec(text!)
    if (step) {
      names.set(number!, step[1]!)
      if (!states.has(step[1]!)) states.set(step[1]!, 'none')
    }
    const end = /^(CACHED|DONE|ERROR|CANCELED)\b/.exec(text!)
    const name = names.get(number!)
    if (end && name) states.set(name, end[1] as StepState)
  }
  return states
}

/** The instructions whose steps ran, in the order of the graph. */
export function ranSteps(stderr: string): string[] {
  return [...stepStates(stderr)].filter(([, state]) => state === 'DONE').map(([name]) => name)
}

/** The digest that the summary of a build names. */
export function builtDigest(stderr: string): string {
  const match = /^digest (sha256:[0-9a-f]{64})$/m.exec(stderr)
  if (!match) throw new Error(`no digest in\n${stderr}`)
  return match[1]!
}
