import { createHash } from 'node:crypto'
import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import { type Database, translate } from '../platform/postgres/index.ts'
import type { Channel, Message } from './message.ts'

/** s of one window. */
const WINDOW_SECONDS = 1
/** Shortest wait in ms, so that the end of a window is not polled in a tight loop. */
const MIN_WAIT_MS = 20

/** Messages a second of one tenant's account; a channel without a rate has no limit. */
export type Rates = Partial<Record<Channel, number>>

export interface RateLimits {
  /** ms to wait before the message may be sent; 0: send it now, it is counted. Throws DATABASE_UNREACHABLE. */
  take(message: Pick<Message, 'tenantId' | 'instanceId' | 'channel'>): Promise<number>
}

/** Counts in Postgres, so that all workers share the limit of an account. */
export function createRateLimits({ database, rates }: { database: Database; rates: Rates }): RateLimits {
  const limiters = new Map(
    Object.entries(rates).map(([channel, points]) => [
      channel,
      new RateLimiterPostgres({
        storeClient: database.pool,
        storeType: 'pool',
        schemaName: database.schema,
        tableName: 'rate_limits',
        keyPrefix: channel,
        points,
        duration: WINDOW_SECONDS,
        // a migration creates the table, and it has one row an account: nothing to clear
        tableCreated: true,
        clearExpiredByTimeout: false,
      }),
    ]),
  )
  return {
    async take({ tenantId, instanceId, channel }) {
      const limiter = limiters.get(channel)
      if (!limiter) return 0
      try {
        await limiter.consume(keyOf(tenantId, instanceId))
        return 0
      } catch (refused) {
        if (refused instanceof RateLimiterRes) return Math.max(MIN_WAIT_MS, refused.msBeforeNext)
        throw translate(refused, {})
      }
    },
  }
}

/** Counts in this process, while there is no database to count in. */
export function createLocalLimits(rates: Rates) {
  const limiters = new Map(
    Object.entries(rates).map(([channel, points]) => [
      channel,
      new RateLimiterMemory({ points, duration: WINDOW_SECONDS }),
    ]),
  )
  return {
    /** Whether the message may be sent now; then it is counted. */
    async take({
      tenantId,
      instanceId,
      channel,
    }: Pick<Message, 'tenantId' | 'instanceId' | 'channel'>): Promise<boolean> {
      const limiter = limiters.get(channel)
      return (
        !limiter ||
        limiter.consume(keyOf(tenantId, instanceId)).then(
          () => true,
          () => false,
        )
      )
    },
  }
}

/** Hashed, so that ids of any length fit the table. */
function keyOf(tenantId: string, instanceId: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tenantId, instanceId]))
    .digest('base64url')
}
