import { setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { port } from './port.ts'

/** ms for an orderly close: 10 s for a last query, the rest for all other parts. */
const CLOSE_MS = 15_000

export interface ServiceInput {
  /** ms for live calls to finish while the service drains. */
  drainMs: number
}

export type ServiceEvent = { type: 'service.drain' } | { type: 'service.stop' }

/**
 * The service's life. SIGTERM is `service.drain`: no new calls, and live ones have DRAIN_SECONDS to finish. A second signal is
 * `service.stop`: the service ends now.
 */
export const serviceMachine = setup({
  types: { input: {} as ServiceInput, context: {} as ServiceInput, events: {} as ServiceEvent },
  actors: {
    deadline,
    start: port<void, void>('start'),
    /** Takes no new calls; resolves when the last live call has ended. */
    drain: port<void, void>('drain'),
    /** Ends live calls and closes all parts in reverse order of opening. */
    close: port<void, void>('close'),
  },
}).createMachine({
  id: 'service',
  context: ({ input }) => input,
  initial: 'starting',
  states: {
    starting: {
      invoke: { src: 'start', id: 'start', onDone: 'running', onError: 'closing' },
      // parts that were opened before the failure are closed too
      on: { 'service.drain': 'closing', 'service.stop': 'closing' },
    },
    running: { on: { 'service.drain': 'draining', 'service.stop': 'closing' } },
    draining: {
      invoke: [
        { src: 'drain', id: 'drain', onDone: 'closing', onError: 'closing' },
        {
          src: 'deadline',
          id: 'drainDeadline',
          input: ({ context, self }) => inMs(self, context.drainMs),
          onDone: 'closing',
        },
      ],
      on: { 'service.drain': 'closing', 'service.stop': 'closing' },
    },
    closing: {
      invoke: [
        { src: 'close', id: 'close', onDone: 'stopped', onError: 'stopped' },
        // a database or a peer that hangs must not keep the process alive
        {
          src: 'deadline',
          id: 'closeDeadline',
          input: ({ self }) => inMs(self, CLOSE_MS),
          onDone: 'stopped',
        },
      ],
    },
    stopped: { type: 'final' },
  },
})
