import { z } from 'zod'
import { type Locale, SAMPLE_RATE } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import type { AzureAccess, Recogniser, Speak } from './provider.ts'
import { ask, jsonOf, soundOf } from './provider-request.ts'
import { pcmFrom, resample, samplesOf } from './resample.ts'
import { writeRiff } from './riff.ts'
import { wholeOf } from './utterance-sound.ts'

const provider = 'azure'
const LANGUAGES: Record<Locale, string> = { 'pt-BR': 'pt-BR', en: 'en-US' }
const VOICES: Record<Locale, string> = { 'pt-BR': 'pt-BR-FranciscaNeural', en: 'en-US-JennyNeural' }
/** 90 s at 8 kHz. */
const MAX_SOUND_BYTES = SAMPLE_RATE * 2 * 90
const MAX_JSON_BYTES = 256 * 1024
/** The one PCM rate that the short audio service documents, Hz. */
const RECOGNISER_RATE = 16_000
/** Azure refuses requests without a user agent. */
const USER_AGENT = 'porteiro'
/** Statuses without a text that are no errors. */
const NOTHING = ['NoMatch', 'InitialSilenceTimeout', 'BabbleTimeout']

const recognised = z.object({
  RecognitionStatus: z.string(),
  DisplayText: z.string().optional(),
  NBest: z.array(z.object({ Confidence: z.number().optional(), Display: z.string().optional() })).optional(),
})

interface AzureVoiceOptions extends Pick<AzureAccess, 'ttsUrl' | 'key'> {
  voice?: string | undefined
}

/** Synthesizes with the text to speech REST API, which delivers 8 kHz itself. */
export function createAzureVoice({ ttsUrl, key, voice }: AzureVoiceOptions): Speak {
  return async (text, locale, signal) => {
    const answer = await ask({
      provider,
      url: ttsUrl,
      headers: {
        'ocp-apim-subscription-key': key,
        'content-type': 'application/ssml+xml',
        'x-microsoft-outputformat': 'raw-8khz-16bit-mono-pcm',
        'user-agent': USER_AGENT,
      },
      body: ssml(text, LANGUAGES[locale], voice ?? VOICES[locale]),
      maxBytes: MAX_SOUND_BYTES,
      signal,
    })
    const pcm = soundOf(provider, answer)
    return pcm.subarray(0, pcm.length & ~1)
  }
}

/** Transcribes with the REST API for short audio: the complete utterance as a 16 kHz WAV. */
export function createAzureRecogniser({ sttUrl, key }: Pick<AzureAccess, 'sttUrl' | 'key'>): Recogniser {
  return {
    streams: false,
    async recognise({ locale, audio }, signal) {
      const samples = await resample(samplesOf(await wholeOf(audio)), SAMPLE_RATE, RECOGNISER_RATE)
      const { bytes } = await ask({
        provider,
        url: `${sttUrl}?language=${LANGUAGES[locale]}&format=detailed`,
        headers: {
          'ocp-apim-subscription-key': key,
          'content-type': `audio/wav; codecs=audio/pcm; samplerate=${RECOGNISER_RATE}`,
          accept: 'application/json',
          'user-agent': USER_AGENT,
        },
        body: writeRiff(pcmFrom(samples), RECOGNISER_RATE),
        maxBytes: MAX_JSON_BYTES,
        signal,
      })
      const answer = recognised.safeParse(jsonOf(provider, bytes))
      if (!answer.success) throw fail('SPEECH_INVALID', { provider, reason: 'JSON of another form' })
      const { RecognitionStatus: status, DisplayText, NBest: [best] = [] } = answer.data
      if (NOTHING.includes(status)) return { text: '', complete: true }
      const text = best?.Display ?? DisplayText
      if (status !== 'Success' || text === undefined) {
        throw fail('SPEECH_INVALID', { provider, reason: `status ${status.slice(0, 40)}` })
      }
      return { text, complete: true, ...(best?.Confidence !== undefined && { confidence: best.Confidence }) }
    },
  }
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

function ssml(text: string, language: string, voice: string): string {
  const plain = (value: string) => value.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
  return `<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="${language}"><voice name="${plain(voice)}">${plain(text)}</voice></speak>`
}
