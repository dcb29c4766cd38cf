import { port } from './port.ts'

export type Role = 'visitor' | 'resident'

/**
 * One part of what is said: a prompt's id, a number or code spelt out, a text that is synthesised (left out where nothing
 * can), a recording of this call, or a silence in ms.
 * Plain data, so that a snapshot and the journal can hold it.
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

/** How far it came: `ms` were played; leaving the state that says it interrupts it. */
export interface Said {
  ms: number
  interrupted: boolean
}

export interface Recording {
  name: RecordingName
  /** Whether anybody spoke. */
  heard: boolean
  ms: number
}

/** Resolves when all was played out, or at once when the leg is gone. Never rejects for want of a listener. */
export const say = port<Said, Saying>('say')

/** Speaks to both legs; resolves when all was played out, with the moment (ms since the epoch) both had begun. */
export const sayBoth = port<{ beganAt: number }, { callId: string; words: Record<Role, Piece[]> }>('sayBoth')

/** Resolves when the speaker fell silent, pressed a key, said nothing for a while, or reached the limit. */
export const record = port<Recording, { callId: string; role: Role; name: RecordingName }>('record')

/** Never resolves where speech is not transcribed: then only keys count. */
export function listening<Heard>(name: string) {
  return port<Heard, { callId: string }>(name)
}
