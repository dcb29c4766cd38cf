import { port } from './port.ts'

export type Role = 'visitor' | 'resident'

/**
 * One part of an utterance of ours: a prompt's id, a number or code to spell, a text to synthesise (left out without a
 * synthesizer), a recording of this call, or a silence in ms. Plain data, for snapshots and the journal.
 */
export type Piece =
  | string
  | { spell: string }
  | { speak: string }
  | { recording: RecordingName }
  | { pause: number }

export type RecordingName = 'identity' | 'purpose'

export interface Saying {
  callId: string
  role: Role
  pieces: Piece[]
}

/** `ms` were played. Leaving the state interrupts the utterance. */
export interface Said {
  ms: number
  interrupted: boolean
}

export interface Recording {
  name: RecordingName
  /** Whether the leg spoke. */
  heard: boolean
  ms: number
}

/** Resolves when all was played, or at once when the leg is gone. Never rejects for want of a listener. */
export const say = port<Said, Saying>('say')

/** Speaks to both legs; resolves when all was played, with the time (ms since the epoch) at which both had begun. */
export const sayBoth = port<{ beganAt: number }, { callId: string; words: Record<Role, Piece[]> }>('sayBoth')

/** Resolves when the speaker falls silent, presses a key, says nothing for a while, or reaches the limit. */
export const record = port<Recording, { callId: string; role: Role; name: RecordingName }>('record')

/** A number that several units have, with the blocks and towers that were named so far. */
export interface SharedNumber {
  number: string
  blocks: string[]
}

export interface Listening {
  callId: string
  /** Present where the block of this number is asked for. */
  asking?: SharedNumber | undefined
}

/** Never resolves if speech is not transcribed: then only keys count. */
export function listening<Understood>(name: string) {
  return port<Understood, Listening>(name)
}
