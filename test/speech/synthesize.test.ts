import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { createSynthesizer, MAX_TEXT, type SynthesizerOptions } from '../../src/speech/synthesize.ts'
import { failure } from '../rig/failure.ts'
import { deadPort } from '../rig/ports.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { type Asked, json, keepingLog, rmsOf, shareOf, sine, startHttpPeer } from '../rig/speech-peer.ts'

const test = suite('speech: synthesize')
const KEY = 'sk-a-very-secret-key'
const TEXT = 'Boa noite, dona <Inês> & família "501"'
const pt = { locale: 'pt-BR' } as const

async function open(rig: Rig, url: string, more: Partial<SynthesizerOptions> = {}) {
  const scratch = await createTempDir('porteiro-speech-')
  rig.defer(() => scratch.remove())
  const synthesizer = await createSynthesizer({
    provider: 'openai',
    model: 'a-model',
    openai: { url, key: KEY },
    azure: { ttsUrl: `${url}/tts`, sttUrl: `${url}/stt`, key: KEY },
    cacheDir: join(scratch.path, 'speech'),
    cacheBytes: 1_000_000,
    timeoutMs: PATIENCE_MS,
    concurrency: 4,
    log: silentLog(),
    ...more,
  })
  rig.defer(() => synthesizer.close())
  return synthesizer
}

/** ms that nobody here needs, however busy the machine. */
const PATIENCE_MS = 30_000

const sound = (pcm: Buffer) => (_asked: Asked, response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'audio/pcm' }).end(pcm)
}

test('an OpenAI-compatible service is asked for PCM, which comes down to 8 kHz at the level of prompts', async (rig) => {
  const peer = await startHttpPeer(rig, sound(sine(440, 1000, 24_000)))
  const synthesizer = await open(rig, peer.url, { voice: 'nova' })
  const pcm = await synthesizer.synthesize(`  ${TEXT}\n`, pt)

  const [asked] = peer.asked
  assert.is(asked!.path, '/audio/speech')
  assert.is(asked!.headers.authorization, `Bearer ${KEY}`)
  assert.equal(JSON.parse(asked!.body.toString()), {
    model: 'a-model',
    voice: 'nova',
    input: TEXT,
    response_format: 'pcm',
  })
  // 60 ms of silence before and after
  assert.ok(Math.abs(pcm.length / 16 - 1120) < 5, `${pcm.length / 16} ms`)
  const tone = pcm.subarray(16 * 100, 16 * 1000)
  assert.ok(shareOf(440, tone) > 0.999, String(shareOf(440, tone)))
  assert.ok(Math.abs(rmsOf(tone) + 18) < 0.5, `${rmsOf(tone)} dBFS`)
})

test('what the telephone cannot carry is gone and not folded back', async (rig) => {
  const mixed = sine(1000, 500, 24_000)
  const high = sine(5000, 500, 24_000)
  for (let at = 0; at < mixed.length; at += 2) {
    mixed.writeInt16LE((mixed.readInt16LE(at) + high.readInt16LE(at)) >> 1, at)
  }
  const peer = await startHttpPeer(rig, sound(mixed))
  const pcm = (await (await open(rig, peer.url)).synthesize(TEXT, pt)).subarray(16 * 100, 16 * 500)
  assert.ok(shareOf(1000, pcm) > 0.999)
  assert.ok(shareOf(3000, pcm) < 1e-6, '5 kHz would come back as 3 kHz')
})

test('a service that sends a WAV in place of PCM is understood by its header', async (rig) => {
  const { writeRiff } = await import('../../src/speech/riff.ts')
  const peer = await startHttpPeer(rig, sound(writeRiff(sine(600, 400, 44_100), 44_100)))
  const pcm = await (await open(rig, peer.url)).synthesize(TEXT, pt)
  assert.ok(Math.abs(pcm.length / 16 - 520) < 5, `${pcm.length / 16} ms`)
  assert.ok(shareOf(600, pcm.subarray(1600, 16 * 440)) > 0.999)
})

test('Azure gets SSML in which the text is only text, and its 8 kHz are taken as they are', async (rig) => {
  const peer = await startHttpPeer(rig, sound(sine(700, 300)))
  const pcm = await (await open(rig, peer.url, { provider: 'azure' })).synthesize(TEXT, pt)
  const [asked] = peer.asked
  assert.is(asked!.path, '/tts')
  assert.is(asked!.headers['ocp-apim-subscription-key'], KEY)
  assert.is(asked!.headers['x-microsoft-outputformat'], 'raw-8khz-16bit-mono-pcm')
  assert.is(asked!.headers['content-type'], 'application/ssml+xml')
  const body = asked!.body.toString()
  assert.match(body, 'Boa noite, dona &lt;Inês&gt; &amp; família &quot;501&quot;</voice>')
  assert.match(body, 'xml:lang="pt-BR"><voice name="pt-BR-FranciscaNeural">')
  assert.ok(Math.abs(pcm.length / 16 - 420) < 5)
})

const FAILURES: Record<string, [string, (asked: Asked, response: ServerResponse) => void]> = {
  'a wrong key': ['SPEECH_REFUSED', (_, r) => r.writeHead(401).end(`{"error":"Incorrect key ${KEY}"}`)],
  'a server error': ['SPEECH_REFUSED', (_, r) => r.writeHead(503).end(TEXT)],
  'no answer': ['SPEECH_TIMEOUT', () => {}],
  'headers and then nothing': ['SPEECH_TIMEOUT', (_, r) => r.writeHead(200).write('ab')],
  'an empty answer': ['SPEECH_INVALID', (_, r) => r.writeHead(200).end()],
  'JSON in place of sound': ['SPEECH_INVALID', json({ text: TEXT })],
  'a page in place of sound': [
    'SPEECH_INVALID',
    (_, r) => r.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<p>'),
  ],
  silence: ['SPEECH_INVALID', sound(Buffer.alloc(48_000))],
  'sound without end': ['SPEECH_INVALID', sound(Buffer.alloc(5_000_000))],
  'a reset': ['SPEECH_UNREACHABLE', (_, r) => r.socket!.resetAndDestroy()],
  'a reset in the middle': [
    'SPEECH_UNREACHABLE',
    (_, r) => {
      r.writeHead(200, { 'content-length': '1000' }).write('ab', () => r.socket!.resetAndDestroy())
    },
  ],
  'a redirect': ['SPEECH_REFUSED', (_, r) => r.writeHead(307, { location: '/elsewhere' }).end()],
}

for (const [title, [code, answer]] of Object.entries(FAILURES)) {
  test(`${title} is ${code}, and neither key nor text is told`, async (rig) => {
    const peer = await startHttpPeer(rig, answer)
    const { log, lines } = keepingLog()
    const synthesizer = await open(rig, peer.url, {
      timeoutMs: code === 'SPEECH_TIMEOUT' ? 250 : PATIENCE_MS,
      log,
    })
    const error = await failure(synthesizer.synthesize(TEXT, pt))
    assert.is(error.code, code)
    assert.is(peer.asked.length, 1, 'a redirect is not followed')
    assert.is(synthesizer.status().failures, 1)
    assert.is(lines.filter((line) => line.includes(code)).length, 1)
    const told = `${lines.join('')}${error.message}${JSON.stringify(error.details)}`
    assert.not.ok(told.includes(KEY) || told.includes('Boa noite'), told)
  })
}

test('nobody at the address is SPEECH_UNREACHABLE with the reason', async (rig) => {
  const synthesizer = await open(rig, `http://127.0.0.1:${await deadPort()}`)
  const error = await failure(synthesizer.synthesize(TEXT, pt))
  assert.is(error.code, 'SPEECH_UNREACHABLE')
  assert.match(error.message, 'ECONNREFUSED')
})

test('the third failure in a row pauses, and then nobody is asked; cached words are still said', async (rig) => {
  let broken = false
  const peer = await startHttpPeer(rig, (asked, response) =>
    broken ? response.writeHead(500).end() : sound(sine(500, 200, 24_000))(asked, response),
  )
  const synthesizer = await open(rig, peer.url)
  const said = await synthesizer.synthesize('um', pt)
  broken = true
  for (const text of ['dois', 'três', 'quatro']) {
    assert.ok(synthesizer.ready)
    assert.is((await failure(synthesizer.synthesize(text, pt))).code, 'SPEECH_REFUSED')
  }
  assert.not.ok(synthesizer.ready)
  assert.is((await failure(synthesizer.synthesize('cinco', pt))).code, 'SPEECH_PAUSED')
  assert.is(peer.asked.length, 4)
  assert.is(await synthesizer.synthesize('um', pt), said)
})

test('a text that the provider rejects does not pause it', async (rig) => {
  const peer = await startHttpPeer(rig, (_, response) => response.writeHead(400).end())
  const synthesizer = await open(rig, peer.url)
  for (const text of ['um', 'dois', 'três', 'quatro']) await failure(synthesizer.synthesize(text, pt))
  assert.ok(synthesizer.ready)
  assert.is(peer.asked.length, 4)
})

test('equal requests at one time share one, and each may leave alone', async (rig) => {
  const answers: (() => void)[] = []
  const peer = await startHttpPeer(rig, (asked, response) => {
    answers.push(() => sound(sine(500, 200, 24_000))(asked, response))
  })
  const synthesizer = await open(rig, peer.url)
  const leaving = new AbortController()
  const first = failure(synthesizer.synthesize(TEXT, { ...pt, signal: leaving.signal }))
  const others = [1, 2, 3].map(() => synthesizer.synthesize(TEXT, pt))
  const english = synthesizer.synthesize(TEXT, { locale: 'en' })
  await eventually(() => (answers.length === 2 ? true : undefined))
  leaving.abort()
  assert.is((await first).code, 'SPEECH_CANCELLED')
  for (const answer of answers) answer()
  const [one, ...rest] = await Promise.all(others)
  for (const other of rest) assert.is(other, one)
  await english
  assert.is(peer.asked.length, 2, 'another language is another request')
})

test('when all have left, the provider is let go', async (rig) => {
  const peer = await startHttpPeer(rig, () => {})
  const synthesizer = await open(rig, peer.url)
  const leaving = new AbortController()
  const gone = [1, 2].map(() => failure(synthesizer.synthesize(TEXT, { ...pt, signal: leaving.signal })))
  await eventually(() => (peer.asked.length === 1 ? true : undefined))
  leaving.abort()
  for (const { code } of await Promise.all(gone)) assert.is(code, 'SPEECH_CANCELLED')
  await peer.abandoned
  assert.is(synthesizer.status().failures, 0, 'that was no failure of the provider')
  assert.is(
    (await failure(synthesizer.synthesize(TEXT, { ...pt, signal: leaving.signal }))).code,
    'SPEECH_CANCELLED',
  )
})

test('more than the places wait for a bounded time, then SPEECH_BUSY', async (rig) => {
  const peer = await startHttpPeer(rig, () => {})
  const synthesizer = await open(rig, peer.url, { concurrency: 1, timeoutMs: 300 })
  const [held, ...waiting] = ['um', 'dois', 'três', 'quatro', 'cinco', 'seis'].map((text) =>
    failure(synthesizer.synthesize(text, pt)),
  )
  assert.is((await waiting.at(-1)!).code, 'SPEECH_BUSY', 'four wait already')
  assert.is(synthesizer.status().waiting, 4)
  assert.is((await held!).code, 'SPEECH_TIMEOUT')
  const codes = (await Promise.all(waiting)).map(({ code }) => code)
  assert.ok(codes.includes('SPEECH_BUSY'), codes.join())
  assert.is(synthesizer.status().active, 0)
  assert.is(synthesizer.status().waiting, 0)
})

test('texts of no or too many characters are refused before anybody is asked', async (rig) => {
  const peer = await startHttpPeer(rig, () => {})
  const synthesizer = await open(rig, peer.url)
  for (const text of ['', ' \n\u0000\t', 'a'.repeat(MAX_TEXT + 1)]) {
    assert.is((await failure(synthesizer.synthesize(text, pt))).code, 'SPEECH_TEXT')
  }
  assert.is(peer.asked.length, 0)
})

test('closing ends what is under way', async (rig) => {
  const peer = await startHttpPeer(rig, () => {})
  const synthesizer = await open(rig, peer.url)
  const pending = failure(synthesizer.synthesize(TEXT, pt))
  await eventually(() => (peer.asked.length === 1 ? true : undefined))
  await synthesizer.close()
  assert.is((await pending).code, 'SPEECH_CANCELLED')
})

test('TTS=none says so at once', async (rig) => {
  const synthesizer = await open(rig, 'http://127.0.0.1:9', { provider: 'none' })
  assert.not.ok(synthesizer.ready)
  assert.is((await failure(synthesizer.synthesize(TEXT, pt))).code, 'SPEECH_OFF')
})

test('a word that was said is found again in memory and after a restart, and nobody is asked', async (rig) => {
  const peer = await startHttpPeer(rig, sound(sine(500, 4000, 24_000)))
  const scratch = await createTempDir('porteiro-speech-')
  rig.defer(() => scratch.remove())
  const first = await open(rig, peer.url, { cacheDir: scratch.path })
  const said = await first.synthesize(TEXT, pt)
  await first.close()
  const again = await open(rig, peer.url, { cacheDir: scratch.path })
  const fromDisk = await again.synthesize(TEXT, pt)
  assert.equal(fromDisk, said)
  assert.is(await again.synthesize(TEXT, pt), fromDisk, 'the very same sound: no file is read')
  assert.is(peer.asked.length, 1)
})

test.run()
