import pg from 'pg'
import { type Db, PgBoss } from 'pg-boss'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import {
  type Database,
  openLane,
  openListener,
  prepared,
  survive,
  type Transaction,
  translate,
} from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import { deadOf, QUEUES } from './queues.ts'

/** s: ten years. pg-boss silently deletes jobs that wait longer, and no pending message may be lost. */
const RETENTION_SECONDS = 10 * 365 * 86_400
/** s that a finished job is kept; the history people ask about is in `messages`. */
const FINISHED_SECONDS = 3600
/** s without a heartbeat after which another worker may take the job; pg-boss accepts no less than 10. */
const HEARTBEAT_SECONDS = 15
/** Longest time that a job may be active, in s; the heartbeat decides sooner. */
const EXPIRE_SECONDS = 12 * 3600
/** We count attempts ourselves. pg-boss counts claims, and a claim that lapsed or was given back must not use up a retry. */
const CLAIMS = 1_000_000
/** ms for one statement; a server that hangs reports no error. */
const STATEMENT_MS = 15_000
/** ms for pg-boss to stop. */
const STOP_MS = 5000
/** Connections for fetching jobs: fewer than pollers, because most polls find nothing. */
const FETCH_CONNECTIONS = 5
/** Connections for critical jobs and their messages: those of one queue arrive together. */
const URGENT_CONNECTIONS = 2
/** The first statement on such a connection; a server that hangs reports no error. */
const BY_INDEX = {
  text: `select set_config('enable_sort', 'off', false), set_config('enable_seqscan', 'off', false),
    set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false),
    set_config('jit', 'off', false)`,
  query_timeout: 10_000,
}
/** Where a poller has room for many jobs, it asks for a multiple of this: only those statements are prepared. */
export const FETCH_STEP = 10
/** ms that closing them waits for Postgres. */
const FETCH_CLOSE_MS = 1000

/** A job to enqueue. */
export interface NewJob {
  id: string
  data: object
  /** Groups take turns, so that no group delays another. */
  group?: string
  /** 0 to 10; higher goes first. */
  priority?: number
  /** Earliest start, on this process's clock. */
  startAfter?: Date
}

/** A fetched job, until it is acknowledged or given back. */
export interface Job {
  readonly id: string
  readonly queue: string
  readonly data: unknown
  /** How often the job was fetched before; with the id it identifies this claim. */
  readonly claims: number
}

// no interface: declarations of the package spell an alias out, and need it exported otherwise
type Demand = {
  limit: number
  minPriority?: number | undefined
  maxPriority?: number | undefined
  /** On connections that other fetches do not have. */
  isUrgent?: boolean
  /** Groups to leave in the queue. */
  ignoreGroups?: readonly string[]
}

interface QueueOptions {
  database: Database
  log: Logger
  /**
   * True for workers: listens for notifications and maintains the queues (takes jobs from dead workers, deletes finished
   * ones). A process that only enqueues does not need this.
   */
  works: boolean
}

export type Queue = Awaited<ReturnType<typeof openQueue>>

/**
 * The job store: pg-boss on our own pool, in a schema beside the database's, with every queue created. Our pollers fetch the
 * jobs, so pg-boss has no worker; its notifications wake the pollers. A fetched job that is neither acknowledged, given back
 * nor touched in time returns to the queue by itself: its worker is dead. Every call may be repeated after a failure.
 */
export async function openQueue({ database, log, works }: QueueOptions) {
  const ready = new Set<(queue: string | undefined) => void>()
  const notices = new Set<(notice: string) => void>()
  const notifyReady = (queue: string | undefined) => {
    for (const listener of ready) listener(queue)
  }
  const noticeChannel = `${bossSchema(database)}_notices`
  const schema = bossSchema(database)
  const [found] = await database.query<{ there: boolean }>(
    'select exists(select from pg_namespace where nspname = $1) as there',
    [schema],
  )
  const fetching = openFetchPool(database, log)
  const urgent = works
    ? openLane(database, { max: URGENT_CONNECTIONS, setting: BY_INDEX.text, log })
    : undefined
  const boss = new PgBoss({
    schema,
    // creating it takes the right to create schemas, even where it exists
    createSchema: !found!.there,
    db: {
      executeSql: (text, values) => database.pool.query(timed(text, values)),
      listen: (channel, onNotification, onReconnect) =>
        openListener({
          database,
          channels: [channel, noticeChannel],
          log,
          onNotification: (from, payload) => {
            if (from === noticeChannel) for (const listener of notices) listener(payload)
            else {
              onNotification(payload)
              notifyReady(payload)
            }
          },
          onConnected: () => {
            onReconnect()
            notifyReady(undefined)
          },
        }),
    },
    useListenNotify: works,
    supervise: works,
    schedule: false,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    registerInstance: false,
    monitorVacuum: false,
  })
  // without a listener an error would end the process; pg-boss repeats what failed
  boss.on('error', (error) => log.warn({ reason: reasonOf(error) }, 'pg-boss reported an error'))
  boss.on('warning', ({ message }) => log.debug({ warning: message }, 'pg-boss reported a warning'))
  const close = async () => {
    await boss.stop({ graceful: true, timeout: STOP_MS, close: false })
    await withTimeout(FETCH_CLOSE_MS, Promise.all([fetching.end(), urgent?.close()]))
  }
  try {
    await boss.start()
    await createQueues(boss)
  } catch (error) {
    await close().catch(() => {})
    throw translate(error, {})
  }

  const taking: Db = { executeSql: (text, values) => fetching.query(timed(text, values)) }
  const takingUrgent: Db = urgent
    ? { executeSql: async (text, values) => ({ rows: await urgent.query(text, values) }) }
    : taking
  // parsing and planning takes as long as fetching a few jobs; each number of jobs is a statement of its own
  const takingOften: Db = {
    executeSql: (text, values) => fetching.query({ ...timed(text, values), ...prepared(text) }),
  }
  const within = (transaction?: Transaction): { db?: Db } =>
    transaction ? { db: { executeSql: (text, values) => transaction.client.query(timed(text, values)) } } : {}
  // parsing and planning takes longer than inserting a job
  const inserting = (transaction: Transaction, onSent = () => {}): { db: Db } => ({
    db: {
      executeSql: (text, values) => {
        const answer = transaction.client.query({ ...timed(text, values), ...prepared(text) })
        onSent()
        return answer
      },
    },
  })

  return {
    boss,
    /** Runs statements on the connections for fetching jobs. */
    taking,
    /** For what critical jobs need to begin. */
    urgent: urgent ?? database,

    /** Skips jobs whose id exists already. */
    async enqueue(queue: string, jobs: readonly NewJob[], transaction?: Transaction): Promise<void> {
      if (jobs.length === 0) return
      await translated(boss.insert(queue, jobs.map(insertOf), transaction ? inserting(transaction) : {}))
    },
    /** Sends the jobs with the transaction's commit. Resolves when the statement is on its way. */
    async enqueueUnawaited(queue: string, jobs: readonly NewJob[], transaction: Transaction): Promise<void> {
      const { promise: sent, resolve } = Promise.withResolvers<void>()
      const { db } = inserting(transaction, resolve)
      const inserted = translated(boss.insert(queue, jobs.map(insertOf), { db }))
      transaction.sent(inserted)
      await Promise.race([sent, inserted])
    },
    /** The highest priority first, then the oldest. */
    async dequeue(
      queue: string,
      { limit, minPriority, maxPriority, isUrgent = false, ignoreGroups = [] }: Demand,
    ): Promise<Job[]> {
      const jobs = await translated(
        boss.fetch<unknown>(queue, {
          batchSize: limit,
          db: isUrgent ? takingUrgent : limit % FETCH_STEP === 0 ? takingOften : taking,
          ...(minPriority !== undefined && { minPriority }),
          ...(maxPriority !== undefined && { maxPriority }),
          ...(ignoreGroups.length > 0 && { ignoreGroups: [...ignoreGroups] }),
        }),
      )
      return jobs.map(({ id, data, retryCount }) => ({ id, queue, data, claims: retryCount }))
    },
    /**
     * The jobs are done and leave nothing behind, because their messages tell what they did; half the work of `ack`. Lapsed claims
     * are ignored.
     */
    async ackAndForget(jobs: readonly Job[], transaction: Transaction): Promise<void> {
      for (const [queue, claims] of byQueue(jobs))
        await translated(boss.deleteJob(queue, claims, inserting(transaction)))
    },
    /** The jobs are done; lapsed claims are ignored. */
    async ack(jobs: readonly Job[], transaction?: Transaction): Promise<void> {
      for (const [queue, claims] of byQueue(jobs))
        await translated(boss.complete(queue, claims, null, within(transaction)))
    },
    /** Puts the jobs back as if they had not been fetched. */
    async nack(jobs: readonly Job[], reason: string): Promise<void> {
      for (const [queue, claims] of byQueue(jobs))
        await translated(boss.fail(queue, claims, { message: reason }))
    },
    /** The jobs are still in work: their claims are extended. */
    async touch(jobs: readonly Job[]): Promise<void> {
      for (const [queue, claims] of byQueue(jobs)) await translated(boss.touch(queue, claims))
    },
    /** Deletes the jobs, whatever their state. */
    async remove(queue: string, ids: readonly string[], transaction?: Transaction): Promise<void> {
      if (ids.length > 0) await translated(boss.deleteJob(queue, [...ids], within(transaction)))
    },

    /** Calls `listener` with the name of a queue that has new jobs, or undefined when any queue may. Returns unsubscribe. */
    onReady(listener: (queue: string | undefined) => void): () => void {
      ready.add(listener)
      return () => ready.delete(listener)
    },
    /** Calls `listener` with notices of any process; only where `works` is true. Returns unsubscribe. */
    onNotice(listener: (notice: string) => void): () => void {
      notices.add(listener)
      return () => notices.delete(listener)
    },
    /** Publishes a notice to all processes when the transaction commits. */
    async notice(transaction: Transaction, notice: string): Promise<void> {
      await transaction.query('select pg_notify($1, $2)', [noticeChannel, notice])
    },
    close,
  }
}

/** Schema of pg-boss's tables. Shortened so that the channels named after it fit Postgres' 63 bytes. */
export function bossSchema({ schema }: Pick<Database, 'schema'>): string {
  return `${schema.slice(0, 50)}_jobs`
}

/**
 * Connections for fetching jobs, with everything but index lookups switched off. The index has the jobs in order already; but while
 * the table's statistics are older than a backlog, the planner reads and sorts the whole backlog for each batch: 50 ms instead of 2
 * at 100,000 jobs, until autovacuum runs. The connections open on first use.
 */
function openFetchPool(database: Database, log: Logger): pg.Pool {
  // the database's own options, including its socket factory, which closes the sockets that are left open
  const pool = new pg.Pool({
    ...database.pool.options,
    max: FETCH_CONNECTIONS,
    onConnect: async (client) => void (await client.query(BY_INDEX)),
  })
  // the pool replaces a broken connection; without a listener the error would end the process
  pool.on('error', (error) =>
    log.debug({ reason: reasonOf(error) }, 'lost an idle connection for fetching jobs'),
  )
  pool.on('connect', survive)
  return pool
}

/** Partition and policy cannot be changed later, and createQueue does not touch a queue that exists. */
async function createQueues(boss: PgBoss): Promise<void> {
  const there = new Set((await boss.getQueues()).map(({ name }) => name))
  const shared = {
    retentionSeconds: RETENTION_SECONDS,
    deleteAfterSeconds: FINISHED_SECONDS,
    expireInSeconds: EXPIRE_SECONDS,
  }
  for (const queue of QUEUES) {
    const dead = deadOf(queue)
    // dead letters are read by id and never drained in order, so they need no table of their own
    if (!there.has(dead)) await boss.createQueue(dead, { ...shared, retryLimit: CLAIMS })
    if (!there.has(queue)) {
      await boss.createQueue(queue, {
        ...shared,
        retryLimit: CLAIMS,
        retryDelay: 0,
        retryBackoff: false,
        partition: true,
        heartbeatSeconds: HEARTBEAT_SECONDS,
        deadLetter: dead,
        notify: true,
      })
    }
  }
}

function insertOf({ id, data, group, priority, startAfter }: NewJob) {
  return {
    id,
    data,
    ...(priority !== undefined && { priority }),
    // as a delay: this process's clock may differ from that of Postgres by minutes
    ...(startAfter && { startAfter: `${Math.max(0, startAfter.getTime() - Date.now())} milliseconds` }),
    ...(group !== undefined && { group: { id: group } }),
  }
}

function timed(text: string, values?: unknown[]) {
  return { text, query_timeout: STATEMENT_MS, ...(values && { values }) }
}

/** As claims: pg-boss ignores those that have lapsed. */
function byQueue(jobs: readonly Job[]): Map<string, { id: string; retryCount: number }[]> {
  const queues = new Map<string, { id: string; retryCount: number }[]>()
  for (const { queue, id, claims } of jobs) {
    const list = queues.get(queue) ?? []
    list.push({ id, retryCount: claims })
    queues.set(queue, list)
  }
  return queues
}

async function translated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw translate(error, {})
  }
}
