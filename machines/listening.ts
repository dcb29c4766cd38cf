import { assign, sendParent, setup } from 'xstate'
import { deadline, inMs } from './deadline.ts'
import { listening } from './speech.ts'

export interface ListeningInput {
  callId: string
  /** Whether speech is transcribed; otherwise only keys count, and silence ends the waiting. */
  transcribes: boolean
  /** Somebody speaks already: they interrupted what was said. */
  speaks: boolean
  /** ms of silence that are waited for. */
  silenceMs: number
  /** The longest that somebody may speak without a pause, ms. */
  speechMs: number
}

export interface ListeningContext<Heard> extends ListeningInput {
  heard: Heard | null
}

/** What was understood; null when nobody said anything. */
export interface ListeningOutput<Heard> {
  heard: Heard | null
}

export type ListeningEvent = { type: 'speech.started' }

/** What it tells its dialogue: speech cannot be transcribed, so the keys remain. */
export type ListeningFact = { type: 'speech.failed' }

/** Waits for an answer after a question: for words where they are transcribed, and for silence to last. */
export function listeningMachine<Heard>(port: string) {
  return setup({
    types: {
      input: {} as ListeningInput,
      context: {} as ListeningContext<Heard>,
      events: {} as ListeningEvent,
      output: {} as ListeningOutput<Heard>,
    },
    actors: { listen: listening<Heard>(port), deadline },
    actions: { tellFailed: sendParent((): ListeningFact => ({ type: 'speech.failed' })) },
    guards: {
      transcribes: ({ context }) => context.transcribes,
      isSpeaking: ({ context }) => context.speaks,
    },
  }).createMachine({
    id: 'listening',
    context: ({ input }) => ({ ...input, heard: null }),
    invoke: {
      src: 'listen',
      id: 'listen',
      input: ({ context }) => ({ callId: context.callId }),
      onDone: { target: '.done', actions: assign({ heard: ({ event }) => event.output }) },
      onError: { target: '.quiet', actions: [assign({ transcribes: false }), 'tellFailed'] },
    },
    initial: 'beginning',
    states: {
      beginning: { always: [{ guard: 'isSpeaking', target: 'hearing' }, { target: 'quiet' }] },
      quiet: {
        invoke: {
          src: 'deadline',
          id: 'silence',
          input: ({ context }) => inMs(context.silenceMs),
          onDone: 'done',
        },
        on: { 'speech.started': { guard: 'transcribes', target: 'hearing' } },
      },
      hearing: {
        description: 'somebody speaks; the silence is counted anew afterwards',
        invoke: {
          src: 'deadline',
          id: 'speechDeadline',
          input: ({ context }) => inMs(context.speechMs),
          onDone: 'quiet',
        },
      },
      done: { type: 'final' },
    },
    output: ({ context }) => ({ heard: context.heard }),
  })
}
