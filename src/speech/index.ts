/**
 * Speech to text and text to speech, one file per provider, behind a cache, limits and a breaker.
 * An utterance is one uninterrupted answer; a transcript is its text.
 * Never: what the words mean (dialogue/) or who said them (calls/).
 */
export { ESPEAK_VOICES, hasEspeak } from './espeak.ts'
export { level } from './loudness.ts'
export { pcmFrom, RATES, resample, samplesOf } from './resample.ts'
export { createSynthesizer, type Synthesizer } from './synthesize.ts'
export { createTranscriber, type Transcriber, type Transcription } from './transcribe.ts'
