import { assign, enqueueActions, sendParent, setup } from 'xstate'
import { clockOf } from './clock.ts'
import { deadline, inMs } from './deadline.ts'
import { type Decision, type Ending, type GateAnswer, goodbye } from './outcome.ts'
import { port } from './port.ts'
import { say, sayBoth } from './speech.ts'

/** ms for the gate to answer before the visitor hears that it does not; it may still open later. */
const GATE_MS = 2000
/** ms of silence before a visitor hears that it takes a moment. */
const SILENCE_MS = 600
const FOLLOW_FIRST = {
  type: 'followFirst',
  params: ({ event }: { event: { output: Decision | null } }) => event.output,
} as const
const GATE_SILENT = [{ type: 'hearGate', params: 'failed' }, 'tellGate'] as const

export interface ConcludingInput {
  callId: string
  ending: Ending
  decision: Decision | null
  /** Minimum ms between the start of both goodbyes and the hangup. */
  hangupDelayMs: number
}

export interface ConcludingContext extends ConcludingInput {
  /** The answer of the gate to a visitor who was let in. */
  gate: GateAnswer | null
  /** When both goodbyes had begun, ms since the epoch. */
  farewellAt: number
}

export type ConcludingEvent =
  /** We closed a leg because the other side did not. */
  | { type: 'leg.forced' }
  /** Once, after the call was restored from its snapshot. */
  | { type: 'call.restored' }

/** What this machine tells its call. */
export type ConcludingCommand =
  | { type: 'legs.hangUp' }
  | { type: 'gate.answered'; answer: GateAnswer }
  /** Another decision about this visit was kept before, by a process that was killed: that one stands. */
  | { type: 'decision.stood'; decision: Decision }

/**
 * The end of a call: a decision is durable before anybody hears of it, and the gate has answered before the visitor hears that it
 * opens. Both legs hear their whole goodbye, then get 0x00. The call ends when its legs are gone, whatever the state of this
 * machine.
 */
export const concludingMachine = setup({
  types: {
    input: {} as ConcludingInput,
    context: {} as ConcludingContext,
    events: {} as ConcludingEvent,
  },
  actors: {
    say,
    sayBoth,
    deadline,
    /**
     * Resolves when the decision and all that follows from it are durable, and the gate is being told; with the decision that
     * stands, where another one was kept before.
     */
    commitDecision: port<Decision | null, { callId: string }>('commitDecision'),
    /** Resolves with the gate's answer; tells the gate itself only if the call was restored in between. */
    openGate: port<GateAnswer, { callId: string }>('openGate'),
  },
  actions: {
    hangUpLegs: sendParent((): ConcludingCommand => ({ type: 'legs.hangUp' })),
    followFirst: enqueueActions(({ enqueue }, first: Decision | null) => {
      if (!first) return
      enqueue.assign({ decision: first, ending: { outcome: first.verdict, reason: null } })
      enqueue.sendParent({ type: 'decision.stood', decision: first } satisfies ConcludingCommand)
    }),
    hearGate: assign((_, gate: GateAnswer) => ({ gate })),
    tellGate: sendParent(
      ({ context }): ConcludingCommand => ({ type: 'gate.answered', answer: context.gate! }),
    ),
  },
  guards: {
    isDecided: ({ context }) => context.decision !== null,
    isAuthorized: ({ context }) => context.decision?.verdict === 'authorized',
    standsAuthorized: ({ context }, first: Decision | null) =>
      (first ?? context.decision)?.verdict === 'authorized',
  },
}).createMachine({
  id: 'concluding',
  context: ({ input }) => ({ ...input, gate: null, farewellAt: 0 }),
  initial: 'beginning',
  states: {
    beginning: { always: [{ guard: 'isDecided', target: 'committing' }, { target: 'farewell' }] },
    committing: {
      description: 'nobody hears of the decision before it is durable',
      invoke: {
        src: 'commitDecision',
        id: 'commitDecision',
        input: ({ context: { callId } }) => ({ callId }),
        onDone: [
          {
            guard: { type: 'standsAuthorized', params: ({ event }) => event.output },
            target: 'opening',
            actions: FOLLOW_FIRST,
          },
          { target: 'farewell', actions: FOLLOW_FIRST },
        ],
        // the gate stays closed unless the decision becomes durable within its time, which the visitor does not hear
        onError: [
          { guard: 'isAuthorized', target: 'farewell', actions: GATE_SILENT },
          { target: 'farewell' },
        ],
      },
    },
    opening: {
      description: 'the words follow the gate',
      invoke: [
        {
          src: 'openGate',
          id: 'openGate',
          input: ({ context: { callId } }) => ({ callId }),
          onDone: {
            target: 'farewell',
            actions: [{ type: 'hearGate', params: ({ event }) => event.output }, 'tellGate'],
          },
          onError: { target: 'farewell', actions: GATE_SILENT },
        },
        {
          src: 'deadline',
          id: 'gateDeadline',
          input: ({ self }) => inMs(self, GATE_MS),
          onDone: { target: 'farewell', actions: GATE_SILENT },
        },
      ],
      // all again: the gate has its time once the decision is known to be durable, however slow the database is after a crash
      on: { 'call.restored': 'committing' },
      initial: 'quiet',
      states: {
        quiet: {
          invoke: {
            src: 'deadline',
            id: 'silence',
            input: ({ self }) => inMs(self, SILENCE_MS),
            onDone: 'telling',
          },
        },
        telling: {
          invoke: {
            src: 'say',
            id: 'sayOneMoment',
            input: ({ context: { callId } }) => ({ callId, role: 'visitor', pieces: ['one-moment'] }),
          },
        },
      },
    },
    farewell: {
      invoke: {
        src: 'sayBoth',
        id: 'sayGoodbye',
        input: ({ context: { callId, ending, gate } }) => ({ callId, words: goodbye(ending, gate) }),
        onDone: { target: 'lingering', actions: assign({ farewellAt: ({ event }) => event.output.beganAt }) },
        // the call ends without the words
        onError: { target: 'lingering', actions: assign({ farewellAt: ({ self }) => clockOf(self).now() }) },
      },
    },
    lingering: {
      invoke: {
        src: 'deadline',
        id: 'hangupDelay',
        input: ({ context }) => ({ at: context.farewellAt + context.hangupDelayMs }),
        onDone: 'hangingUp',
      },
    },
    hangingUp: { entry: 'hangUpLegs', on: { 'leg.forced': 'forcing' } },
    forcing: {
      description: 'a leg did not close after 0x00; it closes its socket and reports that',
      type: 'final',
    },
  },
})
