/** What every executor does, whoever runs it. Called by executor.test.ts for each of them. */
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

export function describeExecutor(title: string, options: ContractOptions): void {
  describe(title, () => {
    const contract = new Contract(options)
    beforeAll(async () => await contract.open(), 60_000)
    afterAll(async () => await contract.close())
    describeProcess(contract)
    describeTerminal(contract)
    describeEnding(contract)
    describeFiles(contract)
    describeView(contract)
    describeMachine(contract)
    describeHostile(contract)
    describeRaces(contract)
  })
}
