/** Runs inside a container of the nested test: what a build in an unprivileged container finds. Prints JSON. */
import { startWorker } from '../worker.ts'
import { makeRootfs } from './small-rootfs.ts'

const select = { isolation: 'auto', ociRuntime: undefined, root: '/tmp/state' } as const
await using worker = await startWorker({
  entry: new URL('./executor-worker.ts', import.meta.url),
  root: select.root,
})
const described = await worker.call('describe', select)
let out = ''
const exit = await worker.call(
  'run',
  {
    select,
    rootfs: makeRootfs('/tmp/rootfs'),
    stdin: undefined,
    count: false,
    spec: {
      args: ['sh', '-c', 'echo x > /dev/null; id -u; cat /etc/hosts /run/s; echo made > /new; sleep 100 & echo end'],
      env: ['PATH=/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [0] },
      hostname: 'x',
      network: 'host',
      hosts: '192.0.2.1 x\n',
      resolvConf: undefined,
      mounts: [{ type: 'file', target: '/run/s', content: Buffer.from('secret\n'), mode: 0o400, uid: 0, gid: 0 }],
      security: 'sandbox',
      ulimits: [],
      resources: {},
    },
  },
  {
    onEvent: (event) => {
      out += Buffer.from((event as { data: Uint8Array }).data).toString()
    },
  },
)
console.log(JSON.stringify({ mode: worker.mode, described, exit, out }))
