import { createHash } from 'node:crypto'
import { FRAME_BYTES, type Locale } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { createAzureVoice } from './azure.ts'
import { openCache } from './cache.ts'
import { createEspeak, hasEspeak } from './espeak.ts'
import { createProviderGuard } from './guard.ts'
import { level } from './loudness.ts'
import { createOpenAiVoice } from './openai.ts'
import type { AzureAccess, OpenAiAccess, Speak, SpeechStatus, TtsProvider } from './provider.ts'
import { pcmFrom, samplesOf } from './resample.ts'
import { createShared } from './shared.ts'
import { within } from './time-limit.ts'

export interface SynthesizerOptions {
  /** auto: espeak if it is installed, else none. */
  provider: TtsProvider | 'auto'
  /** The provider's name of a voice; unset: a default for each locale. */
  voice?: string | undefined
  /** Model of an OpenAI-compatible service. */
  model?: string | undefined
  openai?: OpenAiAccess | undefined
  azure?: AzureAccess | undefined
  /** Directory of the cache. */
  cacheDir: string
  /** Maximum size of the cache; 0: none on disk. */
  cacheBytes: number
  /** Limit from a free place to the complete sound, in ms. */
  timeoutMs: number
  /** Maximum number of concurrent requests. */
  concurrency: number
  /** Called for every text that was not in the cache, with the ms of its synthesis after the wait for a place. */
  onAnswer?: ((ms: number) => void) | undefined
  log: Logger
}

interface SynthesisRequest {
  locale: Locale
  signal?: AbortSignal
}

export interface Synthesizer {
  readonly provider: TtsProvider
  /**
   * 8 kHz s16le of a text of up to 1,000 characters, at the level of the prompts. The buffer is shared with other
   * callers that requested the same text: never write to it. Rejects with SPEECH_TEXT, SPEECH_OFF, SPEECH_PAUSED,
   * SPEECH_BUSY, SPEECH_TIMEOUT, SPEECH_UNREACHABLE, SPEECH_REFUSED, SPEECH_INVALID, SPEECH_CANCELLED.
   */
  synthesize(text: string, request: SynthesisRequest): Promise<Buffer>
  /** False: only prompts and cached texts can be spoken now. */
  readonly ready: boolean
  status(): SpeechStatus
  close(): Promise<void>
}

/** Some 70 s of speech; no visitor listens longer. */
export const MAX_TEXT = 1000
/** Maximum wait for a place in ms: after it a prompt is better than silence. */
const PLACE_MS = 2000
/** Must change when the same words sound different: another level, another cut. */
const CACHE_VERSION = 1
const NEVER = new AbortController().signal

/** Opens the cache and looks for espeak. Throws CONFIG_INVALID if a setting of the provider is missing. */
export async function createSynthesizer(options: SynthesizerOptions): Promise<Synthesizer> {
  const { timeoutMs, concurrency, onAnswer, log } = options
  const provider = await choose(options.provider)
  const speak = voiceOf(provider, options)
  const cache = await openCache({ directory: options.cacheDir, maxBytes: options.cacheBytes, log })
  const guard = createProviderGuard({ provider, variable: 'TTS', concurrency, log })
  const shared = createShared<Buffer>()
  const closing = new AbortController()

  async function produce(key: string, text: string, locale: Locale, signal: AbortSignal): Promise<Buffer> {
    const kept = await cache.get(key)
    if (kept) return kept
    const pcm = await guard.run(
      async () => {
        const began = performance.now()
        const spoken = await within(timeoutMs, provider, signal, (ending) => speak(text, locale, ending))
        const levelled = pcmFrom(await level(samplesOf(spoken)))
        if (levelled.length < FRAME_BYTES) throw fail('SPEECH_INVALID', { provider, reason: 'no sound' })
        onAnswer?.(performance.now() - began)
        return levelled
      },
      Math.min(PLACE_MS, timeoutMs),
      signal,
    )
    cache.put(key, pcm)
    return pcm
  }

  return {
    provider,
    async synthesize(text, { locale, signal = NEVER }) {
      if (provider === 'none') throw fail('SPEECH_OFF', { variable: 'TTS' })
      const words = plain(text)
      if (words === '' || words.length > MAX_TEXT) {
        throw fail('SPEECH_TEXT', { length: words.length, max: MAX_TEXT })
      }
      const key = keyOf([CACHE_VERSION, provider, options.model, options.voice, locale, words])
      const recent = cache.recent(key)
      if (recent) return recent
      return shared.join(key, signal, (leaving) =>
        produce(key, words, locale, AbortSignal.any([leaving, closing.signal])),
      )
    },
    get ready() {
      return guard.ready
    },
    status: guard.status,
    async close() {
      closing.abort(fail('SPEECH_CANCELLED'))
      await shared.idle()
      await cache.close()
    },
  }
}

async function choose(wanted: TtsProvider | 'auto'): Promise<TtsProvider> {
  if (wanted !== 'auto' && wanted !== 'espeak') return wanted
  if (await hasEspeak()) return 'espeak'
  if (wanted === 'auto') return 'none'
  const problem = 'TTS is espeak, but espeak-ng cannot be run; install it (Debian: apt install espeak-ng)'
  throw fail('CONFIG_INVALID', { count: 1, problems: [problem] })
}

function voiceOf(provider: TtsProvider, { voice, model, openai, azure }: SynthesizerOptions): Speak {
  if (provider === 'espeak') return createEspeak({ voice })
  if (provider === 'openai' && openai && model) return createOpenAiVoice({ ...openai, model, voice })
  if (provider === 'azure' && azure) return createAzureVoice({ ...azure, voice })
  if (provider !== 'none') {
    throw fail('CONFIG_INVALID', { count: 1, problems: [`TTS is ${provider}, which has no access`] })
  }
  return () => Promise.reject(fail('SPEECH_OFF', { variable: 'TTS' }))
}

/** Normalises a text to one line: no control characters, which confuse voices, and one cache key for equal texts. */
function plain(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
}

function keyOf(parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
