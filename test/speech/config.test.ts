import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/index.ts'
import type { PorteiroError } from '../../src/platform/errors.ts'
import { suite } from '../rig/rig.ts'

const test = suite('speech: config')

function problemsOf(environment: Record<string, string>): string[] {
  try {
    parseConfig(environment)
    return []
  } catch (error) {
    return (error as PorteiroError).details['problems'] as string[]
  }
}

test('unset, it speaks by espeak where that is, and understands keys alone', () => {
  const { tts, stt } = parseConfig({ DATA_DIR: '/var/lib/porteiro' }).speech
  assert.is(tts.provider, 'auto')
  assert.is(tts.cacheDir, '/var/lib/porteiro/speech')
  assert.is(tts.cacheBytes, 64_000_000)
  assert.is(stt.provider, 'none')
})

test('everything that the chosen providers lack is said at once', () => {
  assert.equal(problemsOf({ TTS: 'azure', STT: 'openai' }), [
    'AZURE_SPEECH_REGION is needed for TTS=azure',
    'AZURE_SPEECH_KEY is needed for TTS=azure',
    'OPENAI_API_KEY is needed for STT=openai',
  ])
  assert.equal(problemsOf({ STT: 'vosk' }), ['VOSK_URL is needed for STT=vosk'])
  assert.equal(problemsOf({ STT: 'vosk', VOSK_URL: 'http://vosk' }), [
    'VOSK_URL must be a URL such as ws://host:2700',
  ])
})

test("a service of one's own needs no key, and its URL no last slash", () => {
  const { stt, tts } = parseConfig({
    STT: 'openai',
    TTS: 'openai',
    OPENAI_BASE_URL: 'http://box:8000/v1/',
  }).speech
  assert.equal(stt.openai, { url: 'http://box:8000/v1', key: undefined })
  assert.is(tts.provider, 'openai')
})

test('a password in OPENAI_BASE_URL is refused, one Vosk server a language allowed', () => {
  assert.is(problemsOf({ OPENAI_BASE_URL: 'https://me:secret@host/v1' }).length, 1)
  assert.equal(problemsOf({ STT: 'vosk', VOSK_URL: 'ws://vosk:2700/#en' }), [
    'VOSK_URL must be a URL such as ws://host:2700',
  ])
  assert.equal(problemsOf({ STT: 'vosk', VOSK_URL: 'ws://vosk-{locale}:2700' }), [])
})

test('Azure is known by its region or by the endpoint of one resource', () => {
  const azureOf = (AZURE_SPEECH_REGION: string) =>
    parseConfig({ STT: 'azure', AZURE_SPEECH_REGION, AZURE_SPEECH_KEY: 'k' }).speech.stt.azure
  assert.equal(azureOf('brazilsouth'), {
    ttsUrl: 'https://brazilsouth.tts.speech.microsoft.com/cognitiveservices/v1',
    sttUrl:
      'https://brazilsouth.stt.speech.microsoft.com/speech/recognition/conversation/cognitiveservices/v1',
    key: 'k',
  })
  assert.is(
    azureOf('https://gate.cognitiveservices.azure.com/')!.ttsUrl,
    'https://gate.cognitiveservices.azure.com/tts/cognitiveservices/v1',
  )
})

test.run()
