import { randomBytes } from 'node:crypto'
import { fail } from '../../platform/errors.ts'
import type { Caller } from '../auth.ts'

/** ms in which a ticket must be used. */
const LIFE_MS = 60_000
/** Tickets that may be out at a time; beyond it the oldest are void. */
const OUT = 1000

/** What one connection to Stately's feed may see. */
export interface Ticket {
  caller: Caller
  /** One call, or all of them. */
  call: string | null
  masked: boolean
}

/**
 * One-time tickets for clients that can send no header with their WebSocket, as Stately's receivers. A ticket stands in
 * an address, where a key must never be: addresses are logged.
 */
export function createTickets() {
  const out = new Map<string, { ticket: Ticket; until: number }>()
  return {
    issue(ticket: Ticket): { ticket: string; expiresAt: Date } {
      const until = Date.now() + LIFE_MS
      for (const [name, { until: end }] of out) {
        if (end > Date.now() && out.size < OUT) break
        out.delete(name)
      }
      const name = randomBytes(24).toString('base64url')
      out.set(name, { ticket, until })
      return { ticket: name, expiresAt: new Date(until) }
    },
    /** Takes it: it opens nothing a second time. Errors: TICKET_INVALID. */
    redeem(name: string): Ticket {
      const found = out.get(name)
      out.delete(name)
      if (!found || found.until <= Date.now()) throw fail('TICKET_INVALID')
      return found.ticket
    },
  }
}
