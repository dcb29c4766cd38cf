import type { Locale } from '../audio.ts'
import type { Logger } from '../log.ts'
import type { AzureAccess, OpenAiAccess, SpeechStatus, TtsProvider } from './provider.ts'

export interface SynthesizerOptions {
  /** auto: espeak where it is installed, else none. */
  provider: TtsProvider | 'auto'
  /** The provider's name of a voice; unset: one for each locale. */
  voice?: string | undefined
  /** Model of an OpenAI-compatible service. */
  model?: string | undefined
  openai?: OpenAiAccess | undefined
  azure?: AzureAccess | undefined
  /** Where synthesised speech is kept. */
  cacheDir: string
  /** Most that is kept there; 0: nothing. */
  cacheBytes: number
  /** From a free place to the whole sound, ms. */
  timeoutMs: number
  /** Requests at once. */
  concurrency: number
  log: Logger
}

export interface SynthesisRequest {
  locale: Locale
  signal?: AbortSignal
}

export interface Synthesizer {
  readonly provider: TtsProvider
  /**
   * 8 kHz s16le of a text of up to 1,000 characters, at the level of the prompts. The buffer is shared with others who
   * asked for the same: never write to it. Rejects with SPEECH_TEXT, SPEECH_OFF, SPEECH_PAUSED, SPEECH_BUSY,
   * SPEECH_TIMEOUT, SPEECH_UNREACHABLE, SPEECH_REFUSED, SPEECH_INVALID, SPEECH_CANCELLED.
   */
  synthesize(text: string, request: SynthesisRequest): Promise<Buffer>
  /** False: nothing but prompts and what is cached can be said now. */
  readonly ready: boolean
  status(): SpeechStatus
  close(): Promise<void>
}

/** Throws CONFIG_INVALID when espeak is asked for and not installed. */
export async function createSynthesizer(_options: SynthesizerOptions): Promise<Synthesizer> {
  throw new Error('not yet')
}
