import { join } from 'node:path'
import type { Journal } from '../calls/index.ts'
import type { Topics } from '../cluster/index.ts'
import type { Config } from '../config/index.ts'
import {
  createGatePublisher,
  createGateReplies,
  createGateSender,
  createGateTargets,
  GATES,
  listGateUrls,
  openDecisions,
} from '../gates/index.ts'
import {
  createApprovals,
  createEnqueueJobs,
  createTenantMessengers,
  findReceivedId,
  hasWritten,
} from '../inbound/index.ts'
import type { ErrorReports, Timings } from '../observe/index.ts'
import {
  type ChannelSender,
  createCallEventMessages,
  createFailurePost,
  createOutbound,
  createSenders,
  hasVoiceEncoder,
  reportDeaths,
} from '../outbound/index.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Owner } from '../platform/owner.ts'
import { type Database, openLane } from '../platform/postgres/index.ts'

/** For decisions, gate commands and their audit: a decision, what becomes of another one, and a look for a gate's answer. */
const GATE_CONNECTIONS = 3

interface MessagesOptions {
  config: Config
  log: Logger
  database: Database
  topics: Pick<Topics, 'subscribe'>
  journal: Journal
  timings: Timings
  reports: ErrorReports
  /** Directory of the recordings. */
  recordings: string
  /** Whether a worker runs in this process. */
  works: boolean
  /** Id of this process, and whether another one may still be alive. */
  instance: string
  mayLive: (instance: string) => boolean
}

export type Messages = Awaited<ReturnType<typeof openMessages>>

/**
 * The messaging parts of every role: queue, channels, inbound messages and call-event messages. Errors:
 * DATABASE_UNREACHABLE, CONFIG_INVALID.
 */
export async function openMessages(options: MessagesOptions, owner: Owner) {
  const { config, log, database, topics, journal, timings, reports, recordings, works, instance, mayLive } =
    options
  const { channels, locale, publicUrl } = config
  const ways = createSenders({
    database,
    channels,
    publicUrl,
    recordings,
    gateUrls: () => listGateUrls(database),
    receivedId: (id, tenantId) => findReceivedId(database, id, tenantId),
    windowOpen: ({ tenantId, to }) => hasWritten(database, { tenantId, phone: to }),
    onTrouble: (type, endpoint) => callEvents.endpointTrouble(type, endpoint),
    log,
  })
  owner.defer(() => ways.close())
  const { accounts, endpoints, free, media, http } = ways
  // a decision waits for no connection that other work holds
  const lane = openLane(database, { max: GATE_CONNECTIONS, log })
  owner.defer(() => lane.close())
  const targets = createGateTargets({ database: lane })
  const reload = () =>
    targets.load().catch((error) => log.warn({ reason: reasonOf(error) }, 'changed gates could not be read'))
  owner.defer(topics.subscribe(GATES, () => void reload()))
  const replies = createGateReplies({ database: lane, log })
  owner.defer(() => replies.close())
  const gateSender = createGateSender({
    database: lane,
    targets,
    http,
    publisher: config.amqp && createGatePublisher({ url: config.amqp.url, onReply: replies.hear, log }),
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
    locale,
    post: createFailurePost(http),
    fallback: { directory: join(config.dataDir, 'fallback'), senders: () => senders },
  })
  owner.defer(() => outbound.close())
  reportDeaths(outbound, reports)
  const callEvents = createCallEventMessages({
    journal,
    outbound,
    database,
    accounts,
    ownEndpoint: channels.webhook !== undefined,
    sweeps: works,
    locale,
    log,
  })
  owner.defer(() => callEvents.close())
  const decisions = await openDecisions({
    outbound,
    callEvents,
    database: lane,
    targets,
    sender: gateSender,
    replies,
    directory: join(config.dataDir, 'decisions'),
    instance,
    mayLive,
    log,
  })
  owner.defer(() => decisions.close())
  const approvals = createApprovals({
    database,
    enqueue: outbound.enqueue,
    async cancel(ids) {
      // a message that was sent in the meantime cannot be cancelled
      await Promise.all(ids.map((id) => outbound.cancel(id).catch(() => {})))
    },
    messengerOf: createTenantMessengers({ database, accounts, encodes: await hasVoiceEncoder() }),
    locale,
    callMaxMs: config.call.maxMs,
    log,
  })
  owner.defer(() => approvals.settled())

  const enqueueJobs = createEnqueueJobs(outbound.queue)
  return {
    outbound,
    accounts,
    endpoints,
    free,
    media,
    senders,
    targets,
    callEvents,
    decisions,
    approvals,
    enqueueJobs,
  }
}
