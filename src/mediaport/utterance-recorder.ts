import { createRecorder, type Ear, KEPT_MS } from '../media/index.ts'
import { FRAME_MS, type Locale } from '../platform/audio.ts'
import type { Transcriber, Transcription } from '../speech/index.ts'
import type { ListeningRules } from './port.ts'

/** Maximum ms until speech starts; the callers' own limits are shorter. */
const SPEECH_START_MS = 60_000

interface ListeningOptions extends ListeningRules {
  locale: Locale
  signal: AbortSignal
}

/** One utterance as text and sound. */
interface RecordedUtterance {
  text: string
  /** False: something was said that is not in the text: it began before or went on after, or a word was not understood. */
  complete: boolean
  /** 0 to 1, as the recogniser has it of its least certain word. */
  confidence?: number
  pcm: Buffer
  ms: number
}

/**
 * Takes one utterance of a leg: waits for speech, streams it to the transcriber, and ends on silence. Rejects with SPEECH_… if
 * it cannot be transcribed.
 */
export async function listenTo(
  ear: Ear,
  transcriber: Pick<Transcriber, 'open'>,
  { locale, silenceMs, maxMs, hints, closed, signal }: ListeningOptions,
): Promise<RecordedUtterance> {
  const recorder = createRecorder({ maxMs, silenceMs, startMs: SPEECH_START_MS, signal })
  let transcription: Transcription | undefined
  let begun = 0
  let elapsedMs = 0
  let quietBefore = 0
  let beginning: 'whole' | 'missed' | undefined

  // opened when speech starts: a session must not be taken up by silence
  const begin = (): Transcription => {
    const opened = transcriber.open({ locale, signal, ...(hints && { hints }), ...(closed && { closed }) })
    ear.kept((samples) => opened.push(samples))
    return opened
  }
  /** Notes whether the first speech in these frames goes on from speech before them. */
  const follow = (quietMs: number) => {
    elapsedMs += FRAME_MS
    if (quietMs < elapsedMs) beginning ??= quietBefore < silenceMs ? 'missed' : 'whole'
    quietBefore = quietMs
  }
  // a speaker who interrupts began before this call: the ear has kept the first word
  if (ear.quietMs() < KEPT_MS) {
    ear.kept((samples, quietMs) => {
      recorder.tap(samples, quietMs)
      follow(quietMs)
    })
    begun = KEPT_MS
  } else quietBefore = ear.quietMs()
  const untap = ear.tap((samples, quietMs) => {
    recorder.tap(samples, quietMs)
    follow(quietMs)
    begun += FRAME_MS
    // speech that ended before this call does not count
    if (!transcription && quietMs < begun) transcription = begin()
    transcription?.push(samples)
  })
  try {
    const { pcm, ms, endedBy } = await recorder.done
    const { text, complete, confidence } = (await transcription?.finish()) ?? { text: '', complete: true }
    return {
      text,
      complete: complete && beginning !== 'missed' && endedBy !== 'limit',
      ...(confidence !== undefined && { confidence }),
      pcm,
      ms,
    }
  } finally {
    untap()
  }
}
