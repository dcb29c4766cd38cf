import { type Db, PgBoss } from 'pg-boss'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type Database, openListener, type Transaction, translate } from '../platform/postgres/index.ts'
import { createClaims } from './claims.ts'
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

interface BossOptions {
  database: Database
  log: Logger
  /**
   * True for workers: listens for notifications and maintains the queues (takes jobs from dead workers, deletes finished
   * ones). A process that only enqueues does not need this.
   */
  works: boolean
}

export interface Boss {
  readonly boss: PgBoss
  /** Runs statements on the connections for fetching jobs. */
  readonly taking: Db
  /** Runs statements within a transaction of ours. */
  within(transaction: Transaction): Db
  /** Calls `listener` with the name of a queue that has new jobs, or undefined when any queue may. Returns unsubscribe. */
  onReady(listener: (queue: string | undefined) => void): () => void
  /** Calls `listener` with notices of any process; only where `works` is true. Returns unsubscribe. */
  onNotice(listener: (notice: string) => void): () => void
  /** Publishes a notice to all processes when the transaction commits. */
  notice(transaction: Transaction, notice: string): Promise<void>
  close(): Promise<void>
}

/**
 * pg-boss on our own pool, in a schema beside the database's, with every queue created. Our pollers fetch the jobs, so
 * pg-boss has no worker; its notifications wake the pollers.
 */
export async function openBoss({ database, log, works }: BossOptions): Promise<Boss> {
  const ready = new Set<(queue: string | undefined) => void>()
  const notices = new Set<(notice: string) => void>()
  const claims = createClaims({ database, log })
  const noticeChannel = `${bossSchema(database)}_notices`
  const notifyReady = (queue: string | undefined) => {
    for (const listener of ready) listener(queue)
  }
  const boss = new PgBoss({
    schema: bossSchema(database),
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
    await claims.close()
  }
  try {
    await boss.start()
    await createQueues(boss)
  } catch (error) {
    await close().catch(() => {})
    throw translate(error, {})
  }
  return {
    boss,
    taking: { executeSql: (text, values) => claims.query(timed(text, values)) },
    within: (transaction) => ({
      executeSql: (text, values) => transaction.client.query(timed(text, values)),
    }),
    onReady(listener) {
      ready.add(listener)
      return () => ready.delete(listener)
    },
    onNotice(listener) {
      notices.add(listener)
      return () => notices.delete(listener)
    },
    async notice(transaction, notice) {
      await transaction.query('select pg_notify($1, $2)', [noticeChannel, notice])
    },
    close,
  }
}

/** Schema of pg-boss's tables. Shortened so that the channels named after it fit Postgres' 63 bytes. */
export function bossSchema({ schema }: Pick<Database, 'schema'>): string {
  return `${schema.slice(0, 50)}_jobs`
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

function timed(text: string, values?: unknown[]) {
  return { text, query_timeout: STATEMENT_MS, ...(values && { values }) }
}
