import type { ErrorCode } from '../../platform/errors.ts'

/** The result for one dependency. `off`: the configuration does not use it. */
export interface Finding {
  name: string
  state: 'ok' | 'warning' | 'failed' | 'off'
  /** A description, or the problem. */
  detail: string
  code?: ErrorCode
  /** How to fix it, if there is something to fix. */
  remedy?: string
}
