import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Journal } from '../calls/journal.ts'
import type { Config } from '../config/config.ts'
import { createAsking } from '../inbound/approvals.ts'
import type { EnqueueJobs } from '../inbound/jobs.ts'
import { hasWritten } from '../inbound/sql/customer-window.ts'
import type { ErrorReports } from '../observe/error-reports.ts'
import type { Timings } from '../observe/timings.ts'
import { createNotices } from '../outbound/call-event-messages.ts'
import { createFailurePost } from '../outbound/failure-post.ts'
import { createOutbound } from '../outbound/outbound.ts'
import { createSenders } from '../outbound/senders.ts'
import { carrierOf, type InstanceChannel, listInstances, MAIN_INSTANCE } from '../outbound/sql/instances.ts'
import { hasVoiceEncoder } from '../outbound/voice.ts'
import { ERRORS, type ErrorCode, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/database.ts'
import { typedJob } from '../queue/handlers.ts'

export interface MessagesOptions {
  config: Config
  log: Logger
  database: Database
  journal: Journal
  timings: Timings
  reports: ErrorReports
  /** Folder of the recordings. */
  recordings: string
  /** A worker runs in this process. */
  works: boolean
}

export type Messages = Awaited<ReturnType<typeof openMessages>>

/**
 * What every role has of what leaves and comes in: the queue, the ways out, and what follows from calls. Errors:
 * DATABASE_UNREACHABLE, CONFIG_INVALID.
 */
export async function openMessages(options: MessagesOptions, owner: AsyncDisposableStack) {
  const { config, log, database, journal, timings, reports, recordings, works } = options
  const { channels, locale, publicUrl } = config
  const ways = createSenders({
    database,
    channels,
    publicUrl,
    amqpUrl: config.amqp?.url,
    recordings,
    windowOpen: ({ tenantId, to }) => hasWritten(database, { tenantId, phone: to }),
    onTrouble: (type, endpoint) => notices.endpointTrouble(type, endpoint),
    log,
  })
  owner.defer(() => ways.close())
  const { accounts, book, http } = ways
  const senders = timings.measured(ways.senders) as typeof ways.senders

  const outbound = await createOutbound({
    database,
    log,
    node: config.nodeId,
    works,
    ...config.messages,
    statusFailedUrl: channels.statusFailedUrl,
    post: createFailurePost(http),
    fallback: { directory: join(config.dataDir, 'fallback'), senders: () => senders },
  })
  owner.defer(() => outbound.close())
  outbound.subscribe(({ messageId, tenantId: tenant, callId, status, attempts, error }) => {
    if (status !== 'failed') return
    const code = error && error.code in ERRORS ? (error.code as ErrorCode) : 'MESSAGE_BOUNCED'
    reports.report(fail(code, { attempts, reason: error?.message }), {
      message_id: messageId,
      tenant,
      call_id: callId ?? undefined,
    })
  })
  const notices = createNotices({
    journal,
    outbound,
    database,
    book,
    accounts,
    ownEndpoint: channels.webhook !== undefined,
    locale,
    log,
  })
  owner.defer(() => notices.close())
  const encodes = await hasVoiceEncoder()
  const asking = createAsking({
    database,
    enqueue: outbound.enqueue,
    async cancel(ids) {
      // one that has left meanwhile cannot be taken back
      await Promise.all(ids.map((id) => outbound.cancel(id).catch(() => {})))
    },
    carrierOf: carrierOfTenant,
    locale,
    callMaxMs: config.call.maxMs,
    log,
  })
  owner.defer(() => asking.settled())

  const enqueueJobs: EnqueueJobs = async (transaction, jobs) => {
    // all in one statement: a burst of posts is one transaction
    const rows = jobs.map(({ type, data, startAfterMs }) =>
      typedJob(
        randomUUID(),
        { type, data },
        startAfterMs === undefined ? undefined : new Date(Date.now() + startAfterMs),
      ),
    )
    await outbound.queue.enqueue('incoming', rows, transaction)
  }
  return { outbound, accounts, senders, notices, asking, enqueueJobs }

  /** The account by which a tenant writes to people: the main one of either carrier, else any that is enabled. */
  async function carrierOfTenant(tenantId: string) {
    for (const carrier of ['whatsapp', 'twilio'] as const) {
      const main = await accounts.find(tenantId, carrier, MAIN_INSTANCE)
      if (main) return account(main.channel, MAIN_INSTANCE)
    }
    const own = (await listInstances(database, tenantId)).find(({ enabled }) => enabled)
    return own && account(own.channel, own.id)
  }

  /** UnoAPI takes no uploads, Twilio would have to fetch a recording from us, and WhatsApp plays only what ffmpeg has encoded. */
  function account(channel: InstanceChannel, instanceId: string) {
    return { channel: carrierOf(channel), instanceId, plays: channel === 'whatsapp' && encodes }
  }
}
