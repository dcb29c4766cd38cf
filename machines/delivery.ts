import { assign, setup } from 'xstate'

export interface DeliveryInput {
  /** Attempts after the first one. */
  maxRetries: number
}

export interface DeliveryContext extends DeliveryInput {
  /** Attempts since the last redrive. */
  tries: number
}

/** Facts about a message. */
export type DeliveryEvent =
  | { type: 'message.taken' }
  | { type: 'message.accepted' }
  | { type: 'message.refused'; final: boolean }
  | { type: 'message.released' }
  | { type: 'message.expired' }
  | { type: 'message.cancelled' }
  | { type: 'message.redriven' }
  | { type: 'message.bounced' }

/**
 * The life of one message, without I/O or timers. All code that changes a message's row asks `transition` first, so that
 * workers, the API and the reconciliation follow one description.
 */
export const deliveryMachine = setup({
  types: { input: {} as DeliveryInput, context: {} as DeliveryContext, events: {} as DeliveryEvent },
  guards: {
    mayRetry: ({ context }, { final }: { final: boolean }) => !final && context.tries <= context.maxRetries,
    wasTried: ({ context }) => context.tries > 1,
  },
  actions: {
    countTry: assign({ tries: ({ context }) => context.tries + 1 }),
    uncountTry: assign({ tries: ({ context }) => context.tries - 1 }),
    forgetTries: assign({ tries: 0 }),
  },
}).createMachine({
  id: 'delivery',
  context: ({ input }) => ({ ...input, tries: 0 }),
  initial: 'pending',
  // accepted in any state: a worker that lost its claim, or missed a cancellation, may have sent it
  on: { 'message.accepted': '.sent' },
  states: {
    pending: {
      description: 'not attempted yet',
      on: {
        'message.taken': { target: 'processing', actions: 'countTry' },
        'message.expired': 'expired',
        'message.cancelled': 'cancelled',
      },
    },
    processing: {
      on: {
        'message.refused': [
          {
            guard: { type: 'mayRetry', params: ({ event }) => ({ final: event.final }) },
            target: 'retrying',
          },
          { target: 'failed' },
        ],
        'message.expired': 'expired',
        'message.cancelled': 'cancelled',
        // the worker ended or was killed before it sent anything: the next worker takes it
        'message.released': [
          { guard: 'wasTried', target: 'retrying', actions: 'uncountTry' },
          { target: 'pending', actions: 'uncountTry' },
        ],
      },
    },
    retrying: {
      description: 'waits for its next attempt',
      on: {
        'message.taken': { target: 'processing', actions: 'countTry' },
        'message.expired': 'expired',
        'message.cancelled': 'cancelled',
        // an operator retries it now
        'message.redriven': { target: 'pending', actions: 'forgetTries' },
      },
    },
    sent: {
      description: 'the receiver has accepted it',
      // a later receipt may report that it was not delivered
      on: { 'message.bounced': 'failed' },
    },
    failed: {
      description: 'a dead letter; a redrive starts again',
      on: { 'message.redriven': { target: 'pending', actions: 'forgetTries' } },
    },
    expired: { description: 'too late: it is never sent', type: 'final' },
    cancelled: { description: 'withdrawn on request' },
  },
})
