import * as assert from 'uvu/assert'
import { createEar, type Ear, type EarFact } from '../../src/media/index.ts'
import { listenTo } from '../../src/mediaport/utterance-recorder.ts'
import { FRAME_BYTES, SAMPLE_RATE } from '../../src/platform/audio.ts'
import { silentLog } from '../../src/platform/log.ts'
import { createTranscriber, type Transcriber } from '../../src/speech/index.ts'
import { engine, silence } from '../rig/media-stream.ts'
import { utterances } from '../rig/noisy-speech.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { startVoskPeer } from '../rig/speech-peer.ts'

const test = suite('listening')

const RULES = { locale: 'pt-BR', silenceMs: 600, maxMs: 10_000 } as const
const spoken = await utterances()

function earOf(rig: Rig, onFact: (fact: EarFact) => void = () => {}): Ear {
  const ear = createEar({ vad: engine, onFact })
  rig.defer(() => ear.close())
  return ear
}

function hearAll(ear: Ear, sound: Buffer): void {
  for (let at = 0; at + FRAME_BYTES <= sound.length; at += FRAME_BYTES)
    ear.audio(sound, at, at + FRAME_BYTES, SAMPLE_RATE)
}

/** A transcriber that keeps what it is given. */
function keeping() {
  const pieces: Buffer[] = []
  const transcriber = {
    open: () => ({
      push: (samples: Int16Array) =>
        pieces.push(Buffer.from(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength))),
      finish: async () => ({ text: 'sim', complete: true }),
    }),
  } as unknown as Transcriber
  return { transcriber, heard: () => Buffer.concat(pieces) }
}

for (const lateFrames of [0, 1, 3]) {
  const when = lateFrames === 0 ? 'at that very moment' : `${lateFrames * 20} ms later`
  test(`the first word of somebody who speaks into a prompt is whole, when listening begins ${when}`, async (rig) => {
    for (const { name, pcm } of spoken) {
      const { transcriber, heard } = keeping()
      const stop = new AbortController()
      let listening: ReturnType<typeof listenTo> | undefined
      let late: number | undefined
      const begin = () => {
        listening = listenTo(ear, transcriber, { ...RULES, signal: stop.signal })
      }
      const ear = earOf(rig, ({ type }) => {
        if (type !== 'speech.started' || listening || late !== undefined) return
        if (lateFrames === 0) begin()
        else late = lateFrames
      })
      const sound = Buffer.concat([silence(1000), pcm, silence(1500)])
      const whole = Math.floor(pcm.length / FRAME_BYTES) * FRAME_BYTES
      for (let at = 0; at + FRAME_BYTES <= sound.length; at += FRAME_BYTES) {
        ear.audio(sound, at, at + FRAME_BYTES, SAMPLE_RATE)
        if (late !== undefined && --late === 0) begin()
      }
      const utterance = await listening!
      assert.ok(utterance.interrupts)
      assert.ok(
        heard().includes(pcm.subarray(0, Math.min(whole, 16_000))),
        `${name}: heard from its first sample`,
      )
      assert.ok(
        utterance.pcm.includes(pcm.subarray(0, Math.min(whole, 8000))),
        `${name}: kept from its first sample`,
      )
      assert.ok(heard().length <= pcm.length + 16 * (300 + 1500 + 40), 'and nothing twice')
    }
  })
}

test('a sentence whose beginning or end was missed is not complete', async (rig) => {
  const { transcriber } = keeping()
  const stop = new AbortController()
  const { pcm } = spoken[0]!
  const listenNow = () => listenTo(ear, transcriber, { ...RULES, signal: stop.signal })
  let ear = earOf(rig)
  const whole = listenNow()
  hearAll(ear, Buffer.concat([silence(1000), pcm, silence(1500)]))
  const { complete, interrupts } = await whole
  assert.equal([complete, interrupts], [true, false])

  ear = earOf(rig)
  hearAll(ear, Buffer.concat([silence(1000), pcm]))
  const goesOn = listenNow()
  hearAll(ear, Buffer.concat([pcm, silence(1500)]))
  assert.is((await goesOn).complete, false, 'somebody was speaking when we began to listen')

  ear = earOf(rig)
  hearAll(ear, Buffer.concat([silence(1000), pcm, silence(3000)]))
  const later = listenNow()
  hearAll(ear, Buffer.concat([silence(1000), pcm, silence(1500)]))
  assert.is((await later).complete, true, 'what was said long before is another sentence')

  ear = earOf(rig)
  const long = listenTo(ear, transcriber, { ...RULES, maxMs: 400, signal: stop.signal })
  hearAll(ear, Buffer.concat([silence(1000), pcm, silence(1500)]))
  assert.is((await long).complete, false, 'it went on after the longest utterance')
})

test('what follows an utterance is heard until it has been quiet for long enough', async (rig) => {
  const { pcm } = spoken[0]!
  const stop = new AbortController()
  const begin = (ear: Ear, follows?: { spokenAt: number; quietMs: number }) => {
    const { transcriber } = keeping()
    return listenTo(ear, transcriber, { ...RULES, signal: stop.signal, ...(follows && { follows }) })
  }
  /** One utterance, then `between` before we listen on, then `after`. */
  const heard = async (between: Buffer, after: Buffer) => {
    const ear = earOf(rig)
    const first = begin(ear)
    hearAll(ear, Buffer.concat([silence(1000), pcm, silence(700), between]))
    const { spokenAt } = await first
    const rest = begin(ear, { spokenAt, quietMs: 1200 })
    hearAll(ear, after)
    const { text, complete } = await rest
    return { text, complete }
  }
  const whole = silence(1500)
  const quiet = await heard(silence(0), silence(600))
  assert.equal([quiet.text, quiet.complete], ['', true], 'nothing more')
  const goesOn = await heard(silence(100), Buffer.concat([silence(200), pcm, whole]))
  assert.equal([goesOn.text, goesOn.complete], ['sim', true], 'the rest is heard')
  const late = await heard(silence(2000), silence(20))
  assert.equal([late.text, late.complete], ['', true], 'the text took longer than the pause: no further wait')
  const missed = await heard(Buffer.concat([silence(100), pcm, silence(100)]), whole)
  assert.is(missed.complete, false, 'speech while the text was awaited')
  const cut = await heard(Buffer.concat([silence(100), pcm]), Buffer.concat([pcm, whole]))
  assert.is(cut.complete, false, 'and speech that still goes on')
})

test('an utterance that ended before the command is not transcribed', async (rig) => {
  const { transcriber, heard } = keeping()
  const stop = new AbortController()
  const ear = earOf(rig)
  hearAll(ear, Buffer.concat([silence(500), spoken[0]!.pcm, silence(500)]))
  const listening = listenTo(ear, transcriber, { ...RULES, signal: stop.signal })
  hearAll(ear, silence(3000))
  stop.abort()
  assert.is((await listening).text, '')
  assert.is(heard().length, 0)
})

test('a streaming recogniser has a place from the first word to the last, and none while nobody speaks', async (rig) => {
  const peer = await startVoskPeer(rig, {
    eof: (session) => {
      session.send({ text: 'sim' })
      session.close()
    },
  })
  const transcriber = createTranscriber({
    provider: 'vosk',
    voskUrl: peer.url,
    timeoutMs: 30_000,
    concurrency: 4,
    log: silentLog(),
  })
  rig.defer(() => transcriber.close())
  const active = () => transcriber.status().active
  const ear = earOf(rig)

  const listening = listenTo(ear, transcriber, { ...RULES, signal: rig.signal })
  hearAll(ear, silence(5000))
  assert.is(active(), 0, 'while they think')
  hearAll(ear, spoken[0]!.pcm)
  await eventually(() => active() === 1 || undefined)
  hearAll(ear, silence(1000))
  assert.is((await listening).text, 'sim')
  await eventually(() => active() === 0 || undefined)

  const stop = new AbortController()
  const cut = listenTo(ear, transcriber, { ...RULES, signal: stop.signal }).catch(({ code }) => code)
  hearAll(ear, Buffer.concat([silence(1000), spoken[0]!.pcm]))
  await eventually(() => active() === 1 || undefined)
  stop.abort()
  assert.is(await cut, 'SPEECH_CANCELLED')
  await eventually(() => active() === 0 || undefined)
})

test.run()
