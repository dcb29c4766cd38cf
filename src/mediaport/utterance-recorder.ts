import { createRecorder, type Ear, KEPT_MS } from '../media/index.ts'
import { FRAME_MS, type Locale } from '../platform/audio.ts'
import type { Transcriber, Transcription } from '../speech/index.ts'
import type { ListeningRules } from './port.ts'

/** Maximum ms until speech starts; the callers' own limits are shorter. */
const SPEECH_START_MS = 60_000

interface ListeningOptions extends Omit<ListeningRules, 'follows'> {
  locale: Locale
  signal: AbortSignal
  /** Goes on from an utterance whose speech ended at this time of the ear's clock. */
  follows?: { spokenAt: number; quietMs: number }
}

/** One utterance as text and sound. */
interface RecordedUtterance {
  text: string
  /** False: something was said that is not in the text: it began before or went on after, or a word was not understood. */
  complete: boolean
  /** 0 to 1, as the recogniser has it of its least certain word. */
  confidence?: number
  /** It began before anybody listened: over our own words. */
  interrupts: boolean
  pcm: Buffer
  ms: number
  /** Where its speech ended, on the ear's clock. */
  spokenAt: number
}

/**
 * Takes one utterance of a leg: waits for speech, streams it to the transcriber, and ends on silence. Rejects with SPEECH_… if
 * it cannot be transcribed.
 */
export async function listenTo(
  ear: Ear,
  transcriber: Pick<Transcriber, 'open'>,
  { locale, silenceMs, maxMs, hints, closed, signal, follows }: ListeningOptions,
): Promise<RecordedUtterance> {
  const startMs = follows ? Math.max(0, follows.quietMs - ear.quietMs()) : SPEECH_START_MS
  const recorder = createRecorder({ maxMs, silenceMs, startMs, signal })
  let transcription: Transcription | undefined
  let spokenAt = ear.clock - ear.quietMs()
  // what was said while the utterance before was transcribed is lost
  const isMissed = follows !== undefined && spokenAt > follows.spokenAt
  let isOver = false
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
  const interrupts = ear.quietMs() < KEPT_MS
  if (interrupts) {
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
    // frames still come while the text is awaited
    if (!isOver && quietMs < begun) {
      spokenAt = ear.clock - quietMs
      isOver = quietMs >= silenceMs
    }
    // speech that ended before this call does not count
    if (!transcription && quietMs < begun) transcription = begin()
    transcription?.push(samples)
  })
  try {
    const { pcm, ms, endedBy } = await recorder.done
    const { text, complete, confidence } = (await transcription?.finish()) ?? { text: '', complete: true }
    return {
      text,
      complete: complete && !isMissed && beginning !== 'missed' && endedBy !== 'limit',
      ...(confidence !== undefined && { confidence }),
      interrupts,
      pcm,
      ms,
      spokenAt,
    }
  } finally {
    untap()
  }
}
