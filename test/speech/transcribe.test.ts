import type { ServerResponse } from 'node:http'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { readRiff } from '../../src/speech/riff.ts'
import { createTranscriber, MAX_TRANSCRIPT, type TranscriberOptions } from '../../src/speech/transcribe.ts'
import { failure } from '../rig/failure.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { type Asked, json, keepingLog, pushFrames, shareOf, sine, startHttpPeer } from '../rig/speech-peer.ts'

const test = suite('speech: transcribe')
const KEY = 'sk-a-very-secret-key'
/** ms that nobody here needs, however busy the machine. */
const PATIENCE_MS = 30_000
const SAID = 'quero falar com a dona Inês'

function open(rig: Rig, url: string, more: Partial<TranscriberOptions> = {}) {
  const transcriber = createTranscriber({
    provider: 'openai',
    model: 'a-model',
    openai: { url, key: KEY },
    azure: { ttsUrl: `${url}/tts`, sttUrl: `${url}/stt`, key: KEY },
    timeoutMs: PATIENCE_MS,
    concurrency: 4,
    log: silentLog(),
    ...more,
  })
  rig.defer(() => transcriber.close())
  return transcriber
}

/** One answer of 400 ms, spoken at once. */
function hear(rig: Rig, transcriber: ReturnType<typeof open>, pcm = sine(440, 400), signal = rig.signal) {
  const transcription = transcriber.open({ locale: 'pt-BR', signal })
  pushFrames(transcription.push, pcm)
  return transcription.finish()
}

/** The parts of a multipart body by name. */
function partsOf({ headers, body }: Asked): Record<string, Buffer> {
  const boundary = `--${/boundary=(.+)$/.exec(headers['content-type']!)![1]}`
  const parts = body.toString('latin1').split(boundary).slice(1, -1)
  return Object.fromEntries(
    parts.map((part) => {
      const [head, ...rest] = part.split('\r\n\r\n')
      const content = rest.join('\r\n\r\n').slice(0, -2)
      return [/name="(\w+)"/.exec(head!)![1]!, Buffer.from(content, 'latin1')]
    }),
  )
}

test('an OpenAI-compatible service gets every sample as a WAV, with language and hints', async (rig) => {
  const peer = await startHttpPeer(rig, json({ text: ` ${SAID}\n` }))
  const pcm = sine(440, 1260)
  const transcription = open(rig, peer.url).open({
    locale: 'pt-BR',
    signal: rig.signal,
    hints: ['Inês', 'Bloco B'],
  })
  pushFrames(transcription.push, pcm)
  assert.is(peer.asked.length, 0, 'nothing is asked before the answer is over')
  assert.equal(await transcription.finish(), { text: SAID, complete: true })
  assert.is(peer.asked[0]!.path, '/audio/transcriptions')
  assert.is(peer.asked[0]!.headers.authorization, `Bearer ${KEY}`)
  const { file, ...fields } = partsOf(peer.asked[0]!)
  assert.equal(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.toString()])), {
    model: 'a-model',
    language: 'pt',
    response_format: 'json',
    prompt: Buffer.from('Inês, Bloco B').toString(),
  })
  assert.equal(readRiff(file!), { rate: 8000, pcm })
})

test('Azure gets the 16 kHz that it documents, and tells how sure it is', async (rig) => {
  const answer = { RecognitionStatus: 'Success', NBest: [{ Confidence: 0.87, Display: SAID }] }
  const peer = await startHttpPeer(rig, json(answer))
  const transcriber = open(rig, peer.url, { provider: 'azure' })
  assert.equal(await hear(rig, transcriber, sine(440, 1000)), {
    text: SAID,
    complete: true,
    confidence: 0.87,
  })
  const [asked] = peer.asked
  assert.is(asked!.path, '/stt?language=pt-BR&format=detailed')
  assert.is(asked!.headers['ocp-apim-subscription-key'], KEY)
  assert.is(asked!.headers['content-type'], 'audio/wav; codecs=audio/pcm; samplerate=16000')
  const { rate, pcm } = readRiff(asked!.body)!
  assert.is(rate, 16_000)
  assert.is(pcm.length, 32_000)
  assert.ok(shareOf(440, pcm, 16_000) > 0.999, String(shareOf(440, pcm, 16_000)))
})

test('Azure may have understood nothing without having failed', async (rig) => {
  for (const status of ['NoMatch', 'InitialSilenceTimeout', 'BabbleTimeout']) {
    const peer = await startHttpPeer(rig, json({ RecognitionStatus: status, Offset: 1, Duration: 0 }))
    assert.equal(await hear(rig, open(rig, peer.url, { provider: 'azure' })), { text: '', complete: true })
  }
  const peer = await startHttpPeer(rig, json({ RecognitionStatus: 'Error' }))
  assert.is((await failure(hear(rig, open(rig, peer.url, { provider: 'azure' })))).code, 'SPEECH_INVALID')
})

const FAILURES: Record<string, [string, (asked: Asked, response: ServerResponse) => void]> = {
  'a wrong key': ['SPEECH_REFUSED', (_, r) => r.writeHead(401).end(`{"error":"Incorrect key ${KEY}"}`)],
  'no answer': ['SPEECH_TIMEOUT', () => {}],
  'an answer that drips': ['SPEECH_TIMEOUT', (_, r) => r.writeHead(200).write('{"text":"')],
  'an empty answer': ['SPEECH_INVALID', (_, r) => r.writeHead(200).end()],
  'no JSON': ['SPEECH_INVALID', (_, r) => r.writeHead(200).end(`<p>${SAID}`)],
  'JSON without text': ['SPEECH_INVALID', json({ transcript: SAID })],
  'text that is none': ['SPEECH_INVALID', json({ text: { authorized: true } })],
  'JSON without end': ['SPEECH_INVALID', json({ text: 'a'.repeat(300_000) })],
  'a reset': ['SPEECH_UNREACHABLE', (_, r) => r.socket!.resetAndDestroy()],
}

for (const [title, [code, answer]] of Object.entries(FAILURES)) {
  test(`${title} is ${code}, and neither key nor words are told`, async (rig) => {
    const peer = await startHttpPeer(rig, answer)
    const { log, lines } = keepingLog()
    const transcriber = open(rig, peer.url, { timeoutMs: code === 'SPEECH_TIMEOUT' ? 250 : PATIENCE_MS, log })
    const error = await failure(hear(rig, transcriber))
    assert.is(error.code, code)
    assert.is(transcriber.status().failures, 1)
    assert.is(transcriber.status().active, 0)
    const told = `${lines.join('')}${error.message}${JSON.stringify(error.details)}${error.cause}`
    assert.not.ok(told.includes(KEY) || told.includes('dona'), told)
  })
}

test('a transcript of 10 kB is cut, and loses its control characters', async (rig) => {
  const peer = await startHttpPeer(rig, json({ text: `a\u0000\n\tb ${'😀'.repeat(3000)}` }))
  const { text, complete } = await hear(rig, open(rig, peer.url))
  assert.equal([text.length, complete], [MAX_TRANSCRIPT, false])
  assert.ok(text.startsWith('a b 😀'))
  assert.ok(text.isWellFormed())
})

test('after ten seconds nothing more is taken', async (rig) => {
  const peer = await startHttpPeer(rig, json({ text: SAID }))
  const { complete } = await hear(rig, open(rig, peer.url), sine(440, 12_000))
  assert.is(complete, false, 'the rest of it may take the beginning back')
  const { pcm } = readRiff(partsOf(peer.asked[0]!)['file']!)!
  assert.equal(pcm, sine(440, 10_000))
})

test('an answer without any sound is empty, and nobody is asked', async (rig) => {
  const peer = await startHttpPeer(rig, json({ text: SAID }))
  const transcription = open(rig, peer.url).open({ locale: 'en', signal: rig.signal })
  assert.equal(await transcription.finish(), { text: '', complete: true })
  transcription.push(new Int16Array(160))
  assert.equal(await transcription.finish(), { text: '', complete: true })
  assert.is(peer.asked.length, 0)
})

test('a visitor who leaves ends it, before and after the last word', async (rig) => {
  const peer = await startHttpPeer(rig, () => {})
  const transcriber = open(rig, peer.url)
  const leaving = new AbortController()
  const speaking = transcriber.open({ locale: 'pt-BR', signal: leaving.signal })
  const waiting = failure(hear(rig, transcriber, undefined, leaving.signal))
  pushFrames(speaking.push, sine(440, 400))
  await eventually(() => (peer.asked.length === 1 ? true : undefined))
  leaving.abort()
  assert.is((await waiting).code, 'SPEECH_CANCELLED')
  assert.is((await failure(speaking.finish())).code, 'SPEECH_CANCELLED')
  await peer.abandoned
  assert.is(transcriber.status().failures, 0)
  assert.is((await failure(hear(rig, transcriber, undefined, leaving.signal))).code, 'SPEECH_CANCELLED')
})

test('the third failure in a row pauses: the next caller falls back to keys, and nobody is asked', async (rig) => {
  const peer = await startHttpPeer(rig, (_, response) => response.writeHead(500).end())
  const transcriber = open(rig, peer.url)
  for (let n = 0; n < 3; n++) assert.is((await failure(hear(rig, transcriber))).code, 'SPEECH_REFUSED')
  assert.not.ok(transcriber.ready)
  assert.is((await failure(hear(rig, transcriber))).code, 'SPEECH_PAUSED')
  assert.is(peer.asked.length, 3)
})

test('without a free place in the time of an answer the result is SPEECH_BUSY, which is no failure', async (rig) => {
  const peer = await startHttpPeer(rig, () => {})
  const transcriber = open(rig, peer.url, { concurrency: 1 })
  const first = failure(hear(rig, transcriber))
  const quick = createTranscriber({
    provider: 'openai',
    model: 'a-model',
    openai: { url: peer.url },
    timeoutMs: 200,
    concurrency: 1,
    log: silentLog(),
  })
  rig.defer(() => quick.close())
  const [held, queued] = [failure(hear(rig, quick)), failure(hear(rig, quick))]
  assert.is((await held).code, 'SPEECH_TIMEOUT')
  assert.ok(['SPEECH_BUSY', 'SPEECH_TIMEOUT'].includes((await queued).code))
  const crowd = Array.from({ length: 6 }, () => failure(hear(rig, transcriber)))
  assert.is((await crowd.at(-1)!).code, 'SPEECH_BUSY')
  await transcriber.close()
  for (const { code } of await Promise.all([first, ...crowd])) {
    assert.ok(code === 'SPEECH_CANCELLED' || code === 'SPEECH_BUSY', code)
  }
  assert.is(transcriber.status().failures, 0)
})

test('STT=none says so at once', async (rig) => {
  const transcriber = open(rig, 'http://127.0.0.1:9', { provider: 'none' })
  assert.not.ok(transcriber.ready)
  assert.is((await failure(hear(rig, transcriber))).code, 'SPEECH_OFF')
})

test.run()
