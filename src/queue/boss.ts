import { type Db, PgBoss } from 'pg-boss'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type Database, openListener, type Transaction, translate } from '../platform/postgres/index.ts'
import { createClaims } from './claims.ts'
import { deadOf, QUEUES } from './queues.ts'

/** s: ten years. pg-boss deletes what waits longer without a word, and nothing that is owed may go. */
const RETENTION_SECONDS = 10 * 365 * 86_400
/** s that a finished job is kept: what people ask about is in `messages`. */
const FINISHED_SECONDS = 3600
/** s without a sign of life after which a job is somebody else's; pg-boss takes no less than 10. */
const HEARTBEAT_SECONDS = 15
/** s that a job may be held at most; the heartbeat is what counts. */
const EXPIRE_SECONDS = 12 * 3600
/** Tries are counted by us: pg-boss's are claims, and one that was lost or given back must never use up a message or a job. */
const CLAIMS = 1_000_000
/** ms for one statement; a server that hangs says nothing. */
const STATEMENT_MS = 15_000
/** ms for pg-boss to stop. */
const STOP_MS = 5000

interface BossOptions {
  database: Database
  log: Logger
  /**
   * For workers: listens, and looks after the queues (takes jobs from dead workers, deletes finished ones). Who only
   * enqueues need not.
   */
  works: boolean
}

export interface Boss {
  readonly boss: PgBoss
  /** Runs its statements where jobs are taken. */
  readonly taking: Db
  /** Runs its statements within a transaction of ours. */
  within(transaction: Transaction): Db
  /** Hears the name of a queue that has something new, or undefined when any may. Returns its end. */
  onReady(listener: (queue: string | undefined) => void): () => void
  /** Hears what was noticed, by any process, for those who work. Returns its end. */
  onNotice(listener: (notice: string) => void): () => void
  /** Tells all processes, once the transaction commits. */
  notice(transaction: Transaction, notice: string): Promise<void>
  close(): Promise<void>
}

/**
 * pg-boss on our own pool, in a schema beside the database's, with every queue there. We take jobs ourselves
 * (src/queue/poller.ts), so pg-boss has no worker; its notifications wake ours.
 */
export async function openBoss({ database, log, works }: BossOptions): Promise<Boss> {
  const ready = new Set<(queue: string | undefined) => void>()
  const notices = new Set<(notice: string) => void>()
  const claims = createClaims({ database, log })
  const noticeChannel = `${bossSchema(database)}_notices`
  const tell = (queue: string | undefined) => {
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
              tell(payload)
            }
          },
          onConnected: () => {
            onReconnect()
            tell(undefined)
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
  // unheard, one would end the process; all of them are tried again
  boss.on('error', (error) => log.warn({ reason: reasonOf(error) }, 'the queue had an error'))
  boss.on('warning', ({ message }) => log.debug({ warning: message }, 'the queue warns'))
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

/** pg-boss's tables of a database. Cut so that channels named after it stay within the 63 bytes of a name. */
export function bossSchema({ schema }: Pick<Database, 'schema'>): string {
  return `${schema.slice(0, 50)}_jobs`
}

/** Neither partition nor policy can be changed later, and createQueue leaves a queue that is there alone. */
async function createQueues(boss: PgBoss): Promise<void> {
  const there = new Set((await boss.getQueues()).map(({ name }) => name))
  const shared = {
    retentionSeconds: RETENTION_SECONDS,
    deleteAfterSeconds: FINISHED_SECONDS,
    expireInSeconds: EXPIRE_SECONDS,
  }
  for (const queue of QUEUES) {
    const dead = deadOf(queue)
    // dead letters are looked up by id and never drained in order: they can do without a table of their own
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
