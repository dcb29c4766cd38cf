import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Journal } from '../calls/index.ts'
import type { Config } from '../config/index.ts'
import {
  createGateOpening,
  createGatePublisher,
  createGateReplies,
  createGateSender,
  createGateTargets,
} from '../gates/index.ts'
import { createApprovals, type EnqueueJobs, hasWritten } from '../inbound/index.ts'
import type { ErrorReports, Timings } from '../observe/index.ts'
import {
  type ChannelSender,
  carrierOf,
  createCallEventMessages,
  createFailurePost,
  createOutbound,
  createSenders,
  hasVoiceEncoder,
  type InstanceChannel,
  listInstances,
  MAIN_INSTANCE,
} from '../outbound/index.ts'
import { ERRORS, type ErrorCode, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { typedJob } from '../queue/index.ts'

interface MessagesOptions {
  config: Config
  log: Logger
  database: Database
  journal: Journal
  timings: Timings
  reports: ErrorReports
  /** Directory of the recordings. */
  recordings: string
  /** Whether a worker runs in this process. */
  works: boolean
}

export type Messages = Awaited<ReturnType<typeof openMessages>>

/**
 * The messaging parts of every role: queue, channels, inbound messages and call-event messages. Errors:
 * DATABASE_UNREACHABLE, CONFIG_INVALID.
 */
export async function openMessages(options: MessagesOptions, owner: AsyncDisposableStack) {
  const { config, log, database, journal, timings, reports, recordings, works } = options
  const { channels, locale, publicUrl } = config
  const ways = createSenders({
    database,
    channels,
    publicUrl,
    recordings,
    windowOpen: ({ tenantId, to }) => hasWritten(database, { tenantId, phone: to }),
    onTrouble: (type, endpoint) => callEvents.endpointTrouble(type, endpoint),
    log,
  })
  owner.defer(() => ways.close())
  const { accounts, http } = ways
  const targets = createGateTargets({ database })
  const gateSender = createGateSender({
    database,
    targets,
    http,
    publisher:
      config.amqp &&
      createGatePublisher({ url: config.amqp.url, onReply: createGateReplies({ database, log }), log }),
    log,
  })
  owner.defer(() => gateSender.close())
  const senders = timings.measured([...ways.senders, gateSender]) as readonly ChannelSender[]

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
    reports.report(fail(code, { reason: error?.message, ...error?.details, attempts }), {
      message_id: messageId,
      tenant,
      call_id: callId ?? undefined,
    })
  })
  const callEvents = createCallEventMessages({
    journal,
    outbound,
    database,
    accounts,
    ownEndpoint: channels.webhook !== undefined,
    locale,
    log,
  })
  owner.defer(() => callEvents.close())
  const gateOpening = createGateOpening({ journal, outbound, database, targets, log })
  owner.defer(() => gateOpening.close())
  const encodes = await hasVoiceEncoder()
  const approvals = createApprovals({
    database,
    enqueue: outbound.enqueue,
    async cancel(ids) {
      // a message that was sent in the meantime cannot be cancelled
      await Promise.all(ids.map((id) => outbound.cancel(id).catch(() => {})))
    },
    messengerOf: messengerOfTenant,
    locale,
    callMaxMs: config.call.maxMs,
    log,
  })
  owner.defer(() => approvals.settled())

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
  return { outbound, accounts, senders, targets, callEvents, gateOpening, approvals, enqueueJobs }

  /** The tenant's account for messages to people: the main one of either carrier, else any enabled one. */
  async function messengerOfTenant(tenantId: string) {
    for (const carrier of ['whatsapp', 'twilio'] as const) {
      const main = await accounts.find(tenantId, carrier, MAIN_INSTANCE)
      if (main) return account(main.channel, MAIN_INSTANCE)
    }
    const own = (await listInstances(database, tenantId)).find(({ enabled }) => enabled)
    return own && account(own.channel, own.id)
  }

  /** UnoAPI takes no uploads, Twilio would have to fetch recordings from us, and WhatsApp needs ffmpeg's encoding. */
  function account(channel: InstanceChannel, instanceId: string) {
    return { channel: carrierOf(channel), instanceId, plays: channel === 'whatsapp' && encodes }
  }
}
