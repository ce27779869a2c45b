/** The same tests as the user that runs them and as an ordinary user with sub-ids. */
import { chown } from 'node:fs/promises'
import { gate } from './tools.ts'
import { addUser, ordinaryCommand } from './user.ts'
import { openWorkspace, type TsbuildOptions, type Workspace } from './workspace.ts'

/** A workspace, and whose it is: `options` go to its `run`. */
export interface UserWorkspace extends AsyncDisposable {
  readonly place: Workspace
  readonly options: TsbuildOptions
}

export interface UserCase {
  /** With the reason, when it is skipped. */
  readonly title: string
  readonly skip: boolean
  readonly ordinary: boolean
  open(): Promise<UserWorkspace>
}

/** @param needs names of programs, as {@link gate} takes them */
export function userCases(...needs: readonly string[]): readonly UserCase[] {
  const own = gate(...needs)
  const other = gate('root', 'newuidmap', 'setpriv', 'useradd', ...needs)
  return [
    { title: `as the user of the tests${own.note}`, skip: own.skip, ordinary: false, open: () => open(false) },
    { title: `as an ordinary user${other.note}`, skip: other.skip, ordinary: true, open: () => open(true) },
  ]
}

async function open(ordinary: boolean): Promise<UserWorkspace> {
  const resources = new AsyncDisposableStack()
  try {
    const place = resources.use(await openWorkspace())
    if (!ordinary) return { place, options: {}, [Symbol.asyncDispose]: () => resources.disposeAsync() }
    const user = resources.use(await addUser())
    const { options } = resources.use(await ordinaryCommand(user))
    for (const path of [place.path, place.home, place.tmp]) await chown(path, user.uid, user.gid)
    return { place, options, [Symbol.asyncDispose]: () => resources.disposeAsync() }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}
