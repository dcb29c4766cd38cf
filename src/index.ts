/** `import { startService } from 'porteiro'`: the service inside a program of one's own. */
import type { Config } from './config/index.ts'
import type { PorteiroError } from './platform/errors.ts'
import type { Logger } from './platform/log.ts'
import { startService as start } from './roles/index.ts'

export { type Config, loadConfig, parseConfig, VARIABLES } from './config/index.ts'
export type { Locale, Role } from './platform/audio.ts'
export { type Details, ERRORS, type ErrorCode, PorteiroError } from './platform/errors.ts'
export { createLog, type Logger, silentLog } from './platform/log.ts'

export interface ServiceOptions {
  config: Config
  log: Logger
  /** Ends the wait for another process that migrates; the start then fails with MIGRATION_LOCKED. */
  starting?: AbortSignal
}

/** An event of a call, as `GET /api/calls/:id` has it in `journal`. */
export interface CallEvent {
  readonly callId: string
  /** Counts from 0 within the call. */
  readonly seq: number
  readonly at: Date
  readonly kind: string
  readonly leg: 'visitor' | 'resident' | null
  readonly data: unknown
}

/** Declared here, so that the types of a program do not depend on those of what the service is made of. */
export interface RunningService {
  readonly ports: { readonly visitor: number; readonly resident: number; readonly api: number }
  /** The API key, at the very first start only. */
  readonly firstKey: string | undefined
  /** Calls the listener with each event of each call as it happens; `subscribe` returns the function that ends it. */
  readonly journal: { subscribe(listener: (event: CallEvent) => void): () => void }
  status(): Readonly<Record<string, unknown>>
  /** Takes no new calls, lets live ones finish within DRAIN_SECONDS, then closes. A second call closes now. */
  drain(): void
  /** Closes now; resolves when everything is closed. */
  stop(): Promise<void>
  /** Resolves when everything is closed, for whatever reason. */
  readonly stopped: Promise<void>
  /** Resolves with the reason when the service cannot go on: it is draining, and its process should end with `exit`. */
  readonly failed: Promise<PorteiroError>
}

/** Starts the whole service in this process. */
export const startService: (options: ServiceOptions) => Promise<RunningService> = start
