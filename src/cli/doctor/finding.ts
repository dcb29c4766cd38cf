import type { ErrorCode } from '../../platform/errors.ts'

/** What was found of one dependency. `off`: the configuration does not ask for it. */
export interface Finding {
  name: string
  state: 'ok' | 'warning' | 'failed' | 'off'
  /** What it is, or what is wrong with it. */
  detail: string
  code?: ErrorCode
  /** What to do, where something is to do. */
  remedy?: string
}
