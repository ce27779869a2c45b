/** Agents that `--ssh` offers to RUN --mount=type=ssh. */
import type { SshSource } from '../options.ts'
import { openAgent } from '../sandbox/ssh/agent.ts'
import type { Store } from '../store/store.ts'
import type { SshProvider } from '../steps/run-step.ts'
