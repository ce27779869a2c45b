/** What every executor does, whoever runs it. Called by the executor*.test.ts for each of them. */
import { afterAll, beforeAll, describe } from 'vitest'
import { Contract, type ContractOptions } from './contract/contract.ts'
import { describeEnding } from './contract/ending.contract.ts'
import { describeFiles } from './contract/files.contract.ts'
import { describeHostile } from './contract/hostile.contract.ts'
import { describeMachine } from './contract/machine.contract.ts'
import { describeProcess } from './contract/process.contract.ts'
import { describeRaces } from './contract/races.contract.ts'
import { describeTerminal } from './contract/terminal.contract.ts'
import { describeView } from './contract/view.contract.ts'

export type { Traits } from './contract/contract.ts'
export { describeFiles, describeHostile, describeMachine }

const everything = [
  describeProcess,
  describeTerminal,
  describeEnding,
  describeFiles,
  describeView,
  describeMachine,
  describeHostile,
  describeRaces,
]

/** @param parts for an executor that is tested as somebody else already, what may be different here */
export function describeExecutor(
  title: string,
  options: ContractOptions,
  parts: readonly ((contract: Contract) => void)[] = everything,
): void {
  describe(title, () => {
    const contract = new Contract(options)
    beforeAll(async () => await contract.open(), 60_000)
    afterAll(async () => await contract.close())
    for (const part of parts) part(contract)
  })
}
