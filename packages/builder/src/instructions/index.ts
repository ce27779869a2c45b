/** Instructions: one file per keyword, listed here. */
import { add } from './add.ts'
import { arg } from './arg.ts'
import { cmd } from './cmd.ts'
import { copy } from './copy.ts'
import type { InstructionDef } from './definition.ts'
import { entrypoint } from './entrypoint.ts'
import { env } from './env.ts'
import { expose } from './expose.ts'
import { from } from './from.ts'
import { healthcheck } from './healthcheck.ts'
import { label } from './label.ts'
import { maintainer } from './maintainer.ts'
import type { CopyNode, InstructionNode } from './nodes.ts'
import { onbuild } from './onbuild.ts'
import { run } from './run.ts'
import { shell } from './shell.ts'
import { stopsignal } from './stopsignal.ts'
import { user } from './user.ts'
import { volume } from './volume.ts'
import { workdir } from './workdir.ts'

/** A keyword. */
export type Keyword = InstructionNode['kind']

type NodeOf<K extends Keyword> = K extends 'COPY' | 'ADD' ? CopyNode : Extract<InstructionNode, { kind: K }>

/** Every instruction by keyword; a kind of node without a parser does not compile. */
export const instructions: { readonly [K in Keyword]: InstructionDef<NodeOf<K>> } = {
  ADD: add,
  ARG: arg,
  CMD: cmd,
  COPY: copy,
  ENTRYPOINT: entrypoint,
  ENV: env,
  EXPOSE: expose,
  FROM: from,
  HEALTHCHECK: healthcheck,
  LABEL: label,
  MAINTAINER: maintainer,
  ONBUILD: onbuild,
  RUN: run,
  SHELL: shell,
  STOPSIGNAL: stopsignal,
  USER: user,
  VOLUME: volume,
  WORKDIR: workdir,
}

/** All keywords, upper case. */
export const keywords: readonly Keyword[] = Object.values(instructions).map(
  (definition) => definition.keyword as Keyword,
)

const byKeyword = new Map<string, InstructionDef<InstructionNode>>(Object.entries(instructions))

/** The instruction of a keyword in upper case. */
export function findInstruction(keyword: string): InstructionDef<InstructionNode> | undefined {
  return byKeyword.get(keyword)
}
