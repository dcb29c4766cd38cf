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

/** Speaks one text: 8 kHz s16le, at the level that the voice happens to have. Rejects with SPEECH_… and when aborted. */
export type Speak = (text: string, locale: Locale, signal: AbortSignal) => Promise<Buffer>

export interface Transcript {
  /** What was understood, at most 2,000 characters; empty when nothing was. */
  text: string
  /** 0 to 1, where the provider tells it. */
  confidence?: number
}

/** What is heard of one answer, as it arrives; it ends when the speaker has. */
export interface Utterance {
  readonly locale: Locale
  /** Words and names that are likely to be said. */
  readonly hints: readonly string[]
  /** Nothing else than the hints is expected. */
  readonly closed: boolean
  /** 8 kHz s16le in pieces of up to 200 ms. */
  readonly audio: AsyncIterable<Uint8Array>
}

/** Understands one utterance. `streams`: it is started with the first sound and not after the last. */
export interface Recogniser {
  readonly streams: boolean
  recognise(utterance: Utterance, signal: AbortSignal): Promise<Transcript>
}

/** What `doctor`, `/readyz` and the metrics may tell of a provider. */
export interface SpeechStatus {
  readonly provider: TtsProvider | SttProvider
  /** False when none is configured, or its failures have made us leave it alone for a while. */
  readonly ready: boolean
  /** Requests under way and waiting for a place. */
  readonly active: number
  readonly waiting: number
  /** Since the start. */
  readonly requests: number
  readonly failures: number
}
