import { createHash } from 'node:crypto'
import { Socket } from 'node:net'
import pg from 'pg'
import { fail, type PorteiroError, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createSecrets, type SecretKeys, type Secrets } from '../secrets.ts'
import { withTimeout } from '../time.ts'
import { type Embedded, openEmbedded } from './embedded/embedded.ts'
import type { Deaths } from './embedded/server-watch.ts'
import { assertSession, refusedOptions } from './session.ts'
import { isDatabaseAway, isStartingUp, translate } from './sqlstate.ts'

/** Limit in ms for connecting; after it the server counts as down, and callers have their own fallback. */
const CONNECT_MS = 10_000
/** Limit in ms for one query; a server that hangs reports nothing, so its connection is given up. */
const QUERY_MS = 10_000
/** Limit in ms for running queries and the server to finish on close. */
const CLOSE_MS = 3000
/** ms after which an unused connection of a lane is closed: one that a firewall has forgotten answers nothing. */
const LANE_IDLE_MS = 60_000
const DEFAULT_SCHEMA = 'porteiro'
/** Maximum number of connections per process; Postgres allows 100 in total by default, and several roles share them. */
const DEFAULT_MAX = 10

/** A statement that each connection parses once, and plans once where its values do not matter. */
interface Prepared {
  readonly name: string
  readonly text: string
}

/** Runs SQL and resolves with the rows. Every function of a sql/ folder takes one: the database, or a transaction. */
export interface Querier {
  /** Encrypts and decrypts secrets; undefined as without a key. */
  readonly secrets?: Secrets
  /** Statements of one transaction that do not wait for each other travel together. */
  query<T = Record<string, unknown>>(statement: string | Prepared, values?: readonly unknown[]): Promise<T[]>
}

export interface Transaction extends Querier {
  /** For libraries that want to join the transaction (pg-boss). Do not release it. */
  readonly client: pg.PoolClient
  /** The commit follows the statement of this answer without waiting for it. If that fails, all is rolled back. */
  sent(answer: Promise<unknown>): void
}

/** A few connections beside those of the database. */
export type Lane = Pick<Database, 'secrets' | 'query' | 'transaction' | 'close'>

export interface Database extends Querier {
  readonly pool: pg.Pool
  readonly secrets: Secrets
  /** The first schema of every connection's search_path. */
  readonly schema: string
  readonly embedded: boolean
  /** How often the embedded server died since the start. */
  deaths(): Deaths
  /** Resolves when the embedded server can never come back. */
  readonly failed: Promise<PorteiroError>
  /** The given URL, or the embedded server's. May contain a password: never log it. */
  readonly url: string
  /** Commits what `run` did, or rolls all of it back when `run` throws. */
  transaction<T>(run: (transaction: Transaction) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** Undefined: the embedded server below `dataDir`. */
  url?: string | undefined
  schema?: string
  dataDir: string
  log: Logger
  max?: number
  /** False for a database whose connections also COPY, which pg cannot do in its pipeline mode. Default true. */
  pipeline?: boolean
  /** Keys of the secrets in the tables. */
  secretKeys?: SecretKeys
}

/**
 * Opens a pool and connects once. Throws DATABASE_UNREACHABLE (with host, port and database, never the password),
 * DATABASE_SEARCH_PATH and DATABASE_POOLED behind a pooler that cannot be used, and the errors of openEmbedded. Later errors of Postgres are DATABASE_QUERY or DATABASE_UNREACHABLE, with the cause.
 */
export async function openDatabase({
  url: given,
  schema = DEFAULT_SCHEMA,
  dataDir,
  log,
  max = DEFAULT_MAX,
  pipeline = true,
  secretKeys,
}: DatabaseOptions): Promise<Database> {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw fail('USAGE_WRONG', { problem: `"${schema}" cannot be the name of a schema.` })
  }
  const server = given === undefined ? await openEmbedded({ dataDir, log }) : undefined
  const url = given ?? server!.url
  let opened: ReturnType<typeof createPool> | undefined
  try {
    opened = createPool({ url, schema, max, pipeline, log })
    await firstConnection(opened.pool)
    // nothing lies between us and our own server
    if (server === undefined) await assertSession(opened.pool, schema)
  } catch (error) {
    await opened?.end()
    await server?.close()
    if (opened === undefined) throw translate(error, {})
    throw refusedOptions(error, opened.pool, schema) ?? translate(error, targetOf(opened.pool))
  }
  const { pool, end } = opened
  const release = async () => {
    await end()
    await server?.close()
  }
  const secrets = createSecrets(secretKeys)
  return fromPool(pool, { schema, url, server, secrets, release })
}

interface LaneOptions {
  /** Maximum number of connections. */
  max: number
  /** The first statement on each. */
  setting?: string
  log: Logger
}

/**
 * Connections of their own: their statements wait for none that somebody else has. The first one opens now, and they stay open while
 * they are used now and then. Close it before the database.
 */
export function openLane(database: Database, { max, setting, log }: LaneOptions): Lane {
  // the database's own options, including its socket factory, which closes the sockets that are left open
  const pool = new pg.Pool({
    ...database.pool.options,
    max,
    idleTimeoutMillis: LANE_IDLE_MS,
    ...(setting && { onConnect: async (client) => void (await client.query(timed(setting))) }),
  })
  // the pool replaces a broken idle connection; without a listener the error would end the process
  pool.on('error', (error) => log.debug({ reason: reasonOf(error) }, 'an idle database connection was lost'))
  pool.on('connect', survive)
  // the first statement opens what cannot be opened now
  pool.query('select').catch(() => {})
  const { schema, url, secrets } = database
  const release = async () => void (await withTimeout(CLOSE_MS, pool.end()))
  return fromPool(pool, { schema, url, server: undefined, secrets, release })
}

interface Origin {
  schema: string
  url: string
  /** Undefined: somebody else's server. */
  server: Embedded | undefined
  secrets: Secrets
  release: () => Promise<void>
}

function fromPool(pool: pg.Pool, { schema, url, server, secrets, release }: Origin): Database {
  const target = targetOf(pool)
  let closing: Promise<void> | undefined

  const querier = (runner: pg.Pool | pg.PoolClient): Querier['query'] => {
    return async <T>(statement: string | Prepared, values?: readonly unknown[]) => {
      try {
        const { rows } = await runner.query(timed(statement, values))
        return rows as T[]
      } catch (error) {
        throw translate(error, target)
      }
    }
  }

  const transaction = async <T>(run: (transaction: Transaction) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch((error) => {
      throw translate(error, target)
    })
    // the death of a backend between two queries is only reported on the client; without a listener it would end the
    // process
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    client.on('error', onError)
    const query = querier(client)
    /** Of what was sent, the first; what follows it only fails because of it. */
    let failure: { error: unknown } | undefined
    try {
      const answers: Promise<unknown>[] = []
      const sent = (answer: Promise<unknown>) => {
        answer.catch((error) => {
          failure ??= { error }
        })
        answers.push(answer)
      }
      // it travels with the first statement of `run`
      sent(query('begin'))
      const result = await run({ query, client, secrets, sent })
      // a statement that could not be sent has failed by the next tick; Postgres does not miss it, and would commit the others
      await new Promise<void>((resolve) => process.nextTick(resolve))
      if (failure) throw failure.error
      // Postgres answers in order, and where a statement has failed it takes a commit for a rollback
      await Promise.all([...answers, query('commit')])
      return result
    } catch (thrown) {
      const error = failure?.error ?? thrown
      // after an abandoned query the connection answers nothing, and one that began read-only may stay so when its server no longer is;
      // closing it also rolls back
      if (isDatabaseAway(error)) broken ??= error as Error
      else {
        await client.query(timed('rollback')).catch((failed) => {
          broken = failed
        })
      }
      throw error
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  return {
    pool,
    secrets,
    schema,
    url,
    embedded: server !== undefined,
    deaths: () => server?.deaths() ?? { count: 0, last: undefined },
    failed: server?.failed ?? new Promise(() => {}),
    query: querier(pool),
    transaction,
    close: () => (closing ??= release()),
  }
}

/** By their text. */
const statements = new Map<string, Prepared>()

/** For statements whose plan does not depend on their values: inserts, and looks for single rows by their key. */
export function prepared(text: string): Prepared {
  let statement = statements.get(text)
  if (!statement) {
    statement = { name: createHash('sha256').update(text).digest('hex').slice(0, 32), text }
    statements.set(text, statement)
  }
  return statement
}

/** That statement, as one that fails unless it returns so many rows, an expression of SQL: a transaction need not wait to learn that. */
export function counting(returning: string, rows: string): string {
  return `with done as (${returning}) select 1 / (count(*) = ${rows})::int as one from done`
}

/** The limit is per query and not on the pool, because migrations may take any time. */
function timed(
  statement: string | Prepared,
  values?: readonly unknown[],
): pg.QueryConfig & { query_timeout: number } {
  const { name, text } = typeof statement === 'string' ? { name: undefined, text: statement } : statement
  return {
    ...(name !== undefined && { name }),
    text,
    query_timeout: QUERY_MS,
    ...(values && { values: values as unknown[] }),
  }
}

/** The pool, and a close that waits for CLOSE_MS and then cuts the remaining connections. */
function createPool({
  url,
  schema,
  max,
  pipeline,
  log,
}: Required<Pick<DatabaseOptions, 'schema' | 'max' | 'pipeline'>> & { url: string; log: Logger }) {
  const sockets = new Set<Socket>()
  const pool = new pg.Pool({
    connectionString: withSearchPath(url, schema),
    max,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    application_name: 'porteiro',
    pipeline,
    stream: () => {
      const socket = new Socket()
      sockets.add(socket)
      return socket.once('close', () => sockets.delete(socket))
    },
  })
  // the pool replaces a broken idle connection; without a listener the error would end the process
  pool.on('error', (error) => log.warn({ reason: reasonOf(error) }, 'an idle database connection was lost'))
  pool.on('connect', survive)
  try {
    // pg parses the URL only at the first connection
    targetOf(pool)
  } catch (error) {
    throw fail('DATABASE_UNREACHABLE', { reason: 'DATABASE_URL is not a Postgres URL' }, error)
  }
  const end = async () => {
    // the pool drops an idle connection before its socket is closed
    const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    await withTimeout(CLOSE_MS, Promise.all([pool.end(), ...closed]))
    for (const socket of sockets) socket.destroy()
  }
  return { pool, end }
}

/**
 * A server may end a connection in the same bytes that finish its login: then the pool listens no more, and whoever gets the
 * connection does not listen yet. Their next query fails.
 */
export function survive(client: pg.ClientBase): void {
  client.on('error', () => {})
}

/** Waits only for a server that is still starting; waiting does not help with other errors. */
async function firstConnection(pool: pg.Pool): Promise<void> {
  const end = performance.now() + CONNECT_MS
  for (;;) {
    try {
      const client = await pool.connect()
      client.release()
      return
    } catch (error) {
      if (!isStartingUp(error) || performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/**
 * Setting the schema as a startup parameter saves a query per connection. Parameters of the URL win over those of the
 * pool, and of two with the same name the last one wins: so ours goes to the end, after the URL's own `options`.
 */
function withSearchPath(url: string, schema: string): string {
  const given = /[?&]options=([^&]*)/.exec(url)?.[1]
  const options = `${given ? `${given}%20` : ''}-c%20search_path=${schema}`
  return `${url}${url.includes('?') ? '&' : '?'}options=${options}`
}

function targetOf(pool: pg.Pool): { host: string; port: number; database: string | undefined } {
  const { stream: _, ...options } = pool.options
  const { host, port, database } = new pg.Client(options)
  return { host, port, database }
}
