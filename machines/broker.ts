import { assign, setup } from 'xstate'
import { clockOf } from './clock.ts'
import { deadline, inMs } from './deadline.ts'
import { lastingPort, port } from './port.ts'

/** Why the broker connection failed or was lost: a code of the error table and its facts. */
export interface BrokerFailure {
  code: string
  details: Record<string, unknown>
  /** A retry cannot help: a wrong password, a virtual host that does not exist. */
  final: boolean
}

/** Times in ms. */
export interface BrokerSettings {
  /** Attempts at the start, and after a loss under `crash`. */
  attempts: number
  /** Between two attempts. */
  retryMs: number
  /** How long the broker may block publishers. */
  blockedMs: number
  onFailure: 'crash' | 'recover'
  /** Attempts after a loss under `recover`; the delay before each doubles, from `retryMs` to `recoveryMaxMs`. */
  recoveryAttempts: number
  recoveryMaxMs: number
}

export interface BrokerContext {
  settings: BrokerSettings
  /** Attempts since the connection was last open. */
  tries: number
  /** How often the connection was lost. */
  losses: number
  /** When it was lost within LOSS_WINDOW_MS before the last loss, ms since the epoch. */
  lately: number[]
  /** The last failure. */
  failure: BrokerFailure | null
}

/** Facts of the connection, a fault that a publisher saw, and the one command. */
export type BrokerEvent =
  | { type: 'broker.blocked'; reason: string }
  | { type: 'broker.unblocked' }
  | { type: 'broker.lost'; failure: BrokerFailure }
  | { type: 'broker.faulted'; failure: BrokerFailure }
  | { type: 'broker.close' }

/** Under `crash` so many losses within LOSS_WINDOW_MS end the process: such a connection carries no call. */
const LOSSES = 10
const LOSS_WINDOW_MS = 60_000

const setUp = setup({
  types: {
    input: {} as { settings: BrokerSettings },
    context: {} as BrokerContext,
    events: {} as BrokerEvent,
  },
  actors: {
    deadline,
    /** One attempt; rejects with a BrokerFailure. */
    connect: port<void, void>('connect'),
    /** Lasts while the connection is open: reports its events, and releases it on exit. */
    hold: lastingPort<void, BrokerEvent>('hold'),
    /** Resolves when all channels, sockets and timers of the connection are closed. */
    release: port<void, void>('release'),
  },
  actions: {
    countTry: assign({ tries: ({ context }) => context.tries + 1 }),
    forgetTries: assign({ tries: 0 }),
    countLoss: assign(({ context, self }) => {
      const now = clockOf(self).now()
      return {
        losses: context.losses + 1,
        lately: [...context.lately.filter((at) => at > now - LOSS_WINDOW_MS), now],
      }
    }),
    keepFailure: assign({ failure: (_, failure: BrokerFailure) => failure }),
  },
  guards: {
    crashes: ({ context }) => context.settings.onFailure === 'crash',
    mayTry: ({ context }, failure: BrokerFailure) =>
      !failure.final && context.tries < context.settings.attempts,
    mayRecover: ({ context }, failure: BrokerFailure) =>
      !failure.final && context.tries < context.settings.recoveryAttempts,
    recovers: ({ context }, failure: BrokerFailure) =>
      !failure.final && context.settings.onFailure === 'recover',
    /** Lost again and again, it is as good as away. */
    flaps: ({ context }) => context.settings.onFailure === 'crash' && context.lately.length >= LOSSES,
    /** No confirm came: the connection is broken. */
    isSilent: (_, failure: BrokerFailure) => failure.code === 'BROKER_TIMEOUT',
  },
})

const failed = ({ event }: { event: { error: unknown } }) => event.error as BrokerFailure
const failureOf = ({ event }: { event: { failure: BrokerFailure } }) => event.failure

/**
 * The connection to RabbitMQ. It never publishes: publishers take the open channel from the connection's plain object. Its
 * owner ends the process when the connection has failed for good.
 */
export const brokerMachine = setUp.createMachine({
  id: 'broker',
  context: ({ input }) => ({ settings: input.settings, tries: 0, losses: 0, lately: [], failure: null }),
  initial: 'connecting',
  on: { 'broker.close': '.closing' },
  states: {
    connecting: {
      initial: 'trying',
      states: {
        trying: {
          entry: 'countTry',
          invoke: {
            src: 'connect',
            id: 'connect',
            onDone: '#broker.established',
            onError: [
              {
                guard: { type: 'mayTry', params: failed },
                target: 'pausing',
                actions: { type: 'keepFailure', params: failed },
              },
              {
                guard: { type: 'recovers', params: failed },
                target: '#broker.recovering',
                actions: [{ type: 'keepFailure', params: failed }, 'forgetTries'],
              },
              { target: '#broker.failed', actions: { type: 'keepFailure', params: failed } },
            ],
          },
        },
        pausing: {
          invoke: {
            src: 'deadline',
            id: 'retryDelay',
            input: ({ context, self }) => inMs(self, context.settings.retryMs),
            onDone: 'trying',
          },
        },
      },
    },
    established: {
      entry: 'forgetTries',
      invoke: { src: 'hold', id: 'hold' },
      initial: 'open',
      on: {
        'broker.lost': { target: 'lost', actions: [{ type: 'keepFailure', params: failureOf }, 'countLoss'] },
        'broker.faulted': [
          { guard: 'crashes', target: 'failed', actions: { type: 'keepFailure', params: failureOf } },
          {
            guard: { type: 'isSilent', params: failureOf },
            target: 'recovering',
            actions: [{ type: 'keepFailure', params: failureOf }, 'countLoss', 'forgetTries'],
          },
        ],
      },
      states: {
        open: { on: { 'broker.blocked': 'blocked' } },
        blocked: {
          description: 'the broker blocks publishers: its memory or disk is low',
          on: { 'broker.unblocked': 'open' },
          invoke: {
            src: 'deadline',
            id: 'blockedDeadline',
            input: ({ context, self }) => inMs(self, context.settings.blockedMs),
            onDone: [
              {
                guard: 'crashes',
                target: '#broker.failed',
                actions: { type: 'keepFailure', params: ({ context }) => stuckFailure(context) },
              },
              { target: 'stuck' },
            ],
          },
        },
        stuck: { on: { 'broker.unblocked': 'open' } },
      },
    },
    lost: {
      always: [
        { guard: 'flaps', target: 'failed' },
        { guard: 'crashes', target: 'connecting', actions: 'forgetTries' },
        { target: 'recovering', actions: 'forgetTries' },
      ],
    },
    recovering: {
      initial: 'pausing',
      states: {
        pausing: {
          invoke: {
            src: 'deadline',
            id: 'backoff',
            input: ({ context, self }) => inMs(self, backoff(context)),
            onDone: 'trying',
          },
        },
        trying: {
          entry: 'countTry',
          invoke: {
            src: 'connect',
            id: 'reconnect',
            onDone: '#broker.established',
            onError: [
              {
                guard: { type: 'mayRecover', params: failed },
                target: 'pausing',
                actions: { type: 'keepFailure', params: failed },
              },
              { target: '#broker.failed', actions: { type: 'keepFailure', params: failed } },
            ],
          },
        },
      },
    },
    failed: { description: 'no resident can be called; the process ends' },
    closing: {
      on: { 'broker.close': {} },
      invoke: { src: 'release', id: 'release', onDone: 'closed', onError: 'closed' },
    },
    closed: { type: 'final' },
  },
})

/** Delay before the next attempt in ms: doubled each time, up to the maximum. */
function backoff({ settings, tries }: BrokerContext): number {
  return Math.min(settings.recoveryMaxMs, settings.retryMs * 2 ** Math.min(tries, 20))
}

function stuckFailure({ settings }: BrokerContext): BrokerFailure {
  return { code: 'BROKER_BLOCKED', details: { ms: settings.blockedMs }, final: false }
}
