import * as assert from 'uvu/assert'
import { silentLog } from '../../src/platform/log.ts'
import { createTranscriber, type TranscriberOptions } from '../../src/speech/transcribe.ts'
import { failure } from '../rig/failure.ts'
import { deadPort } from '../rig/ports.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { pushFrames, serverFrame, sine, startVoskPeer, type VoskScript } from '../rig/speech-peer.ts'

const test = suite('speech: vosk')

/** ms that nobody here needs, however busy the machine. */
const PATIENCE_MS = 30_000

function open(rig: Rig, url: string, more: Partial<TranscriberOptions> = {}) {
  const transcriber = createTranscriber({
    provider: 'vosk',
    voskUrl: url,
    timeoutMs: PATIENCE_MS,
    concurrency: 4,
    log: silentLog(),
    ...more,
  })
  rig.defer(() => transcriber.close())
  return transcriber
}

async function hear(rig: Rig, script: VoskScript, pcm = sine(440, 500), more?: Partial<TranscriberOptions>) {
  const peer = await startVoskPeer(rig, script)
  const transcription = open(rig, peer.url, more).open({ locale: 'pt-BR', signal: rig.signal })
  pushFrames(transcription.push, pcm)
  return { peer, transcript: transcription.finish() }
}

test('the sound goes out while it is spoken, every sample of it, and the results are put together', async (rig) => {
  const words = (text: string, conf: number) => ({ text, result: [{ conf, word: text, start: 0, end: 1 }] })
  const peer = await startVoskPeer(rig, {
    piece: (session) => session.send(session.pieces === 3 ? words('apartamento', 1) : { partial: 'apar' }),
    eof: (session) => {
      session.send(words('cento e um', 0.5))
      session.close()
    },
  })
  const transcription = open(rig, peer.url).open({ locale: 'pt-BR', signal: rig.signal, hints: ['Inês'] })
  const pcm = sine(440, 1100)
  pushFrames(transcription.push, pcm.subarray(0, 16 * 700))
  const session = await eventually(() => peer.sessions[0])
  await eventually(() => (session.pieces === 3 ? true : undefined))
  pushFrames(transcription.push, pcm.subarray(16 * 700))
  assert.equal(await transcription.finish(), {
    text: 'apartamento cento e um',
    complete: true,
    confidence: 0.5,
  })
  assert.equal(session.sound, pcm)
  assert.equal(JSON.parse(session.texts[0]!), { config: { sample_rate: 8000, words: true } })
  assert.is(session.texts.at(-1), '{"eof" : 1}', 'the server compares it byte for byte')
})

test('a closed question becomes a grammar with room for everything else', async (rig) => {
  const peer = await startVoskPeer(rig, {
    eof: (session) => {
      session.send({ text: 'não [unk]' })
      session.close()
    },
  })
  const request = { locale: 'pt-BR', signal: rig.signal, hints: ['Sim', 'não'], closed: true } as const
  const transcription = open(rig, peer.url).open(request)
  pushFrames(transcription.push, sine(440, 200))
  assert.equal(await transcription.finish(), { text: 'não', complete: false }, 'more was said than "não"')
  assert.equal(JSON.parse(peer.sessions[0]!.texts[0]!).config.phrase_list, ['sim', 'não', '[unk]'])
})

test('{locale} in the address leads to the server of the language', async (rig) => {
  const paths: string[] = []
  const peer = await startVoskPeer(rig, {
    handshake: (socket, request) => {
      paths.push(request.url!)
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
    },
  })
  for (const locale of ['pt-BR', 'en'] as const) {
    const transcription = open(rig, `${peer.url}/{locale}`).open({ locale, signal: rig.signal })
    pushFrames(transcription.push, sine(440, 200))
    const error = await failure(transcription.finish())
    assert.is(error.code, 'SPEECH_REFUSED')
    assert.is(error.details['status'], 404)
  }
  assert.equal(paths, ['/pt-BR', '/en'])
})

test('alternatives, pings, fragments and messages in one segment are all understood', async (rig) => {
  const { peer, transcript } = await hear(rig, {
    opened: (session) => session.raw(serverFrame(9, Buffer.from('alive'))),
    eof: (session) => {
      const text = Buffer.from(JSON.stringify({ alternatives: [{ text: 'bloco b', confidence: 212.5 }] }))
      session.raw(
        Buffer.concat([
          serverFrame(1, text.subarray(0, 9), false),
          serverFrame(9, Buffer.alloc(0)),
          serverFrame(0, text.subarray(9)),
          serverFrame(8, Buffer.alloc(0)),
        ]),
      )
    },
  })
  assert.equal(await transcript, { text: 'bloco b', complete: true })
  assert.ok(peer.sessions[0]!.texts.includes('pong alive'))
})

test('a server that answers but does not close is let go when the last message has come', async (rig) => {
  const { peer, transcript } = await hear(rig, { eof: (session) => session.send({ text: 'sim' }) })
  assert.equal(await transcript, { text: 'sim', complete: true })
  await eventually(() => (peer.sockets.size === 0 ? true : undefined))
})

test('a server that is deaf to the goodbye, or says its own and then stays, costs no answer and no socket', async (rig) => {
  const scripts: VoskScript[] = [
    {
      eof: (session) => {
        session.socket.removeAllListeners('data').resume()
        session.send({ text: 'sim' })
      },
    },
    {
      eof: (session) => {
        session.socket.removeAllListeners('data').resume()
        session.raw(
          Buffer.concat([serverFrame(1, Buffer.from('{"text":"sim"}')), serverFrame(8, Buffer.alloc(0))]),
        )
      },
    },
  ]
  for (const script of scripts) {
    const { peer, transcript } = await hear(rig, script)
    assert.equal(await transcript, { text: 'sim', complete: true })
    await eventually(() => (peer.sockets.size === 0 ? true : undefined))
  }
})

test('a transcript of 100 kB comes in one long message and is cut', async (rig) => {
  const { transcript } = await hear(rig, {
    eof: (session) => {
      session.send({ text: 'palavra '.repeat(12_500) })
      session.close()
    },
  })
  const { text, complete } = await transcript
  assert.equal([text.length, complete], [2000, false])
})

test('unknown words and words of low confidence are reported: one may turn a sentence into its opposite', async (rig) => {
  const result = (words: [word: string, conf: number][]) => ({
    text: words.map(([word]) => word).join(' '),
    result: words.map(([word, conf]) => ({ word, conf, start: 0, end: 1 })),
  })
  const said: [words: [string, number][][], transcript: Record<string, unknown>][] = [
    [
      [
        [
          ['[unk]', 0.9],
          ['[unk]', 0.8],
          ['pode', 1],
          ['entrar', 1],
        ],
      ],
      { complete: false, confidence: 0.8 },
    ],
    [
      [
        [
          ['pode', 1],
          ['entrar', 0.2],
        ],
      ],
      { complete: true, confidence: 0.2 },
    ],
    [[[['[unk]', 1]], [['sim', 1]]], { complete: false, confidence: 1 }],
    [[[['sim', 0.97]]], { complete: true, confidence: 0.97 }],
  ]
  for (const [results, wanted] of said) {
    const { transcript } = await hear(rig, {
      eof: (session) => {
        for (const words of results) session.send(result(words))
        session.close()
      },
    })
    const { text, ...told } = await transcript
    assert.equal(told, wanted, text)
    assert.not.match(text, /unk/)
  }
})

const say = (message: unknown): VoskScript => ({ eof: (session) => session.send(message) })
const FAILURES: Record<string, [string, VoskScript]> = {
  'no JSON': ['SPEECH_INVALID', say('apartamento')],
  'an empty message': ['SPEECH_INVALID', say('')],
  'JSON of another form': ['SPEECH_INVALID', say({ text: ['sim'] })],
  'a number': ['SPEECH_INVALID', say(42)],
  'no WebSocket at all': ['SPEECH_UNREACHABLE', { handshake: (socket) => socket.end('220 smtp ready\r\n') }],
  'a proof that is wrong': [
    'SPEECH_INVALID',
    {
      handshake: (socket) =>
        socket.write(
          'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
        ),
    },
  ],
  'a refusal': [
    'SPEECH_REFUSED',
    { handshake: (socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n') },
  ],
  'no answer to the handshake': ['SPEECH_TIMEOUT', { handshake: () => {} }],
  'no answer to the end': ['SPEECH_TIMEOUT', { eof: () => {} }],
  'a reset at the handshake': ['SPEECH_UNREACHABLE', { handshake: (socket) => socket.resetAndDestroy() }],
  'a reset in the middle': ['SPEECH_UNREACHABLE', { piece: ({ socket }) => socket.resetAndDestroy() }],
  'an end in the middle': ['SPEECH_UNREACHABLE', { piece: ({ socket }) => socket.end() }],
  'a close without a result': ['SPEECH_INVALID', { eof: (session) => session.close() }],
  'a close in the middle': ['SPEECH_UNREACHABLE', { opened: (session) => session.close() }],
  'a masked frame': ['SPEECH_INVALID', { eof: ({ raw }) => raw(Buffer.from([0x81, 0x80, 0, 0, 0, 0])) }],
  'a frame with reserved bits': [
    'SPEECH_INVALID',
    { eof: ({ raw }) => raw(Buffer.from([0xc1, 0x01, 0x61])) },
  ],
  'a continuation of nothing': [
    'SPEECH_INVALID',
    { eof: ({ raw }) => raw(serverFrame(0, Buffer.from('a'))) },
  ],
  'a message of many gigabytes': [
    'SPEECH_INVALID',
    { eof: ({ raw }) => raw(Buffer.from([0x81, 127, 0, 0, 0, 9, 0, 0, 0, 0])) },
  ],
}

for (const [title, [code, script]] of Object.entries(FAILURES)) {
  test(`${title} is ${code}, and the socket is gone`, async (rig) => {
    const timeoutMs = code === 'SPEECH_TIMEOUT' ? 250 : PATIENCE_MS
    const { peer, transcript } = await hear(rig, script, undefined, { timeoutMs })
    assert.is((await failure(transcript)).code, code)
    await eventually(() => (peer.sockets.size === 0 ? true : undefined))
  })
}

test('a closed address is noticed before the last word, and reported with its reason', async (rig) => {
  const transcriber = open(rig, `ws://127.0.0.1:${await deadPort()}`)
  const transcription = transcriber.open({ locale: 'en', signal: rig.signal })
  pushFrames(transcription.push, sine(440, 400))
  await eventually(() => (transcriber.status().failures === 1 ? true : undefined))
  const error = await failure(transcription.finish())
  assert.is(error.code, 'SPEECH_UNREACHABLE')
  assert.match(error.message, 'ECONNREFUSED')
})

test('a visitor who leaves takes the connection along, in every state', async (rig) => {
  for (const script of [{ handshake: () => {} }, {}, { eof: () => {} }] as VoskScript[]) {
    const peer = await startVoskPeer(rig, script)
    const transcriber = open(rig, peer.url)
    const leaving = new AbortController()
    const transcription = transcriber.open({ locale: 'en', signal: leaving.signal })
    pushFrames(transcription.push, sine(440, 400))
    await eventually(() => (peer.sockets.size === 1 ? true : undefined))
    const finished = script.eof ? failure(transcription.finish()) : undefined
    leaving.abort()
    assert.is((await (finished ?? failure(transcription.finish()))).code, 'SPEECH_CANCELLED')
    await eventually(() => (peer.sockets.size === 0 ? true : undefined))
    assert.is(transcriber.status().active, 0)
  }
})

test('silence on the line is let go without a question', async (rig) => {
  const peer = await startVoskPeer(rig)
  const transcriber = open(rig, peer.url)
  const transcription = transcriber.open({ locale: 'en', signal: rig.signal })
  await eventually(() => peer.sessions[0])
  assert.equal(await transcription.finish(), { text: '', complete: true })
  await eventually(() => (peer.sockets.size === 0 ? true : undefined))
})

test('an utterance that waited for a place is transcribed from its first sample', async (rig) => {
  const peer = await startVoskPeer(rig)
  const transcriber = open(rig, peer.url, { concurrency: 1 })
  const first = transcriber.open({ locale: 'en', signal: rig.signal })
  const second = transcriber.open({ locale: 'en', signal: rig.signal })
  pushFrames(first.push, sine(440, 300))
  pushFrames(second.push, sine(880, 300))
  await Promise.all([first.finish(), second.finish()])
  assert.equal(
    peer.sessions.map(({ sound }) => sound),
    [sine(440, 300), sine(880, 300)],
  )
})

test.run()
