import { assign, setup } from 'xstate'

export interface DeliveryInput {
  /** Tries after the first one. */
  maxRetries: number
}

export interface DeliveryContext extends DeliveryInput {
  /** Tries so far, since the last redrive. */
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
 * The life of one message. It knows no I/O and has no timers: whoever changes a message's row asks it by `transition`
 * whether the change is one, so that workers, the API and the reconciliation follow the same description.
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
  // a fact whenever it comes: a worker that lost its claim, or that no cancellation reached, may have sent it
  on: { 'message.accepted': '.sent' },
  states: {
    pending: {
      description: 'nobody has tried yet',
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
        // the worker ended before anything left, or was killed: the next one takes it
        'message.released': [
          { guard: 'wasTried', target: 'retrying', actions: 'uncountTry' },
          { target: 'pending', actions: 'uncountTry' },
        ],
      },
    },
    retrying: {
      description: 'waits for its next try',
      on: {
        'message.taken': { target: 'processing', actions: 'countTry' },
        'message.expired': 'expired',
        'message.cancelled': 'cancelled',
        // somebody does not want to wait
        'message.redriven': { target: 'pending', actions: 'forgetTries' },
      },
    },
    sent: {
      description: 'the other side has accepted it',
      // a receipt may say later that it could not be delivered
      on: { 'message.bounced': 'failed' },
    },
    failed: {
      description: 'dead, with its trace; a redrive begins anew',
      on: { 'message.redriven': { target: 'pending', actions: 'forgetTries' } },
    },
    expired: { description: 'its time passed: it must never leave any more', type: 'final' },
    cancelled: { description: 'somebody took it back' },
  },
})
