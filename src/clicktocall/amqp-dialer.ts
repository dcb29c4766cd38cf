import type { BrokerSettings, brokerMachine, DialRequest } from '../../machines/index.ts'
import { createLink, factsOf, type Link } from '../platform/amqp/index.ts'
import { asPorteiroError, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { CancelReason } from './ari.ts'
import { type Broker, createBroker } from './broker.ts'
import { type Dialer, numbersOf, type RingRequest } from './dialer.ts'
import { composeHeaders, composeMessage, type MessageType } from './message.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { createReports, type Reports, type RingReport } from './reports.ts'
import { createResultConsumer } from './results.ts'
import { createStops } from './stops.ts'

interface AmqpDialerOptions {
  broker: Broker
  publisher: Publisher
  license: string
  /** host:port of the call's resident port as the PBX reaches it; read for each message. */
  audiosocket: (callId: string) => string
  /** Whether the PBX side knows messages of type `cancel`. */
  cancels: boolean
  /** Reports of the attempts that ring. */
  reports: Reports
  /** Whether the PBX side has sent a result since the start. */
  hasResults: () => boolean
  log: Logger
}

/**
 * `CLICKTOCALL=amqp`: sends a message to the queue for a PBX side (or our own role `dialer`). Resolves when the broker
 * has confirmed it. A failure of the broker may end the process: see AMQP_FAILURE.
 */
export function createAmqpDialer({
  broker,
  publisher,
  license,
  audiosocket,
  cancels,
  reports,
  hasResults,
  log,
}: AmqpDialerOptions): Dialer {
  const publish = (request: DialRequest, type: MessageType, headers: Record<string, unknown>) =>
    publisher.publish({
      messageId: request.attemptId,
      type,
      body: composeMessage(request, {
        type,
        license,
        audiosocket: audiosocket(request.callId),
        now: Date.now(),
      }),
      headers,
    })
  const stops = createStops({
    broker,
    publish: (request, why) => publish(request, 'cancel', { 'x-porteiro-cancel': why }),
    log,
  })

  return {
    contacts: numbersOf,
    async dial(request: RingRequest) {
      reports.expect(request)
      // cancels go first in the queue, so that two telephones never ring for one call
      stops.hasten(request.callId)
      try {
        await publish(request, 'clicktocall', composeHeaders(request))
      } catch (thrown) {
        reports.forget(request.attemptId)
        const error = asPorteiroError(thrown)
        broker.fault(error)
        // under `crash` further attempts fail too; the visitor should not wait for them
        throw broker.failure() ? fail('DIALER_FAILED', { reason: error.message }, error) : error
      }
      log.debug({ call_id: request.callId, message_id: request.attemptId }, 'click-to-call message confirmed')
    },
    cancel(request: DialRequest, why: CancelReason) {
      reports.forget(request.attemptId)
      if (cancels) stops.stop(request, why)
    },
    // a PBX side that sends results is one of today, which knows cancels
    stops: () => cancels && hasResults(),
    listen: reports.listen,
    report(report) {
      if (reports.has(report)) reports.report(report)
    },
    ringsTogether: () => cancels && hasResults(),
    async close() {
      // pending cancels are still sent; each message has its own time limit
      if (broker.state() === 'open') await publisher.settled()
      stops.close()
      await broker.close()
      publisher.close()
    },
  }
}

interface AmqpDialerSettings extends Pick<AmqpDialerOptions, 'license' | 'audiosocket' | 'cancels' | 'log'> {
  amqp: AmqpSettings
  queue: string
  /** Where the PBX side sends results; undefined: it sends none. */
  resultQueue: string | undefined
  /** A result of an attempt that does not ring here: its call may live on another node. */
  onForeign: (report: RingReport) => void
  provide: (link: Link) => typeof brokerMachine
}

/** Settings from src/config/config.ts; times in ms. */
export interface AmqpSettings {
  url: string
  connectMs: number
  settings: BrokerSettings
}

/** A dialer with an open connection. Errors: every BROKER_ code, after the last attempt. */
export async function openAmqpDialer(dialer: AmqpDialerSettings) {
  const { amqp, queue, resultQueue, provide, onForeign, ...options } = dialer
  const { url, connectMs, settings } = amqp
  const { license, log } = options
  const reports = createReports()
  let results: 'none' | 'come' = 'none'
  const consumer =
    resultQueue === undefined
      ? undefined
      : createResultConsumer({
          queue: resultQueue,
          license,
          onResult(report) {
            results = 'come'
            if (reports.has(report)) reports.report(report)
            else onForeign(report)
          },
          log,
        })
  const publisher = createPublisher({
    facts: factsOf(url, queue),
    queue,
    confirmMs: settings.blockedMs,
    patient: settings.onFailure === 'crash',
    log,
  })
  const link = createLink({
    url,
    queue,
    connectMs,
    async prepare(channel, model) {
      await publisher.prepare(channel, model)
      await consumer?.prepare(channel, model)
    },
    log,
  })
  const broker = createBroker({ machine: provide(link), link, settings, log })
  publisher.follow(broker)
  try {
    await broker.opened()
  } catch (error) {
    await broker.close()
    throw error
  }
  const hasResults = () => results === 'come'
  return { broker, dialer: createAmqpDialer({ broker, publisher, reports, hasResults, ...options }) }
}
