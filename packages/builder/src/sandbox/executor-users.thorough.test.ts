import { describeExecutor } from './executor.contract.ts'
import { testUid, userDriver } from './testing/driver.ts'
import { describeAsUser, directory, full, select, userOutbound } from './testing/executor-cases.ts'

describeAsUser('subids', () => {
  describeExecutor('namespaces', {
    select,
    traits: { ...full, limits: false, outbound: userOutbound, uid: testUid },
    directory: () => directory(testUid),
    start: (root) => userDriver(root, 'subids'),
  })
})
