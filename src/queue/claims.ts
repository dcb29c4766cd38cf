import pg from 'pg'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'

/** Connections: fewer than there are lanes, because most of them ask for jobs that are not there. */
const CONNECTIONS = 5
/** ms in which a new one must do as it is told; a server that hangs says nothing. */
const READY_MS = 10_000
/** ms that closing waits for Postgres' goodbye. */
const CLOSE_MS = 1000

const NOT_SORTING = { text: 'set enable_sort = off', query_timeout: READY_MS }

interface Claims {
  query(query: pg.QueryConfig): Promise<pg.QueryResult>
  close(): Promise<void>
}

/**
 * Connections for taking jobs, on which Postgres does not sort. The index has them in their order already; but where what is
 * known of the table is older than a backlog, reading and sorting all of it for each batch is thought to be cheaper: 50 ms
 * instead of 2 at 100,000 jobs, until autovacuum comes by. They open with the first use.
 */
export function createClaims({ database, log }: { database: Database; log: Logger }): Claims {
  // the database's own options, its sockets' factory too: it closes what is left open
  const pool = new pg.Pool({
    ...database.pool.options,
    max: CONNECTIONS,
    onConnect: async (client) => void (await client.query(NOT_SORTING)),
  })
  // one that breaks is replaced; without a listener it would end the process
  pool.on('error', (error) => log.debug({ reason: reasonOf(error) }, 'an idle connection for jobs was lost'))
  return {
    query: (query) => pool.query(query),
    close: async () => void (await withTimeout(CLOSE_MS, pool.end())),
  }
}
