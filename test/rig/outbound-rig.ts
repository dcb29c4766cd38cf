import type {
  Accepted,
  Attempt,
  ChannelSender,
  DeliveryFact,
  Message,
  NewMessage,
} from '../../src/outbound/message.ts'
import { createOutbound, type Outbound, type OutboundOptions } from '../../src/outbound/outbound.ts'
import { createWorker, type Worker, type WorkerOptions } from '../../src/outbound/worker.ts'
import { DeliveryError, type DeliveryFacts } from '../../src/platform/http-client/delivery-error.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/database.ts'
import { openTestDatabase } from './database.ts'
import type { Rig } from './rig.ts'

/** What a scripted channel does with a message. */
export type Script = (message: Message, attempt: Attempt) => Promise<Accepted> | Accepted

/** A way out that does what its script says, and remembers what it was given. */
export function scriptedChannel(channel: ChannelSender['channel'], script: Script = () => ({})) {
  const sent: { message: Message; number: number }[] = []
  return {
    channel,
    sent,
    script,
    async send(message: Message, attempt: Attempt): Promise<Accepted> {
      sent.push({ message, number: attempt.number })
      return this.script(message, attempt)
    },
    async close() {},
  }
}

/** Hangs until it is told to stop, as an endpoint that never answers. */
export const hang: Script = (_, { signal }) =>
  new Promise((_, reject) => {
    const stop = () =>
      reject(new DeliveryError({ code: 'MESSAGE_TIMEOUT', message: 'it never answered', uncertain: true }))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })

export const refuse = (facts: Partial<DeliveryFacts> = {}): Script => {
  return () => {
    throw new DeliveryError({ code: 'ENDPOINT_REFUSED', message: 'it answered 503', status: 503, ...facts })
  }
}

export const hello = (message: Partial<NewMessage> = {}): NewMessage => ({
  tenantId: 'default',
  channel: 'webhook',
  to: 'endpoint-1',
  body: { event: 'call.ended' },
  ...message,
})

export async function openOutbound(
  rig: Rig,
  { database, ...options }: Partial<OutboundOptions> = {},
): Promise<Outbound> {
  const outbound = await createOutbound({
    database: database ?? (await openTestDatabase(rig)),
    log: silentLog(),
    node: 'test',
    works: true,
    retryLimit: 5,
    retryDelayMs: 10_000,
    ...options,
  })
  rig.defer(outbound.close)
  return outbound
}

export function startWorker(
  rig: Rig,
  outbound: Outbound,
  channels: readonly ChannelSender[],
  options: Partial<WorkerOptions> = {},
): Worker {
  const worker = createWorker({
    outbound,
    channels,
    node: 'test',
    log: silentLog(),
    drainMs: 0,
    // so that what hangs is under way until the test ends, however long that takes
    attemptMs: 600_000,
    heartbeatMs: 200,
    ...options,
  })
  rig.defer(worker.close)
  return worker
}

/** Resolves with the first fact that `wanted` accepts, from now on or from before it was asked for. */
export function watch(outbound: Outbound) {
  const facts: DeliveryFact[] = []
  const waiting = new Set<() => void>()
  outbound.subscribe((fact) => {
    facts.push(fact)
    for (const look of waiting) look()
  })
  return {
    facts,
    statuses: (id: string) => facts.filter(({ messageId }) => messageId === id).map(({ status }) => status),
    async until<T>(probe: (facts: readonly DeliveryFact[]) => T | undefined | false): Promise<T> {
      for (;;) {
        const found = probe(facts)
        if (found !== undefined && found !== false) return found
        await new Promise<void>((resolve) => {
          const look = () => {
            waiting.delete(look)
            resolve()
          }
          waiting.add(look)
        })
      }
    },
    reaches(id: string, status: DeliveryFact['status'], times = 1): Promise<DeliveryFact> {
      return this.until((seen) => {
        const all = seen.filter((fact) => fact.messageId === id && fact.status === status)
        return all.length >= times && all[times - 1]
      })
    },
  }
}

/** What waits later becomes due as if so many ms had passed. */
export async function pass(database: Database, ms: number): Promise<void> {
  await database.query(
    `update ${database.schema}_jobs.job set start_after = start_after - $1 * interval '1 ms' where state < 'active'`,
    [ms],
  )
}
