import { randomBytes } from 'node:crypto'
import { fail } from '../../platform/errors.ts'
import type { Caller } from '../auth.ts'

/** Lifetime of a ticket in ms. */
const LIFE_MS = 60_000
/** Maximum number of valid tickets, and of one key; beyond it the oldest become invalid. */
const OUT = 1000
const KEY_OUT = 50

/** The access of one connection to Stately's feed. */
export interface Ticket {
  caller: Caller
  /** One call, or all of them. */
  call: string | null
  masked: boolean
}

/**
 * One-time tickets for clients that cannot send a header with their WebSocket, such as Stately's receivers. A ticket is
 * part of a URL, where a key must never be, because URLs are logged.
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
      const own = [...out].filter(
        ([
          ,
          {
            ticket: { caller },
          },
        ]) => caller.id === ticket.caller.id,
      )
      for (const [name] of own.slice(0, Math.max(0, own.length - KEY_OUT + 1))) out.delete(name)
      const name = randomBytes(24).toString('base64url')
      out.set(name, { ticket, until })
      return { ticket: name, expiresAt: new Date(until) }
    },
    /** Uses a ticket, which then becomes invalid. Errors: TICKET_INVALID. */
    redeem(name: string): Ticket {
      const found = out.get(name)
      out.delete(name)
      if (!found || found.until <= Date.now()) throw fail('TICKET_INVALID')
      return found.ticket
    },
  }
}
