import { describeExecutor } from './executor.contract.ts'
import { testUid, userDriver } from './testing/driver.ts'
import { describeAsUser, directory, full, select, userOutbound } from './testing/executor-cases.ts'

const user = { ...full, limits: false, outbound: userOutbound, uid: testUid }

describeAsUser('subids', () => {
  describeExecutor('namespaces', {
    select,
    traits: user,
    directory: () => directory(testUid),
    start: (root) => userDriver(root, 'subids'),
  })
})

describeAsUser('single', () => {
  describeExecutor('namespaces', {
    select,
    traits: { ...user, users: false },
    directory: () => directory(testUid),
    start: (root) => userDriver(root, 'single'),
  })
})
