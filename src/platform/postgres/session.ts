import pg from 'pg'
import { fail, type PorteiroError, reasonOf } from '../errors.ts'

/** Limit in ms for one answer; a pooler without a free connection leaves a query waiting. */
const ANSWER_MS = 10_000
/** Other clients of a pooler may hide that it shares sessions; each round has a new chance to see it. */
const ROUNDS = 3

interface Backend {
  pid: number
  path: string
}

/**
 * Proves that a connection is a session of Postgres with the search_path that was asked for, before anything is written.
 * Throws DATABASE_POOLED, DATABASE_SEARCH_PATH, and errors of pg.
 */
export async function assertSession(pool: pg.Pool, schema: string): Promise<void> {
  const ours = await pool.connect()
  let broken: Error | undefined
  // a client without a listener would end the process when its connection breaks
  const onError = (error: Error) => {
    broken = error
  }
  ours.on('error', onError)
  try {
    const other = new pg.Client({ ...pool.options })
    other.on('error', () => {})
    try {
      await other.connect()
      await assertOwn(ours, other)
    } finally {
      await other.end()
    }
    const { path } = await backendOf(ours)
    if (path !== schema) throw searchPathError(pool, schema, `it is ${path}`)
  } catch (error) {
    broken ??= error as Error
    throw error
  } finally {
    ours.off('error', onError)
    ours.release(broken)
  }
}

/** DATABASE_SEARCH_PATH where a pooler refused the login because of `options`, else undefined. */
export function refusedOptions(error: unknown, pool: pg.Pool, schema: string): PorteiroError | undefined {
  const reason = reasonOf(error)
  if (!/unsupported startup parameter/.test(reason)) return undefined
  return searchPathError(pool, schema, `the pooler refuses the startup parameter options (${reason})`, error)
}

/**
 * In a transaction of its own the other connection keeps what it got. A pooler that lends out sessions by the transaction
 * then gave it ours, or has to give us another one.
 */
async function assertOwn(ours: pg.ClientBase, other: pg.ClientBase): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const before = await backendOf(ours)
    await begin(other)
    const others = await backendOf(other)
    if (others.pid === before.pid)
      throw fail('DATABASE_POOLED', { reason: 'two connections got one session' })
    const after = await backendOf(ours)
    if (after.pid !== before.pid) throw fail('DATABASE_POOLED', { reason: 'one connection got two sessions' })
    await other.query(timed('rollback'))
  }
}

async function begin(client: pg.ClientBase): Promise<void> {
  try {
    await client.query(timed('begin'))
  } catch (error) {
    if (/pooling mode/.test(reasonOf(error)))
      throw fail('DATABASE_POOLED', { reason: reasonOf(error) }, error)
    throw error
  }
}

async function backendOf(client: pg.ClientBase): Promise<Backend> {
  const text = `select pg_backend_pid() as pid, current_setting('search_path') as path`
  const { rows } = await client.query<Backend>(timed(text))
  return rows[0]!
}

function searchPathError(pool: pg.Pool, schema: string, reason: string, cause?: unknown): PorteiroError {
  const { stream: _, ...options } = pool.options
  const { user, database } = new pg.Client(options)
  const quoted = (name: string | undefined) => pg.escapeIdentifier(name ?? '')
  const statement = `alter role ${quoted(user)} in database ${quoted(database)} set search_path = ${schema}`
  const remedy = `Connect to Postgres itself; or set pool_mode = session and ignore_startup_parameters = options in the pooler, run: ${statement}; and restart the pooler's connections.`
  return fail('DATABASE_SEARCH_PATH', { database, schema, reason, remedy }, cause)
}

function timed(text: string): pg.QueryConfig & { query_timeout: number } {
  return { text, query_timeout: ANSWER_MS }
}
