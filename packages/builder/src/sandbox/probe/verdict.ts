/** Says which isolation a machine allows, why, and what would allow more. */
import type { IsolationVerdict, MachineReport } from './facts.ts'

/** What lets a container make namespaces; first as flags, then as fields of a pod. */
const CONTAINER = [
  'start this container with: --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined;',
  'in Kubernetes with hostUsers: false and securityContext: {capabilities: {add: [SYS_ADMIN]}, seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}',
].join(' ')

/** What `--isolation auto` picks on this machine. */
export function isolationVerdict(report: MachineReport): IsolationVerdict {
  return report.user.uid === 0 ? asRoot(report) : asUser(report)
}

function asRoot({ mountNamespace, chroot, container }: MachineReport): IsolationVerdict {
  if (mountNamespace.ok) return { level: 'namespaces', why: 'root may make namespaces here', raise: undefined }
  const raise = container ? CONTAINER : 'run with CAP_SYS_ADMIN'
  if (chroot.ok)
    return { level: 'chroot', why: `namespaces are refused (${mountNamespace.detail}); chroot is left`, raise }
  return {
    level: 'none',
    why: `neither namespaces (${mountNamespace.detail}) nor chroot (${chroot.detail}) are allowed`,
    raise,
  }
}

function asUser(report: MachineReport): IsolationVerdict {
  const { userNamespace, subordinateIds, user, hindrances, container } = report
  if (userNamespace.ok && subordinateIds.ok)
    return { level: 'namespaces', why: 'user namespaces work and subordinate ids are there', raise: undefined }
  if (userNamespace.ok) {
    return {
      level: 'namespaces',
      why: `user namespaces work, with one id only (${subordinateIds.detail}): RUN cannot become other users`,
      raise: `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user.name}   # with newuidmap from the package uidmap`,
    }
  }
  const [hindrance] = hindrances
  return {
    level: 'none',
    why: `user namespaces are refused (${userNamespace.detail}) and an ordinary user may not chroot`,
    raise: hindrance === undefined ? asRootIn(container) : `sudo sysctl -w ${hindrance.setting}=${hindrance.needed}`,
  }
}

function asRootIn(container: boolean): string {
  if (!container) return 'run as root'
  return 'run as root: docker run --user 0; in Kubernetes securityContext: {runAsUser: 0}, in OpenShift with the SCC anyuid'
}
