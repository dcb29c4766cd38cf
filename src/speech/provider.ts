import type { Locale } from '../platform/audio.ts'

export type TtsProvider = 'espeak' | 'openai' | 'azure' | 'none'
export type SttProvider = 'vosk' | 'openai' | 'azure' | 'none'

/** An OpenAI-compatible service; `url` ends before `/audio/…`, local servers need no key. */
export interface OpenAiAccess {
  url: string
  key?: string | undefined
}

/** Azure's speech service: the two endpoints and the key of the resource. */
export interface AzureAccess {
  ttsUrl: string
  sttUrl: string
  key: string
}

/** Synthesizes one text: 8 kHz s16le, at the voice's own level. Rejects with SPEECH_… and when aborted. */
export type Speak = (text: string, locale: Locale, signal: AbortSignal) => Promise<Buffer>

export interface Transcript {
  /** The transcript, at most 2,000 characters; empty when nothing was understood. */
  text: string
  /** False: something was said that is not in the text, such as a word that the provider does not know. */
  complete: boolean
  /** 0 to 1, of the least certain word, or of the whole where the provider tells no more; absent where it tells nothing. */
  confidence?: number
}

/** The sound of one answer as it arrives; it ends with the speaker. */
export interface Utterance {
  readonly locale: Locale
  /** Words and names that the speaker is likely to use. */
  readonly hints: readonly string[]
  /** Only the hints are expected. */
  readonly closed: boolean
  /** 8 kHz s16le in pieces of up to 200 ms. */
  readonly audio: AsyncIterable<Uint8Array>
}

/** Transcribes one utterance. `streams`: it starts with the first sound and not after the last. */
export interface Recogniser {
  readonly streams: boolean
  recognise(utterance: Utterance, signal: AbortSignal): Promise<Transcript>
}

/** Status of a provider for `doctor`, `/readyz` and the metrics. */
export interface SpeechStatus {
  readonly provider: TtsProvider | SttProvider
  /** False when no provider is configured, or while it is paused after failures. */
  readonly ready: boolean
  /** Requests in progress and waiting for a place. */
  readonly active: number
  readonly waiting: number
  /** Since the start. */
  readonly requests: number
  readonly failures: number
}
