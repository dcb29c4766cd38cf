import { randomUUID } from 'node:crypto'
import type { Locale } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database, Transaction } from '../platform/postgres/index.ts'
import {
  deadOf,
  type JobHandler,
  MESSAGE_QUEUES,
  type MessageQueue,
  openQueue,
  type QueueName,
  typedJob,
} from '../queue/index.ts'
import { createAnnounce, createReceivedEvents, MESSAGE_DIED } from './announcements.ts'
import { createChanges, isUuid } from './changes.ts'
import { createClaims } from './claim.ts'
import { createDeathNotice, type Post } from './death-notice.ts'
import { createEnqueue } from './enqueue.ts'
import { createFallback } from './fallback.ts'
import type { ChannelSender, DeliveryFact, NewMessage } from './message.ts'
import { createPauses } from './pauses.ts'
import type { Rates } from './rate-limit.ts'
import { type AttemptRow, attemptsOf } from './sql/attempts.ts'
import {
  deleteOldMessages,
  findByProviderId,
  findMessage,
  listMessages,
  type MessageFilter,
  type MessageRow,
} from './sql/messages.ts'
import { readStatistics } from './statistics.ts'

export interface OutboundOptions {
  database: Database
  log: Logger
  /** Name of this process, for the attempts it makes itself. */
  node: string
  /** True wherever a worker runs: listens for notifications and maintains the queues. */
  works: boolean
  /** Default number of attempts after the first one. */
  retryLimit: number
  /** Default delay before the first retry, in ms. */
  retryDelayMs: number
  /** Messages a second of one account, by channel; a channel without a rate has no limit. */
  rates?: Rates | undefined
  /** Dead messages are announced to this URL; undefined: not at all. */
  statusFailedUrl?: string | undefined
  /** Of the sentence in these announcements; default pt-BR. */
  locale?: Locale
  /** Required with `statusFailedUrl` where a worker runs. */
  post?: Post | undefined
  /** For direct sends while Postgres is away; undefined: none. */
  fallback?: { directory: string; senders: () => readonly ChannelSender[] } | undefined
  now?: () => number
}

export interface NewJobRequest {
  queue: Exclude<QueueName, MessageQueue>
  /** Names the handler. */
  type: string
  /** With a `tenantId`, tenants share fairly. */
  data: Record<string, unknown>
  /** 0 to 10. */
  priority?: number
  /** A second job with the same id is ignored. */
  id?: string
  startAfter?: Date
  transaction?: Transaction
}

export interface MessagePage {
  messages: MessageRow[]
  /** Cursor of the next page; null: this was the last. */
  next: string | null
}

export type Outbound = Awaited<ReturnType<typeof createOutbound>>

/**
 * Messages that leave through the queue. Throws DATABASE_UNREACHABLE. Close it after the workers that use it, and before the
 * database.
 */
export async function createOutbound(options: OutboundOptions) {
  const { database, log, node, works, retryLimit, retryDelayMs, statusFailedUrl, post } = options
  const { locale = 'pt-BR' } = options
  const { now = Date.now } = options
  const queue = await openQueue({ database, log, works })
  const { boss } = queue
  const defaults = { maxRetries: retryLimit, retryDelayMs, secrets: database.secrets }
  const announce = createAnnounce({ queue, announcesDeaths: statusFailedUrl !== undefined, defaults })
  const changes = createChanges({ database, queue, announce })
  const pauses = createPauses({ database, queue })
  const fallback =
    options.fallback &&
    createFallback({ database, queue, rates: options.rates ?? {}, node, announce, log, ...options.fallback })
  const listeners = new Set<(fact: DeliveryFact) => void>()
  const handlers = new Map<string, JobHandler>()

  const publish = (fact: DeliveryFact) => {
    for (const listener of listeners) {
      try {
        listener(fact)
      } catch (error) {
        log.error({ reason: reasonOf(error) }, 'a delivery listener threw')
      }
    }
  }

  const enqueue = createEnqueue({
    database,
    queue,
    defaults,
    direct: fallback,
    publish,
    now,
  })

  handlers.set('send_message', async (data) => {
    const { expiresAt, ...message } = data as unknown as NewMessage & { expiresAt?: string }
    await enqueue({ ...message, ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt) }) })
  })
  if (statusFailedUrl !== undefined && post)
    handlers.set(MESSAGE_DIED, createDeathNotice({ database, url: statusFailedUrl, locale, post }))

  const close = async () => {
    await fallback?.close()
    await queue.close()
  }
  let closing: Promise<void> | undefined

  return {
    database,
    queue,
    boss,
    handlers: handlers as ReadonlyMap<string, JobHandler>,
    announce,
    /** Publishes a person's message to the endpoints that name `message.received`. */
    publishReceived: createReceivedEvents({ database, enqueue }),
    rates: options.rates ?? {},
    /** For jobs that are not messages. */
    retries: { limit: retryLimit, delayMs: retryDelayMs },

    enqueue,

    /** A message whose first attempt the caller makes itself. */
    claim: createClaims({ database, queue, defaults, node, announce, publish }),

    /** Enqueues a job for the handler of that type. Resolves with its id. */
    async enqueueJob(request: NewJobRequest): Promise<string> {
      const { queue: name, type, data, id = randomUUID(), priority, startAfter, transaction } = request
      await queue.enqueue(name, [typedJob(id, { type, data, priority }, startAfter)], transaction)
      return id
    },

    /** Sets the handler of a job type, for every worker of this process. */
    registerHandler(type: string, handler: JobHandler): void {
      handlers.set(type, handler)
    },

    /** Calls `listener` with each delivery change in this process. Returns unsubscribe. */
    subscribe(listener: (fact: DeliveryFact) => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    publish,

    /** Calls `listener` with the id of each cancelled message, of any process; only where `works` is true. */
    onCancelled: (listener: (messageId: string) => void) =>
      queue.onNotice((notice) => {
        const [what, messageId] = notice.split(' ')
        if (what === 'cancelled' && messageId) listener(messageId)
      }),

    /** A message with its attempts. Throws MESSAGE_UNKNOWN. */
    async get(id: string, tenantId?: string): Promise<MessageRow & { tries: AttemptRow[] }> {
      const message = isUuid(id) ? await findMessage(database, id) : undefined
      if (!message || (tenantId !== undefined && message.tenantId !== tenantId))
        throw fail('MESSAGE_UNKNOWN', { messageId: id })
      return { ...message, tries: await attemptsOf(database, id) }
    },

    /** Newest first. `after` is the `next` of the previous page; any other value throws MESSAGE_INVALID. */
    async list({
      after,
      limit = 50,
      ...filter
    }: MessageFilter & { after?: string | undefined; limit?: number }): Promise<MessagePage> {
      const before = after === undefined ? undefined : readCursor(after)
      const rows = await listMessages(database, { ...filter, before, limit: limit + 1 })
      const messages = rows.slice(0, limit)
      const last = messages.at(-1)
      return { messages, next: rows.length > limit && last ? writeCursor(last) : null }
    },

    /** Dead messages, newest first, paged as `list` is. */
    dead(filter: Omit<MessageFilter, 'status'> & { after?: string | undefined; limit?: number }) {
      return this.list({ ...filter, status: 'failed' })
    },

    ...changes,
    ...pauses,

    /** Moves the dead jobs of a queue back into it; not for message queues. Resolves with their number. */
    async redriveJobs(name: NewJobRequest['queue']): Promise<number> {
      let done = 0
      const createdBefore = new Date()
      for (;;) {
        const count = await boss.redrive(deadOf(name), { destination: name, createdBefore })
        done += count
        if (count === 0) return done
      }
    },

    findByProviderId: (providerId: string, tenantId?: string) =>
      findByProviderId(database, providerId, tenantId),

    /** Statistics of the queue, of one tenant or of all. */
    stats: (tenantId?: string) => readStatistics(database, tenantId),

    /** Inserts the messages that were sent past the queue; runs by itself every few seconds. */
    reconcile: async () => (await fallback?.reconcile()) ?? 0,

    /** Deletes messages that ended more than `days` ago; unsent messages stay. Resolves with their number. */
    async sweep(days: number): Promise<number> {
      let deleted = 0
      for (;;) {
        const gone = await deleteOldMessages(database, days)
        deleted += gone.length
        if (gone.length === 0) return deleted
        for (const name of MESSAGE_QUEUES) {
          const dead = gone.filter(({ queue: of, status }) => of === name && status === 'failed')
          await queue.remove(
            deadOf(name),
            dead.map(({ jobId }) => jobId),
          )
        }
      }
    },

    close: () => (closing ??= close()),
  }
}

function writeCursor({ createdAt, id }: MessageRow): string {
  return Buffer.from(`${createdAt.getTime()} ${id}`).toString('base64url')
}

function readCursor(cursor: string): { createdAt: Date; id: string } {
  const [ms, id] = Buffer.from(cursor, 'base64url').toString().split(' ')
  if (!/^\d{1,15}$/.test(ms ?? '') || !isUuid(id ?? '')) {
    const problem = 'after: it is not the end of a page'
    throw fail('MESSAGE_INVALID', { problem, problems: [problem] })
  }
  return { createdAt: new Date(Number(ms)), id: id! }
}
