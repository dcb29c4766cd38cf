import { FRAME_MS, FRAME_SAMPLES, type Locale } from '../audio.ts'
import type { Ear } from '../media/ear.ts'
import { createRecorder } from '../media/recording.ts'
import type { Transcriber, Transcription } from '../speech/transcribe.ts'

/** ms from the beginning of speech until it is known to be speech; they are part of the first word. */
const LEAD_MS = 260
const LEAD_FRAMES = LEAD_MS / FRAME_MS
/** ms until somebody speaks; whoever listens has a shorter patience of its own. */
const PATIENCE_MS = 60_000

export interface ListeningOptions {
  locale: Locale
  /** So much silence ends what is said. */
  silenceMs: number
  /** The longest that is listened to. */
  maxMs: number
  /** Words that are likely; with `closed` nothing else is expected. */
  hints?: readonly string[]
  closed?: boolean
  signal: AbortSignal
}

/** What was said, as text and as sound. */
export interface Utterance {
  text: string
  pcm: Buffer
  ms: number
}

/**
 * One utterance of a leg: waits for speech, streams it to the transcriber while it is spoken, and ends it on silence.
 * Rejects with SPEECH_… where it could not be transcribed.
 */
export async function listenTo(
  ear: Ear,
  transcriber: Transcriber,
  { locale, silenceMs, maxMs, hints, closed, signal }: ListeningOptions,
): Promise<Utterance> {
  const recorder = createRecorder({ maxMs, silenceMs, startMs: PATIENCE_MS, signal })
  const lead = new Int16Array(LEAD_FRAMES * FRAME_SAMPLES)
  let kept = 0
  let transcription: Transcription | undefined
  let begun = 0

  const begin = (): Transcription => {
    const opened = transcriber.open({ locale, signal, ...(hints && { hints }), ...(closed && { closed }) })
    for (let at = 0; at < kept; at++) opened.push(lead.subarray(at * FRAME_SAMPLES, (at + 1) * FRAME_SAMPLES))
    return opened
  }
  const untap = ear.tap((samples, quietMs) => {
    recorder.tap(samples, quietMs)
    begun += FRAME_MS
    // speech that was over before we listened is not meant for us
    if (!transcription && quietMs < begun) transcription = begin()
    if (transcription) return transcription.push(samples)
    if (kept === LEAD_FRAMES) lead.copyWithin(0, FRAME_SAMPLES)
    else kept++
    lead.set(samples, (kept - 1) * FRAME_SAMPLES)
  })
  try {
    const { pcm, ms } = await recorder.done
    const text = transcription ? (await transcription.finish()).text : ''
    return { text, pcm, ms }
  } finally {
    untap()
  }
}
