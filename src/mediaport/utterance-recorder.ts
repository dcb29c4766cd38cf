import { createRecorder, type Ear, KEPT_MS } from '../media/index.ts'
import { FRAME_MS, type Locale } from '../platform/audio.ts'
import type { Transcriber, Transcription } from '../speech/index.ts'
import type { ListeningRules } from './port.ts'

/** ms until somebody speaks; whoever listens has a shorter patience of its own. */
const SPEECH_START_MS = 60_000

interface ListeningOptions extends ListeningRules {
  locale: Locale
  signal: AbortSignal
}

/** What was said, as text and as sound. */
interface RecordedUtterance {
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
): Promise<RecordedUtterance> {
  const recorder = createRecorder({ maxMs, silenceMs, startMs: SPEECH_START_MS, signal })
  let transcription: Transcription | undefined
  let begun = 0

  // the provider's place is taken when somebody speaks, not while they think
  const begin = (): Transcription => {
    const opened = transcriber.open({ locale, signal, ...(hints && { hints }), ...(closed && { closed }) })
    ear.kept((samples) => opened.push(samples))
    return opened
  }
  // who speaks into our words has begun before we listen: their first word is in what the ear kept
  if (ear.quietMs() < KEPT_MS) {
    ear.kept(recorder.tap)
    begun = KEPT_MS
  }
  const untap = ear.tap((samples, quietMs) => {
    recorder.tap(samples, quietMs)
    begun += FRAME_MS
    // speech that was over before we listened is not meant for us
    if (!transcription && quietMs < begun) transcription = begin()
    transcription?.push(samples)
  })
  try {
    const { pcm, ms } = await recorder.done
    const text = transcription ? (await transcription.finish()).text : ''
    return { text, pcm, ms }
  } finally {
    untap()
  }
}
