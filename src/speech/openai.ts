import { z } from 'zod'
import { type Locale, SAMPLE_RATE } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import type { OpenAiAccess, Recogniser, Speak } from './provider.ts'
import { ask, jsonOf, soundOf } from './provider-request.ts'
import { pcmFrom, resample, samplesOf } from './resample.ts'
import { readRiff, writeRiff } from './riff.ts'
import { wholeOf } from './utterance-sound.ts'

const provider = 'openai'
/** `response_format: pcm` is s16le mono at this rate, Hz. */
const PCM_RATE = 24_000
/** 90 s of it. */
const MAX_SOUND_BYTES = PCM_RATE * 2 * 90
const MAX_JSON_BYTES = 256 * 1024
/** The transcription endpoint takes ISO 639-1. */
const LANGUAGES: Record<Locale, string> = { 'pt-BR': 'pt', en: 'en' }
const DEFAULT_VOICE = 'alloy'

const recognised = z.object({ text: z.string() })

interface OpenAiVoiceOptions extends OpenAiAccess {
  model: string
  voice?: string | undefined
}

/** Synthesizes with `POST {url}/audio/speech`. */
export function createOpenAiVoice({ url, key, model, voice = DEFAULT_VOICE }: OpenAiVoiceOptions): Speak {
  return async (text, _locale, signal) => {
    const answer = await ask({
      provider,
      url: `${url}/audio/speech`,
      headers: { ...authorization(key), 'content-type': 'application/json' },
      body: JSON.stringify({ model, voice, input: text, response_format: 'pcm' }),
      maxBytes: MAX_SOUND_BYTES,
      signal,
    })
    const bytes = soundOf(provider, answer)
    // some compatible servers always send a WAV
    const { rate, pcm } = readRiff(bytes) ?? { rate: PCM_RATE, pcm: bytes.subarray(0, bytes.length & ~1) }
    return pcmFrom(await resample(samplesOf(pcm), rate, SAMPLE_RATE))
  }
}

/** Transcribes with `POST {url}/audio/transcriptions`: the complete utterance as an 8 kHz WAV. */
export function createOpenAiRecogniser({ url, key, model }: OpenAiAccess & { model: string }): Recogniser {
  return {
    streams: false,
    async recognise({ locale, hints, audio }, signal) {
      const form = new FormData()
      form.set(
        'file',
        new Blob([writeRiff(await wholeOf(audio), SAMPLE_RATE)], { type: 'audio/wav' }),
        'a.wav',
      )
      form.set('model', model)
      form.set('language', LANGUAGES[locale])
      form.set('response_format', 'json')
      if (hints.length > 0) form.set('prompt', hints.join(', '))
      const { bytes } = await ask({
        provider,
        url: `${url}/audio/transcriptions`,
        headers: authorization(key),
        body: form,
        maxBytes: MAX_JSON_BYTES,
        signal,
      })
      const answer = recognised.safeParse(jsonOf(provider, bytes))
      if (!answer.success) throw fail('SPEECH_INVALID', { provider, reason: 'JSON without text' })
      return { text: answer.data.text, complete: true }
    },
  }
}

function authorization(key: string | undefined): Record<string, string> {
  return key ? { authorization: `Bearer ${key}` } : {}
}
