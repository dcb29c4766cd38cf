import type { brokerMachine } from '../../machines/index.ts'
import { createLink, factsOf, type Link } from '../platform/amqp/index.ts'
import type { Logger } from '../platform/log.ts'
import type { AmqpSettings } from './amqp-dialer.ts'
import { type AriOptions, createAri } from './ari.ts'
import { createBroker } from './broker.ts'
import { createConsumer } from './consumer.ts'
import { staleAfter } from './message.ts'
import { createRinger } from './ringer.ts'

/** Attempts to reach an Asterisk that is away, with a pause between; after that the visitor has waited long enough. */
const ATTEMPTS = 5

interface DialerRoleOptions {
  amqp: AmqpSettings
  ari: AriOptions
  queue: string
  /** How long a telephone rings. */
  ringMs: number
  /** Delay in ms before a message is requeued because Asterisk was away. */
  pauseMs?: number
  provide: (link: Link) => typeof brokerMachine
  log: Logger
}

/** Opens the role `dialer` and starts consuming. Errors: every BROKER_ code, after the last attempt to connect. */
export async function openDialerRole({ amqp, ari, queue, ringMs, pauseMs, provide, log }: DialerRoleOptions) {
  const { url, connectMs, settings } = amqp
  const ringer = createRinger({
    ari: createAri(ari),
    ringMs,
    staleMs: staleAfter(ringMs),
    attempts: ATTEMPTS,
    log,
  })
  const consumer = createConsumer({
    facts: factsOf(url, queue),
    queue,
    ringer,
    log,
    ...(pauseMs !== undefined && { pauseMs }),
  })
  const link = createLink({ url, queue, connectMs, prepare: consumer.prepare, log })
  const broker = createBroker({ machine: provide(link), link, settings, log })
  const close = async () => {
    await consumer.close()
    await broker.close()
  }
  try {
    await broker.opened()
  } catch (error) {
    await close()
    throw error
  }
  return { broker, close }
}
