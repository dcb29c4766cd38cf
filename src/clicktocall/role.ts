import type { brokerMachine } from '../../machines/index.ts'
import { createLink, factsOf, type Link } from '../platform/amqp/index.ts'
import type { Logger } from '../platform/log.ts'
import type { AmqpSettings } from './amqp-dialer.ts'
import { type AriOptions, createAri } from './ari.ts'
import { createBroker } from './broker.ts'
import { createConsumer } from './consumer.ts'
import { createPublisher } from './publisher.ts'
import { createResults } from './results.ts'
import { createRinger } from './ringer.ts'

/** Attempts to reach an Asterisk that is away, with a pause between; after that the visitor has waited long enough. */
const ATTEMPTS = 5

interface DialerRoleOptions {
  amqp: AmqpSettings
  ari: AriOptions
  queue: string
  /** Of the messages it takes; empty: any. */
  license: string
  /** Where results are sent; undefined: nowhere. */
  resultQueue: string | undefined
  /** How long a telephone rings if its message does not say so. */
  ringMs: number
  /** Delay in ms before a message is requeued because Asterisk was away. */
  pauseMs?: number
  provide: (link: Link) => typeof brokerMachine
  log: Logger
}

/** Opens the role `dialer` and starts consuming. Errors: every BROKER_ code, after the last attempt to connect. */
export async function openDialerRole(options: DialerRoleOptions) {
  const { amqp, queue, license, resultQueue, ringMs, pauseMs, provide, log } = options
  const { url, connectMs, settings } = amqp
  const ari = createAri(options.ari)
  const sender =
    resultQueue === undefined
      ? undefined
      : createPublisher({
          facts: factsOf(url, resultQueue),
          queue: resultQueue,
          confirmMs: settings.blockedMs,
          patient: settings.onFailure === 'crash',
          log,
        })
  const results = sender && createResults({ publisher: sender, log })
  const ringer = createRinger({
    ari,
    ringMs,
    results,
    attempts: ATTEMPTS,
    log,
  })
  const consumer = createConsumer({
    facts: factsOf(url, queue),
    queue,
    ringer,
    license,
    log,
    ...(pauseMs !== undefined && { pauseMs }),
  })
  const link = createLink({
    url,
    queue,
    connectMs,
    async prepare(channel, model) {
      await sender?.prepare(channel, model)
      await consumer.prepare(channel, model)
    },
    log,
  })
  const broker = createBroker({ machine: provide(link), link, settings, log })
  sender?.follow(broker)
  const events = results && ari.watch({ onReport: results.report, log })
  const close = async () => {
    await consumer.close()
    await events?.close()
    if (broker.state() === 'open') await sender?.settled()
    await broker.close()
    sender?.close()
  }
  try {
    await broker.opened()
  } catch (error) {
    await close()
    throw error
  }
  return { broker, close }
}
