/** How steps are called in progress and errors. */
import { formatPlatform, normalizePlatform, type Platform, parsePlatform } from '@tsbuild/registry-client'
import type { ContextStep } from '../graph/step.ts'
import { redactUrls } from '../redact.ts'
import type { StageNode } from '../stages/stage-graph.ts'
import type { PlanOptions } from './context.ts'
import type { StageState } from './stage-state.ts'

/** The step that reads a context; `context` is the main one. */
export function contextStep(context: string): ContextStep {
  const name = context === 'context' ? '[internal] load build context' : `[context ${context}] load from client`
  return { kind: 'context', name, at: undefined, noCache: false, context }
}

/** Names steps as the reference does: `[linux/amd64 build 2/3] ONBUILD RUN make`. */
export function stepNamer(
  node: StageNode,
  stage: StageState,
  options: PlanOptions,
): (text: string, onbuild: boolean) => string {
  const counted = new Set(['ADD', 'COPY', 'RUN', 'WORKDIR'])
  // All triggers count, also those that make no step.
  const own = node.commands.filter((c) => c.onbuild || counted.has(c.node.kind)).length
  const total = own + (node.baseName !== 'scratch' && !node.base ? 1 : 0)
  const width = String(total).length
  let index = 0
  return (written, onbuild) => {
    const text = redactUrls(written)
    if (total === 0) return text
    index++
    const parts = [
      ...(options.multiPlatform ? [formatPlatform(stage.platform) + crossTarget(stage)] : []),
      ...(node.label ? [node.label] : []),
    ]
    const prefix = parts.length > 0 ? `${parts.join(' ')} ` : ''
    return `[${prefix}${String(index).padStart(width)}/${total}] ${onbuild ? 'ONBUILD ' : ''}${text}`
  }
}

/** `->arm64`: what a stage compiles for, if it says so by declaring the TARGET arguments and that is not what it runs on. */
function crossTarget({ env, platform }: StageState): string {
  const target = declaredTarget(env)
  if (target === undefined) return ''
  const full = normalizePlatform({
    ...target,
    os: target.os || platform.os,
    architecture: target.architecture || platform.architecture,
  })
  if (full.os !== platform.os) return `->${formatPlatform(full)}`
  if (full.architecture === platform.architecture) return ''
  return `->${full.architecture}${full.variant ? `/${full.variant}` : ''}`
}

function declaredTarget(env: StageState['env']): Platform | undefined {
  try {
    const whole = env.get('TARGETPLATFORM')
    if (whole !== undefined) return parsePlatform(whole)
  } catch {
    // Its parts may say more.
  }
  const [os, architecture, variant] = ['TARGETOS', 'TARGETARCH', 'TARGETVARIANT'].map((name) => env.get(name))
  if (os === undefined && architecture === undefined && variant === undefined) return undefined
  return { os: os ?? '', architecture: architecture ?? '', ...(variant && { variant }) }
}
