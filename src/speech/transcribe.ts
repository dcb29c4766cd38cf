import type { Locale } from '../audio.ts'
import type { Logger } from '../log.ts'
import type { AzureAccess, OpenAiAccess, SpeechStatus, SttProvider, Transcript } from './provider.ts'

export interface TranscriberOptions {
  provider: SttProvider
  /** Model of an OpenAI-compatible service. */
  model?: string | undefined
  /** ws:// or wss:// of a Vosk server; `{locale}` in it stands for pt-BR or en. */
  voskUrl?: string | undefined
  openai?: OpenAiAccess | undefined
  azure?: AzureAccess | undefined
  /** From `finish` to the text, ms. */
  timeoutMs: number
  /** Requests at once. */
  concurrency: number
  log: Logger
}

export interface TranscriptionRequest {
  locale: Locale
  /** Ends it and frees everything; `finish` then rejects with SPEECH_CANCELLED. */
  signal: AbortSignal
  /** Words and names that are likely to be said. */
  hints?: readonly string[]
  /** Nothing else than the hints is expected: a yes or no. */
  closed?: boolean
}

/** One answer on its way to text. */
export interface Transcription {
  /** One frame at 8 kHz, copied at once; never throws, never waits. What comes after 10 s of sound is left out. */
  push(samples: Int16Array): void
  /** No more is said. Rejects with SPEECH_…; without any sound the text is empty. */
  finish(): Promise<Transcript>
}

export interface Transcriber {
  readonly provider: SttProvider
  /** Throws nothing: whatever is wrong, also SPEECH_OFF and SPEECH_PAUSED, is told by `finish`. */
  open(request: TranscriptionRequest): Transcription
  /** False: ask for keys instead, at once. */
  readonly ready: boolean
  status(): SpeechStatus
  /** Ends what is under way. */
  close(): Promise<void>
}

export function createTranscriber(_options: TranscriberOptions): Transcriber {
  throw new Error('not yet')
}
