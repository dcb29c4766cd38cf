import { assign, sendParent, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { listening, type SharedNumber } from './speech.ts'

export interface ListeningInput {
  callId: string
  /** Whether speech is transcribed; otherwise only keys count, and silence ends the wait. */
  transcribes: boolean
  /** The speaker interrupted a prompt and is already speaking. */
  speaks: boolean
  /** ms of silence that end the wait. */
  silenceMs: number
  /** Maximum ms of speech without a pause. */
  speechMs: number
  /** Present where the block of this number is asked for. */
  asking?: SharedNumber
}

export interface ListeningContext<Understood> extends ListeningInput {
  understood: Understood | null
}

/** What was understood; null after silence. */
export interface ListeningOutput<Understood> {
  understood: Understood | null
}

export type ListeningEvent = { type: 'speech.started' }

/** Tells the dialogue that speech cannot be transcribed: only keys are left. */
export type ListeningFact = { type: 'speech.failed' }

/** Waits for an answer: for words if they are transcribed, and until the silence is too long. */
export function listeningMachine<Understood>(port: string) {
  return setup({
    types: {
      input: {} as ListeningInput,
      context: {} as ListeningContext<Understood>,
      events: {} as ListeningEvent,
      output: {} as ListeningOutput<Understood>,
    },
    actors: { listen: listening<Understood>(port), deadline },
    actions: { tellFailed: sendParent((): ListeningFact => ({ type: 'speech.failed' })) },
    guards: {
      transcribes: ({ context }) => context.transcribes,
      isSpeaking: ({ context }) => context.speaks,
    },
  }).createMachine({
    id: 'listening',
    context: ({ input }) => ({ ...input, understood: null }),
    invoke: [
      {
        src: 'listen',
        id: 'listen',
        input: ({ context: { callId, asking } }) => ({ callId, asking }),
        onDone: { target: '.done', actions: assign({ understood: ({ event }) => event.output }) },
        onError: { target: '.quiet', actions: [assign({ transcribes: false }), 'tellFailed'] },
      },
      {
        src: 'deadline',
        id: 'listeningDeadline',
        // noise that is taken for speech again and again does not hold anybody
        input: ({ context, self }) => inMs(self, 2 * (context.silenceMs + context.speechMs)),
        onDone: '.done',
      },
    ],
    initial: 'beginning',
    states: {
      beginning: { always: [{ guard: 'isSpeaking', target: 'hearing' }, { target: 'quiet' }] },
      quiet: {
        invoke: {
          src: 'deadline',
          id: 'silence',
          input: ({ context, self }) => inMs(self, context.silenceMs),
          onDone: 'done',
        },
        on: { 'speech.started': { guard: 'transcribes', target: 'hearing' } },
      },
      hearing: {
        description: 'speech; silence is measured again afterwards',
        invoke: {
          src: 'deadline',
          id: 'speechDeadline',
          input: ({ context, self }) => inMs(self, context.speechMs),
          onDone: 'quiet',
        },
      },
      done: { type: 'final' },
    },
    output: ({ context }) => ({ understood: context.understood }),
  })
}
