/** What the caller offers to git: secrets by their names, the agent called `default`, the keys of hosts. */
import type { GitAccess } from '../context/git.ts'
import type { Store } from '../store/store.ts'
import { secretReader } from './secrets.ts'
import type { Settings } from './settings.ts'
import { openSsh } from './ssh.ts'

export function gitAccess({ options, env, sshKnownHosts }: Settings, store: Store): GitAccess {
  const { secrets = [], ssh = [] } = options
  const agents = openSsh(ssh, env, store)
  return {
    secret: secretReader(secrets, env),
    agent: async () => await agents.open('default'),
    knownHosts: sshKnownHosts,
  }
}
