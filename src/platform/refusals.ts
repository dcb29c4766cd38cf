import type { ErrorCode, PorteiroError } from './errors.ts'
import type { Logger } from './log.ts'

export interface RefusalLimit {
  /** Log lines for each code and window. */
  lines: number
  windowMs: number
}

interface Refusals {
  note(error: PorteiroError, facts: Record<string, unknown>): void
  counts(): Partial<Record<ErrorCode, number>>
  /** Logs the pending totals and stops. */
  close(): void
}

/**
 * Counts refusals by code and logs them as `<what> refused`, without letting a scanner fill the disk: the first lines of a
 * code in each window, then one line with the number of further ones.
 */
export function createRefusals(log: Logger, { lines, windowMs }: RefusalLimit, what: string): Refusals {
  const totals: Partial<Record<ErrorCode, number>> = {}
  const window = new Map<ErrorCode, number>()
  let timer: NodeJS.Timeout | undefined

  const settle = () => {
    clearTimeout(timer)
    timer = undefined
    for (const [code, count] of window) {
      if (count > lines) log.warn({ code, more: count - lines }, `${what} refused ${count - lines} more`)
    }
    window.clear()
  }

  return {
    note(error, facts) {
      const { code } = error
      totals[code] = (totals[code] ?? 0) + 1
      const seen = (window.get(code) ?? 0) + 1
      window.set(code, seen)
      timer ??= setTimeout(settle, windowMs).unref()
      if (seen <= lines) log.warn({ code, ...facts, reason: error.message }, `${what} refused`)
    },
    counts: () => ({ ...totals }),
    close: settle,
  }
}
