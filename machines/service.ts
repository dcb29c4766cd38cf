import { setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { port } from './port.ts'

/** ms in which all closes that closes in order: 10 s for a last query, the rest for what else is open. */
const CLOSE_MS = 15_000

export interface ServiceInput {
  /** ms that live calls have to finish once the service drains. */
  drainMs: number
}

export type ServiceEvent = { type: 'service.drain' } | { type: 'service.stop' }

/**
 * The service's own life. SIGTERM is `service.drain`: no new calls, live ones finish within a bound. A second signal is
 * `service.stop`: what is left ends now.
 */
export const serviceMachine = setup({
  types: { input: {} as ServiceInput, context: {} as ServiceInput, events: {} as ServiceEvent },
  actors: {
    deadline,
    start: port<void, void>('start'),
    /** Takes no new calls; resolves when the last live one ended. */
    drain: port<void, void>('drain'),
    /** Ends what is left and closes all that was opened, last opened first. */
    close: port<void, void>('close'),
  },
}).createMachine({
  id: 'service',
  context: ({ input }) => input,
  initial: 'starting',
  states: {
    starting: {
      invoke: { src: 'start', id: 'start', onDone: 'running', onError: 'closing' },
      // what was half opened is closed all the same
      on: { 'service.drain': 'closing', 'service.stop': 'closing' },
    },
    running: { on: { 'service.drain': 'draining', 'service.stop': 'closing' } },
    draining: {
      invoke: [
        { src: 'drain', id: 'drain', onDone: 'closing', onError: 'closing' },
        {
          src: 'deadline',
          id: 'drainDeadline',
          input: ({ context }) => inMs(context.drainMs),
          onDone: 'closing',
        },
      ],
      on: { 'service.drain': 'closing', 'service.stop': 'closing' },
    },
    closing: {
      invoke: [
        { src: 'close', id: 'close', onDone: 'stopped', onError: 'stopped' },
        // a database or a peer that hangs must not keep the service from ending
        { src: 'deadline', id: 'closeDeadline', input: () => inMs(CLOSE_MS), onDone: 'stopped' },
      ],
    },
    stopped: { type: 'final' },
  },
})
