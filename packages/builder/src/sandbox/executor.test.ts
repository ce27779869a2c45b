import { describeExecutor } from './executor.contract.ts'
import { ownDriver } from './testing/driver.ts'
import { describeAsRoot, directory, full, none, select } from './testing/executor-cases.ts'

// The other executors: executor-users.thorough.test.ts, executor.thorough.test.ts.
describeAsRoot(() => {
  describeExecutor('namespaces', { select, traits: full, directory: () => directory(0), start: ownDriver })
  describeExecutor('chroot', {
    select: { ...select, isolation: 'chroot' },
    traits: none,
    directory: () => directory(0),
    start: (root) => ownDriver(root, 'plain'),
  })
})
