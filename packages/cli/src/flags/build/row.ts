/** The type of a row in the tables of build flags. */
import type { SettingFlag } from '../spec.ts'
import type { BuildDraft } from './draft.ts'

export type BuildFlag = SettingFlag<BuildDraft>
