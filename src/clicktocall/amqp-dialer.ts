import type { BrokerSettings, brokerMachine, DialRequest } from '../../machines/index.ts'
import { createLink, factsOf, type Link } from '../platform/amqp/index.ts'
import { asPorteiroError, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type Broker, createBroker } from './broker.ts'
import { type Dialer, numbersOf } from './dialer.ts'
import { composeMessage, type MessageType } from './message.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { createStops } from './stops.ts'

interface AmqpDialerOptions {
  broker: Broker
  publisher: Publisher
  license: string
  /** host:port of the resident port as the PBX reaches it; read for each message. */
  audiosocket: () => string
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
  log,
}: AmqpDialerOptions): Dialer {
  const publish = (request: DialRequest, type: MessageType) =>
    publisher.publish({
      messageId: request.attemptId,
      type,
      body: composeMessage(request, { type, license, audiosocket: audiosocket(), now: Date.now() }),
    })
  const stops = createStops({ broker, publish: (request) => publish(request, 'cancel'), log })

  return {
    contacts: numbersOf,
    async dial(request) {
      // cancels go first in the queue, so that two telephones never ring for one call
      stops.hasten(request.callId)
      try {
        await publish(request, 'clicktocall')
      } catch (thrown) {
        const error = asPorteiroError(thrown)
        broker.fault(error)
        // under `crash` further attempts fail too; the visitor should not wait for them
        throw broker.failure() ? fail('DIALER_FAILED', { reason: error.message }, error) : error
      }
      log.debug({ call_id: request.callId, message_id: request.attemptId }, 'click-to-call message confirmed')
    },
    cancel: (request) => stops.stop(request),
    stops: () => false,
    async close() {
      // pending cancels are still sent; each message has its own time limit
      if (broker.state() === 'open') await publisher.settled()
      stops.close()
      await broker.close()
      publisher.close()
    },
  }
}

interface AmqpDialerSettings extends Omit<AmqpDialerOptions, 'broker' | 'publisher'> {
  amqp: AmqpSettings
  queue: string
  provide: (link: Link) => typeof brokerMachine
}

/** Settings from src/config/config.ts; times in ms. */
export interface AmqpSettings {
  url: string
  connectMs: number
  settings: BrokerSettings
}

/** A dialer with an open connection. Errors: every BROKER_ code, after the last attempt. */
export async function openAmqpDialer({ amqp, queue, provide, ...options }: AmqpDialerSettings) {
  const { url, connectMs, settings } = amqp
  const { log } = options
  const publisher = createPublisher({
    facts: factsOf(url, queue),
    queue,
    confirmMs: settings.blockedMs,
    patient: settings.onFailure === 'crash',
    log,
  })
  const link = createLink({ url, queue, connectMs, prepare: publisher.prepare, log })
  const broker = createBroker({ machine: provide(link), link, settings, log })
  publisher.follow(broker)
  try {
    await broker.opened()
  } catch (error) {
    await broker.close()
    throw error
  }
  return { broker, dialer: createAmqpDialer({ broker, publisher, ...options }) }
}
