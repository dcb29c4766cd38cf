import { randomUUID } from 'node:crypto'
import { createCache } from '../platform/cache.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import { removeFile } from '../platform/line-file.ts'
import type { Logger } from '../platform/log.ts'
import { type Database, isDatabaseAway } from '../platform/postgres/index.ts'
import type { Queue } from '../queue/index.ts'
import { type Announce, isAnnounced } from './announcements.ts'
import { type Enqueued, jobOf, writeMessages } from './enqueue.ts'
import { attempt } from './executor.ts'
import { createFallbackJournal, type Entry, readJournal } from './fallback-journal.ts'
import { type ChannelSender, type Message, type MessageStatus, PRIORITY } from './message.ts'
import { failureOf, isIdempotent, lastErrorOf } from './outcome.ts'
import { createLocalLimits, type Rates } from './rate-limit.ts'
import { type OutcomeRow, writeOutcomes } from './sql/attempts.ts'
import type { FreshMessage } from './sql/messages.ts'
import { listPauses, type PauseRow } from './sql/pauses.ts'

/** ms between two runs of `reconcile`. */
const RECONCILE_MS = 5000
/** ms for a direct attempt: a caller waits for it. */
const DIRECT_ATTEMPT_MS = 10_000
/** ms for which the idempotency keys of direct sends are known here, and most of them. */
const KEY_MS = 60 * 60_000
const MAX_KEYS = 100_000

interface FallbackOptions {
  database: Database
  queue: Queue
  /** DATA_DIR/fallback */
  directory: string
  senders: () => readonly ChannelSender[]
  rates: Rates
  node: string
  announce: Announce
  log: Logger
}

/**
 * Sends past the queue while Postgres is away. Each message is on the disk before it leaves. When Postgres is back it
 * becomes an ordinary message: sent, or enqueued for its next attempt. Each process counts the rate of an account by itself; what is above
 * it, or paused as far as this process knows, waits on the disk for the queue.
 */
export function createFallback(options: FallbackOptions) {
  const { database, queue, directory, senders, rates, node, announce, log } = options
  const journal = createFallbackJournal(directory)
  const limits = createLocalLimits(rates)
  const byKey = createCache<Promise<Enqueued>>(MAX_KEYS)
  let pauses: readonly PauseRow[] | undefined

  const readPauses = async () => {
    pauses = await listPauses(database)
  }
  const firstPauses = readPauses().catch(() => {})
  /** Before the first look at the pauses, everything might be paused. */
  const isHeld = async ({ tenantId, instanceId, channel, priority }: FreshMessage) =>
    (priority < PRIORITY.critical &&
      (!pauses || pauses.some((pause) => pause.tenantId === null || pause.tenantId === tenantId))) ||
    !(await limits.take({ tenantId, instanceId, channel }))

  /**
   * Sends the message; a second one with the key of one that this process has sent is not sent. Of a `stored` one the result is written at
   * once, if Postgres lets it.
   */
  const sendDirectly = async (fresh: FreshMessage, { stored = false } = {}): Promise<Enqueued> => {
    if (fresh.idempotencyKey === null || stored) return send(fresh, stored)
    const key = JSON.stringify([fresh.tenantId, fresh.idempotencyKey])
    const known = byKey.get(key)
    if (known) return { ...(await known), duplicate: true }
    const sending = send(fresh, false)
    byKey.set(key, sending, KEY_MS)
    sending.catch(() => byKey.delete(key))
    return sending
  }

  const send = async (fresh: FreshMessage, stored: boolean): Promise<Enqueued> => {
    const sender = senders().find(({ channel }) => channel === fresh.channel)
    if (!sender) throw fail('CHANNEL_UNAVAILABLE', { channel: fresh.channel })
    const message: Message = { ...fresh, status: 'processing', attempts: 1, providerId: null }
    await firstPauses
    const held = await isHeld(fresh)
    const entry = await journal.during(fresh, async () => {
      if (held) return { kind: 'held', id: fresh.id, at: new Date().toISOString() }
      const controller = new AbortController()
      const now = Date.now()
      const result = await attempt({
        sender,
        message,
        number: 1,
        controller,
        now,
        timeoutMs: DIRECT_ATTEMPT_MS,
      })
      const common = { id: fresh.id, at: new Date().toISOString() }
      if (result.ok) return { kind: 'sent', ...common, ...result.accepted }
      const { code, message: reason, details, status, ...failure } = failureOf(result.error, message)
      const final = failure.final || message.maxRetries === 0
      return { kind: 'refused', ...common, code, reason, details, status, final }
    })
    // with the database there, somebody asked for it
    log[stored ? 'debug' : 'warn'](
      { message_id: fresh.id, tenant: fresh.tenantId, channel: fresh.channel, result: entry.kind },
      'a message was sent past the queue',
    )
    // the journal has it, if this fails
    if (stored) await record([{ kind: 'message', message: fresh }, entry]).catch(() => {})
    const status = statusOf(entry)
    // a refused attempt may have arrived, and its receiver recognises the copy that the queue sends
    const duplicatePossible = status === 'retrying' && isIdempotent(fresh.channel)
    return { id: fresh.id, status, duplicate: false, direct: { duplicatePossible } }
  }

  /** Writes messages with their results; again does nothing. Resolves with the number of messages. */
  const record = async (entries: readonly Entry[]): Promise<number> => {
    const messages = entries.flatMap((entry) => (entry.kind === 'message' ? [entry.message] : []))
    if (messages.length > 0) {
      await database.transaction(async (transaction) => {
        // an insert that succeeded without a confirmation is there already
        const results = await writeMessages(queue, transaction, messages)
        // a message whose key existed before is a duplicate; its attempt is not recorded
        const own = messages.filter((message, at) => results[at]!.id === message.id)
        const outcomes = [...entries, ...uncertainties(entries)].flatMap((entry) => rowsOf(entry, own))
        const written = await writeOutcomes(transaction, node, outcomes)
        const over = outcomes.filter(({ status }) => status === 'sent' || status === 'failed')
        const dead = outcomes.filter(({ id, status }) => status === 'failed' && written.has(id))
        for (const name of new Set(messages.map((message) => message.queue)))
          await queue.remove(
            name,
            over.map(({ id }) => id),
            transaction,
          )
        // a message that was stored before it was sent has a job that waits for this
        for (const { id, startAfter } of [
          ...heldAmong(entries),
          ...retriesOf(
            outcomes.filter(({ id }) => written.has(id)),
            own,
          ),
        ]) {
          const message = own.find((one) => one.id === id)
          if (!message) continue
          await queue.remove(message.queue, [id], transaction)
          await queue.enqueue(message.queue, [jobOf(message, id, startAfter)], transaction)
        }
        const messageOf = (id: string) => messages.find((message) => message.id === id)!
        for (const [name, some] of Map.groupBy(dead, ({ id }) => messageOf(id).queue))
          await queue.enqueue(
            `${name}.dead`,
            some.map(({ id, nextJobId, error }) => ({ id: nextJobId!, data: { message: id, error } })),
            transaction,
          )
        const changes = outcomes.flatMap(({ id, status, at, error, providerId }) =>
          written.has(id) && isAnnounced(status)
            ? [
                {
                  message: { ...messageOf(id), attempts: 1, providerId: providerId ?? null },
                  status,
                  at,
                  error,
                },
              ]
            : [],
        )
        await announce(transaction, changes)
      })
    }
    return messages.length
  }

  const reconcileFile = async (file: string): Promise<number> => {
    const count = await record(await readJournal(file))
    await removeFile(file)
    return count
  }

  let running: Promise<number> | undefined
  const reconcile = (): Promise<number> => {
    running ??= (async () => {
      let count = 0
      for (const file of await journal.closed()) count += await reconcileFile(file)
      if (count > 0) log.info({ messages: count }, 'messages sent past the queue were reconciled')
      return count
    })().finally(() => {
      running = undefined
    })
    return running
  }
  const timer = setInterval(() => {
    readPauses().catch(() => {})
    reconcile().catch((error) => {
      if (!isDatabaseAway(error))
        log.warn({ reason: reasonOf(error) }, 'cannot reconcile the messages sent past the queue')
    })
  }, RECONCILE_MS)

  return {
    sendDirectly,
    /** Inserts the messages that were sent past the queue. Resolves with their number. */
    reconcile,
    async close() {
      clearInterval(timer)
      await running?.catch(() => {})
      await journal.close()
    },
  }
}

/** The process ended during these attempts, and the receiver would show a second copy. */
function uncertainties(entries: readonly Entry[]): Entry[] {
  const known = new Set(entries.flatMap((entry) => (entry.kind === 'message' ? [] : [entry.id])))
  return entries.flatMap((entry) => {
    if (entry.kind !== 'message' || known.has(entry.message.id)) return []
    const { id, channel } = entry.message
    if (isIdempotent(channel)) return []
    const { code, message: reason } = fail('MESSAGE_UNCERTAIN', { channel })
    return [{ kind: 'refused', id, at: new Date().toISOString(), code, reason, final: true } as const]
  })
}

interface Waiting {
  id: string
  startAfter: Date | undefined
}

const heldAmong = (entries: readonly Entry[]): Waiting[] =>
  entries.flatMap((entry) => (entry.kind === 'held' ? [{ id: entry.id, startAfter: undefined }] : []))

const retriesOf = (outcomes: readonly OutcomeRow[], messages: readonly FreshMessage[]): Waiting[] =>
  outcomes.flatMap(({ id, at, status }) => {
    const { retryDelayMs = 0 } = messages.find((message) => message.id === id) ?? {}
    return status === 'retrying' ? [{ id, startAfter: new Date(at.getTime() + retryDelayMs) }] : []
  })

function statusOf(entry: Entry): MessageStatus {
  if (entry.kind === 'refused') return entry.final ? 'failed' : 'retrying'
  return entry.kind === 'sent' ? 'sent' : 'pending'
}

function rowsOf(entry: Entry, messages: readonly FreshMessage[]): OutcomeRow[] {
  if (entry.kind === 'message' || entry.kind === 'held') return []
  const message = messages.find(({ id }) => id === entry.id)
  if (!message) return []
  const common = {
    id: entry.id,
    jobId: entry.id,
    at: new Date(entry.at),
    number: 1,
    startedAt: new Date(entry.at),
  }
  if (entry.kind === 'sent') {
    const { providerId, status: httpStatus } = entry
    return [{ ...common, httpStatus, status: 'sent', outcome: 'sent', providerId }]
  }
  const { code, reason, details, status, final } = entry
  const error = lastErrorOf({ code, message: reason, details, status })
  const refused = { ...common, httpStatus: status, error }
  // a retry uses the job that was enqueued just now
  return final
    ? [{ ...refused, status: 'failed', outcome: 'failed', nextJobId: randomUUID() }]
    : [{ ...refused, status: 'retrying', outcome: 'retrying' }]
}
