/**
 * Speech to text and text to speech, one file a provider, with a cache, limits and a breaker in front.
 * An utterance is what somebody said in one go; a transcript is the text of it.
 * Never: what the words mean (dialogue/) or who said them (calls/).
 */
export { ESPEAK_VOICES, hasEspeak } from './espeak.ts'
export { level } from './loudness.ts'
export { pcmFrom, resample, samplesOf } from './resample.ts'
export { createSynthesizer, type Synthesizer } from './synthesize.ts'
export { createTranscriber, type Transcriber, type Transcription } from './transcribe.ts'
