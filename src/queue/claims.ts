import pg from 'pg'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'

/** Fewer connections than pollers, because most polls find nothing. */
const CONNECTIONS = 5
/** ms for the first statement on a new connection; a server that hangs reports no error. */
const READY_MS = 10_000
/** ms that closing waits for Postgres. */
const CLOSE_MS = 1000

const NOT_SORTING = { text: 'set enable_sort = off', query_timeout: READY_MS }

interface Claims {
  query(query: pg.QueryConfig): Promise<pg.QueryResult>
  close(): Promise<void>
}

/**
 * Connections for fetching jobs, with sorting switched off. The index has the jobs in order already; but while the table's
 * statistics are older than a backlog, the planner reads and sorts the whole backlog for each batch: 50 ms instead of 2 at
 * 100,000 jobs, until autovacuum runs. The connections open on first use.
 */
export function createClaims({ database, log }: { database: Database; log: Logger }): Claims {
  // the database's own options, including its socket factory, which closes the sockets that are left open
  const pool = new pg.Pool({
    ...database.pool.options,
    max: CONNECTIONS,
    onConnect: async (client) => void (await client.query(NOT_SORTING)),
  })
  // the pool replaces a broken connection; without a listener the error would end the process
  pool.on('error', (error) =>
    log.debug({ reason: reasonOf(error) }, 'lost an idle connection for fetching jobs'),
  )
  return {
    query: (query) => pool.query(query),
    close: async () => void (await withTimeout(CLOSE_MS, pool.end())),
  }
}
