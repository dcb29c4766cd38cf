import { createActor, type EventObject, fromCallback, fromPromise, waitFor } from 'xstate'
import type { BrokerEvent, BrokerFailure, BrokerSettings, brokerMachine } from '../../machines/index.ts'
import { brokerError, failureWith, type Link } from '../platform/amqp/index.ts'
import type { PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'

export type BrokerState =
  | 'connecting'
  | 'open'
  | 'blocked'
  | 'stuck'
  | 'recovering'
  | 'failed'
  | 'closing'
  | 'closed'

interface BrokerOptions {
  /** The machine, provided with the ports of `link`. */
  machine: typeof brokerMachine
  link: Link
  settings: BrokerSettings
  log: Logger
}

export type Broker = ReturnType<typeof createBroker>

/** The machine's ports on a real connection. */
export function createBrokerPorts(link: Link) {
  return {
    connect: fromPromise<void, void>(({ signal }) => link.connect(signal)),
    hold: fromCallback<EventObject, void, BrokerEvent>(({ sendBack }) => link.hold(sendBack)),
    release: fromPromise<void, void>(() => link.release()),
  }
}

/** The connection's root actor; it connects at once. The creator closes it. */
export function createBroker({ machine, link, settings, log }: BrokerOptions) {
  const { facts } = link
  const actor = createActor(machine, { id: 'broker', input: { settings } })
  const failed = Promise.withResolvers<PorteiroError>()
  // failures raised by the machine itself lack the host
  const errorOf = (failure: BrokerFailure) =>
    brokerError({ ...failure, details: { ...facts, ...failure.details } })
  let state: BrokerState = 'connecting'
  let since = Date.now()

  const enter = (next: BrokerState, failure: BrokerFailure | null) => {
    if (next === state) return
    const former = state
    state = next
    since = Date.now()
    if (next === 'open') log.info({ ...facts, after: former }, 'RabbitMQ is open')
    else if (next === 'blocked' || next === 'stuck') log.warn(facts, 'RabbitMQ takes no messages')
    else if (next === 'failed' && failure) failed.resolve(errorOf(failure))
  }

  let known: BrokerFailure | null = null
  actor.subscribe({
    next: (snapshot) => {
      const { failure, tries, losses } = snapshot.context
      const next = stateOf(snapshot)
      if (failure && failure !== known) {
        const { message, code } = errorOf(failure)
        const line = { ...facts, code, state: next, tries, losses }
        log[next === 'failed' ? 'error' : 'warn'](line, message)
      }
      known = failure
      enter(next, failure)
    },
    error: (error) => log.error({ err: error, code: 'BUG' }, 'the broker machine broke'),
  })
  actor.start()

  return {
    /** For the inspector. */
    actor,
    /** Resolves when the connection is open, or is to be recovered. Errors: every BROKER_ code. */
    async opened(): Promise<void> {
      const snapshot = await waitFor(actor, (now) => !now.matches('connecting'), { timeout: Infinity })
      if (!snapshot.matches('established') && !snapshot.matches('recovering')) throw failureNow()
    },
    /**
     * Resolves true as soon as RabbitMQ takes messages, false when `signal` aborts or the connection has failed or
     * closed.
     */
    async ready(signal: AbortSignal): Promise<boolean> {
      const over = ['failed', 'closing', 'closed']
      const settled = await waitFor(
        actor,
        (now) => now.matches({ established: 'open' }) || over.includes(stateOf(now)),
        { timeout: Infinity, signal },
      ).catch(() => undefined)
      return settled?.matches({ established: 'open' }) ?? false
    },
    /** The failure; undefined while the machine still reconnects. */
    failure: (): PorteiroError | undefined => (state === 'failed' ? failureNow() : undefined),
    /** Resolves with the reason once the connection has failed for good. */
    failed: failed.promise,
    state: () => state,
    /** For the status. */
    describe: () => ({
      state,
      since: new Date(since).toISOString(),
      losses: actor.getSnapshot().context.losses,
    }),
    /** Reports a publisher's error to the machine, which decides what to do. */
    fault(error: PorteiroError): void {
      const { code, details } = error
      actor.send({ type: 'broker.faulted', failure: { code, details, final: false } })
    },
    async close(): Promise<void> {
      actor.send({ type: 'broker.close' })
      await waitFor(actor, (snapshot) => snapshot.matches('closed'), { timeout: Infinity })
    },
  }

  function failureNow(): PorteiroError {
    const { failure } = actor.getSnapshot().context
    return errorOf(failure ?? failureWith('BROKER_CLOSED', facts, { reason: 'Porteiro closed it' }))
  }
}

function stateOf({ value }: { value: unknown }): BrokerState {
  if (typeof value === 'string') return value as BrokerState
  const [[outer, inner]] = Object.entries(value as Record<string, string>) as [[string, string]]
  return (outer === 'established' ? inner : outer) as BrokerState
}
