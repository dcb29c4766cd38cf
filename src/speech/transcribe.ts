import type { Locale } from '../platform/audio.ts'
import { fail, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { createAzureRecogniser } from './azure.ts'
import { createProviderGuard, type ProviderGuard } from './guard.ts'
import { createOpenAiRecogniser } from './openai.ts'
import type {
  AzureAccess,
  OpenAiAccess,
  Recogniser,
  SpeechStatus,
  SttProvider,
  Transcript,
} from './provider.ts'
import { endingOf } from './time-limit.ts'
import { createUtteranceSound } from './utterance-sound.ts'
import { createVosk } from './vosk.ts'

export interface TranscriberOptions {
  provider: SttProvider
  /** Model of an OpenAI-compatible service. */
  model?: string | undefined
  /** ws:// or wss:// of a Vosk server; `{locale}` in it stands for pt-BR or en. */
  voskUrl?: string | undefined
  openai?: OpenAiAccess | undefined
  azure?: AzureAccess | undefined
  /** Limit from `finish` to the text, in ms. */
  timeoutMs: number
  /** Maximum number of concurrent requests. */
  concurrency: number
  /** Called for every text, with the ms from `finish` to the text. */
  onAnswer?: ((ms: number) => void) | undefined
  log: Logger
}

interface TranscriptionRequest {
  locale: Locale
  /** Ends it and frees everything; `finish` then rejects with SPEECH_CANCELLED. */
  signal: AbortSignal
  /** Words and names that are likely to be said. */
  hints?: readonly string[]
  /** Only the hints are expected: a yes or no. */
  closed?: boolean
}

/** The transcription of one answer. */
export interface Transcription {
  /** One frame at 8 kHz, copied at once; never throws, never waits. Ignores sound after the first 10 s. */
  push(samples: Int16Array): void
  /** The answer is over. Rejects with SPEECH_…; without any sound the text is empty. */
  finish(): Promise<Transcript>
}

export interface Transcriber {
  readonly provider: SttProvider
  /** Never throws: `finish` rejects with every error, also SPEECH_OFF and SPEECH_PAUSED. */
  open(request: TranscriptionRequest): Transcription
  /** False: ask for keys instead, at once. */
  readonly ready: boolean
  status(): SpeechStatus
  /** Aborts all transcriptions. */
  close(): Promise<void>
}

/** Maximum length of an answer in ms; each costs 16 bytes of memory a ms. */
const MAX_SOUND_MS = 10_000
/** Nobody says more characters in ten seconds. */
export const MAX_TRANSCRIPT = 2000
/** An answer without `finish` is given up after this many ms. */
const ABANDONED_MS = 60_000

/** Throws CONFIG_INVALID if a setting of the provider is missing. */
export function createTranscriber(options: TranscriberOptions): Transcriber {
  const { provider, timeoutMs, concurrency, onAnswer, log } = options
  const recogniser = recogniserOf(options)
  const guard = createProviderGuard({ provider, variable: 'STT', concurrency, log })
  const live = new Set<Running>()

  return {
    provider,
    open(request) {
      const running = createTranscription({
        request,
        recogniser,
        guard,
        provider,
        timeoutMs,
        concurrency,
        onAnswer,
      })
      live.add(running)
      running.over.finally(() => live.delete(running))
      return running
    },
    get ready() {
      return guard.ready
    },
    status: guard.status,
    async close() {
      for (const { cancel } of live) cancel(fail('SPEECH_CANCELLED'))
      await Promise.all([...live].map(({ over }) => over))
    },
  }
}

interface Running extends Transcription {
  cancel(reason: PorteiroError): void
  /** Resolves when everything is released; never rejects. */
  readonly over: Promise<void>
}

interface Parts {
  request: TranscriptionRequest
  recogniser: Recogniser
  guard: ProviderGuard
  provider: SttProvider
  timeoutMs: number
  concurrency: number
  onAnswer: ((ms: number) => void) | undefined
}

function createTranscription({
  request: { locale, signal, hints = [], closed = false },
  recogniser,
  guard,
  provider,
  timeoutMs,
  concurrency,
  onAnswer,
}: Parts): Running {
  const sound = createUtteranceSound(MAX_SOUND_MS)
  const ending = new AbortController()
  const { promise: over, resolve: letGo } = Promise.withResolvers<void>()
  const cancel = (reason: PorteiroError) => {
    ending.abort(reason)
    sound.end()
    if (!answer) release()
  }
  const left = () => cancel(endingOf(signal))
  let timer = setTimeout(() => cancel(fail('SPEECH_CANCELLED')), ABANDONED_MS)
  let served = false
  let answer: Promise<Transcript> | undefined
  let finished: Promise<Transcript> | undefined

  function release(): void {
    clearTimeout(timer)
    signal.removeEventListener('abort', left)
    letGo()
  }

  /** Sends the request; the wait for a place ends with the answer's own deadline. */
  function begin(): Promise<Transcript> {
    const utterance = { locale, hints, closed, audio: sound.audio }
    const task = () => {
      served = true
      return recogniser.recognise(utterance, ending.signal)
    }
    answer = guard.run(task, ABANDONED_MS, ending.signal)
    // it may fail long before `finish` is called
    answer.then(release, release)
    return answer
  }

  async function conclude(): Promise<Transcript> {
    sound.end()
    if (ending.signal.aborted) throw endingOf(ending.signal)
    if (sound.samples === 0 && guard.ready) {
      cancel(fail('SPEECH_CANCELLED'))
      return { text: '', complete: true }
    }
    const said = performance.now()
    const asked = answer ?? begin()
    clearTimeout(timer)
    timer = setTimeout(() => {
      const late = fail('SPEECH_TIMEOUT', { provider, ms: timeoutMs })
      ending.abort(served ? late : fail('SPEECH_BUSY', { provider, max: concurrency }))
    }, timeoutMs)
    try {
      const transcript = bounded(await asked, sound.isCut)
      onAnswer?.(performance.now() - said)
      return transcript
    } finally {
      clearTimeout(timer)
    }
  }

  signal.addEventListener('abort', left, { once: true })
  if (signal.aborted) left()
  else if (recogniser.streams) begin()

  return {
    push: sound.push,
    finish: () => {
      finished ??= conclude()
      return finished
    },
    cancel,
    over,
  }
}

function recogniserOf({ provider, model, voskUrl, openai, azure }: TranscriberOptions): Recogniser {
  if (provider === 'vosk' && voskUrl) return createVosk({ url: voskUrl })
  if (provider === 'openai' && openai && model) return createOpenAiRecogniser({ ...openai, model })
  if (provider === 'azure' && azure) return createAzureRecogniser(azure)
  if (provider !== 'none') {
    throw fail('CONFIG_INVALID', { count: 1, problems: [`STT is ${provider}, which has no access`] })
  }
  return { streams: false, recognise: () => Promise.reject(fail('SPEECH_OFF', { variable: 'STT' })) }
}

/** `isCut`: not all of the sound was kept. */
function bounded({ text, complete, confidence }: Transcript, isCut: boolean): Transcript {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
  // a cut through a surrogate pair would leave half a character
  const cut = line.slice(0, MAX_TRANSCRIPT).toWellFormed()
  const whole = complete && !isCut && cut.length === line.length
  return { text: cut, complete: whole, ...(confidence !== undefined && { confidence }) }
}
