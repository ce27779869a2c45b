import { describeExecutor, describeFiles, describeHostile, describeMachine } from './executor.contract.ts'
import { ownDriver, plainDriver, testUid, userDriver } from './testing/driver.ts'
import {
  describeAsRoot,
  describeAsUser,
  describeWithRunc,
  directory,
  full,
  none,
  select,
  userOutbound,
} from './testing/executor-cases.ts'

const runc = { isolation: 'oci', ociRuntime: 'runc' } as const
const chroot = { ...select, isolation: 'chroot' } as const

describeAsRoot(() => {
  describeWithRunc(() => {
    describeExecutor('oci', {
      select: runc,
      traits: {
        ...full,
        initProcess: false,
        execErrors: false,
        entersDirectory: false,
        reportsOom: false,
        outbound: false,
      },
      directory: () => directory(0),
      start: ownDriver,
    })
  })
  describeExecutor('chroot without mounts', {
    select: chroot,
    traits: { ...none, mounts: false, seccomp: false, limits: false },
    directory: () => directory(0),
    start: plainDriver,
  })
})

describeAsUser('subids', () => {
  describeExecutor(
    'chroot',
    {
      select: chroot,
      traits: { ...none, uid: testUid },
      directory: () => directory(testUid),
      start: (root) => userDriver(root, 'subids'),
    },
    [describeFiles, describeMachine, describeHostile],
  )
  describeWithRunc(() => {
    describeExecutor(
      'oci',
      {
        select: runc,
        traits: { ...full, initProcess: false, uid: testUid },
        directory: () => directory(testUid),
        start: (root) => userDriver(root, 'subids'),
      },
      [describeMachine],
    )
  })
})

describeAsUser('single', () => {
  describeExecutor('namespaces', {
    select,
    traits: { ...full, limits: false, outbound: userOutbound, users: false, uid: testUid },
    directory: () => directory(testUid),
    start: (root) => userDriver(root, 'single'),
  })
})
