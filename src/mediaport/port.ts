import type { HungUp, Piece, RecordingName } from '../../machines/index.ts'
import type { BridgeReport } from '../media/index.ts'
import type { Locale, Role } from '../platform/audio.ts'
import type { Details, ErrorCode } from '../platform/errors.ts'

/** A leg whose connection has named itself. It waits for `open`, `reject` or `relay`. */
export interface ArrivedLeg {
  /** Unique in this process: several connections may name the same call and role. */
  readonly leg: number
  /** The UUID that the connection named, lower case: the call's, or on the resident's port the telephone's. */
  readonly uuid: string
  readonly role: Role
  /** The entrance by name; undefined for the main port pair. */
  readonly entrance: string | undefined
  /** address:port of the peer */
  readonly remote: string
  /** Another node sent it here, because the call lives here. */
  readonly relayed: boolean
}

/**
 * What a call asks of a leg's media. Plain data. The call chooses each `id`, unique on its leg; facts about the command
 * carry it, however late they come.
 */
export type MediaCommand =
  /** Interrupts what is being said. Answers: `saying`, then `said`; or `failed`. */
  | { type: 'say'; id: number; pieces: readonly SpokenPiece[] }
  /** A tone below everything that is said, until it is cancelled. */
  | { type: 'tone'; id: number; tone: 'ringback' | 'hold' }
  /** Answer: `recorded`, and `kept` when somebody spoke. */
  | { type: 'record'; id: number; name: RecordingName }
  /** One utterance. Answer: `transcribed`, whose sound stays until `forget`; or `failed` with SPEECH_…. */
  | ({ type: 'listen'; id: number } & ListeningRules)
  /** Makes the sound of an utterance the call's recording of that name. Answer: `kept`. */
  | { type: 'keep'; of: number; name: RecordingName }
  /** Drops the sound of an utterance. */
  | { type: 'forget'; of: number }
  /** Both legs hear each other until it is cancelled. Answer, on both legs, after that: `bridged`. */
  | { type: 'bridge'; id: number; other: number }
  /** Ends a command that is under way. Its answer comes all the same. */
  | { type: 'cancel'; id: number }
  /** Sends 0x00; the peer closes the connection. */
  | { type: 'hangUp' }
  /** Closes the connection now. Answer: `closed`, then `released`. */
  | { type: 'close' }

/** A piece, or own words of a tenant instead of a prompt: a WAV, else a text to synthesise, else the prompt. */
export type SpokenPiece = Piece | { instead: string; file?: string; text?: string }

/** Thresholds for the speech of a leg; what is absent has its default. */
export interface SpeechThresholds {
  mode?: 0 | 1 | 2 | 3
  onsetFrames?: number
  hangoverMs?: number
}

export interface ListeningRules {
  /** ms of silence that end the utterance. */
  silenceMs: number
  /** The longest utterance, ms. */
  maxMs: number
  /** Words that are likely; with `closed` nothing else is expected. */
  hints?: readonly string[]
  closed?: boolean
  /** Goes on from the utterance of that `listen`: nothing is heard where it has been quiet since for `quietMs`. */
  follows?: { of: number; quietMs: number }
}

/** What a leg's media reports. Plain data; `at` is ms on the stream's own clock. */
export type MediaFact =
  | { type: 'key.pressed'; key: string; via: 'dtmf' | 'inband' }
  /** A key in the resident's sound that is an echo of the visitor's line. It does not count. */
  | { type: 'key.echoed'; key: string }
  | { type: 'speech.started'; at: number }
  /** `at` is where the speech itself ended, `ms` how long it was. */
  | { type: 'speech.ended'; at: number; ms: number }
  /** A steady tone on the resident's leg, as a mailbox plays before it records. */
  | { type: 'beep.heard'; at: number }
  /** The PBX sends raw µ-law or A-law as slin; it is decoded from now on. */
  | { type: 'ulaw.detected' }
  | { type: 'alaw.detected' }
  | { type: 'saying'; id: number }
  /** `ms` of `of` ms were played. `beganAt`: when the first frame left, ms since the epoch. */
  | { type: 'said'; id: number; ms: number; of: number; interrupted: boolean; beganAt: number }
  | { type: 'recorded'; id: number; name: RecordingName; ms: number; heard: boolean; endedBy: string }
  /** The recording of that name can be played to both legs. */
  | { type: 'kept'; name: RecordingName }
  /**
   * `complete` is false where something was said that is not in the text; `confidence`, 0 to 1, is that of the least certain
   * word, if the recogniser reports it; `interrupts` is true where it began over our own words.
   */
  | {
      type: 'transcribed'
      id: number
      text: string
      complete: boolean
      confidence?: number
      interrupts: boolean
      ms: number
    }
  | { type: 'failed'; id: number; code: ErrorCode; details: Details; reason: string }
  /** How this leg's sound reached the other one. */
  | ({ type: 'bridged' } & BridgeReport)
  /** Once: the leg hears and says nothing any more. */
  | { type: 'hungUp'; how: Exclude<HungUp, 'lost'> }
  | { type: 'closed'; framesIn: number; framesOut: number; bytesIn: number; bytesOut: number }
  /** The last fact. `recordedMs`: length of the leg's whole recording; null where there is none. */
  | { type: 'released'; recordedMs: number | null }

/** The media of one leg of a call. */
export interface MediaLeg {
  send(command: MediaCommand): void
  /** dBFS of the last 100 ms. */
  level(): number
}

/** What calls know of the media of this process's legs. */
export interface MediaPort {
  /** Takes an arrived leg into its call. Facts come from the next turn on, in order. */
  open(
    leg: number,
    callId: string,
    locale: Locale,
    onFact: (fact: MediaFact) => void,
    speech?: SpeechThresholds,
  ): MediaLeg
  /** Plays "one moment" to an arrived leg until it is opened, rejected or relayed. */
  hold(leg: number, locale: Locale): void
  /** Rejects a leg: one prompt, if any, then 0x00. The connection is closed when the peer does not do it. */
  reject(leg: number, said?: { prompt: string; locale: Locale }): void
  /** Carries an arrived leg to the node of its call; `address` is that node's host:port for residents. */
  relay(leg: number, address: string): void
  /** Finishes what a lost process left of a call's leg recordings, within a second. Never rejects. */
  finishRecordings(callId: string): Promise<void>
  /** Loads recordings of a restored call; resolves within a second with the names of those that can be played. Never rejects. */
  loadRecordings(callId: string, names: readonly string[]): Promise<string[]>
  /** Drops the call's recordings from memory. */
  forgetCall(callId: string): void
}
