import * as assert from 'uvu/assert'
import { silence, synth } from '../rig/media-stream.ts'
import {
  type Line,
  listenOnce,
  loadBabble,
  mix,
  onTheLine,
  pairsOf,
  speechLevel,
  utterances,
  white,
} from '../rig/noisy-speech.ts'
import { suite } from '../rig/rig.ts'

const test = suite('endpointing', { timeout: 30_000 })

/** ms of silence that ends an utterance, as in src/calls/speech-effects.ts. */
const VISITOR = 1500
const RESIDENT = 600
/** ms that an utterance may end off its rule. */
const TOLERANCE = 200

const spoken = await utterances()
const babble = await loadBabble()

/** Speech as loud as the prompts, and as over a usual telephone; noise up to -28 dBFS, voices up to -38 dBFS. */
const LINES: Record<string, Line> = {
  'a quiet line': { level: -18, noise: null, snr: 0, seed: 1 },
  'a quiet line, softly': { level: -36, noise: null, snr: 0, seed: 1 },
  'a hissing line': { level: -18, noise: white, snr: 20, seed: 1 },
  'a hissing line, softly': { level: -30, noise: white, snr: 10, seed: 2 },
  'a roaring line': { level: -18, noise: white, snr: 10, seed: 3 },
  'a line with people behind': { level: -18, noise: babble, snr: 20, seed: 4 },
  'a line with people behind, softly': { level: -30, noise: babble, snr: 20, seed: 5 },
}

for (const [name, line] of Object.entries(LINES)) {
  test(`an utterance ends its silence after the speech, within ${TOLERANCE} ms, on ${name}`, async () => {
    for (const one of spoken) {
      for (const rule of [VISITOR, RESIDENT]) {
        const { sound, endMs } = onTheLine([one], 0, line)
        const { endedAt } = await listenOnce(sound, rule)
        assert.ok(endedAt !== undefined, `${one.name}: its end is heard`)
        const off = endedAt! - endMs - rule
        assert.ok(Math.abs(off) <= TOLERANCE, `${one.name}: ${off} ms off ${rule}`)
      }
    }
  })
}

for (const [name, line] of Object.entries(LINES)) {
  test(`a pause for thought, up to 1.2 s, does not cut a visitor on ${name}`, async () => {
    for (const parts of pairsOf(spoken)) {
      for (const pauseMs of [400, 800, 1200]) {
        const { sound, endMs } = onTheLine(parts, pauseMs, line)
        const { endedAt } = await listenOnce(sound, VISITOR)
        assert.ok(
          endedAt !== undefined && endedAt >= endMs,
          `${parts.map((part) => part.name).join(', ')}: cut at ${endedAt} of ${endMs} ms by ${pauseMs} ms`,
        )
      }
    }
  })
}

test('a resident’s answer survives a pause of 400 ms, and is over after one of 800 ms', async () => {
  const line = LINES['a hissing line']!
  for (const parts of pairsOf(spoken)) {
    const endOf = async (pauseMs: number) => {
      const { sound, startMs, endMs } = onTheLine(parts, pauseMs, line)
      const { endedAt } = await listenOnce(sound, RESIDENT)
      return { endedAt: endedAt!, firstMs: startMs + parts[0]!.pcm.length / 16, endMs }
    }
    const short = await endOf(400)
    assert.ok(short.endedAt >= short.endMs)
    const long = await endOf(800)
    const off = long.endedAt - long.firstMs - RESIDENT
    assert.ok(Math.abs(off) <= TOLERANCE, `${parts[0]!.name}: ${off} ms off`)
  }
})

test('the noise of a line on which nobody speaks begins no utterance', async () => {
  for (const seed of [1, 2, 3]) {
    for (const level of [-60, -50, -40, -35, -30, -20]) {
      assert.not.ok((await listenOnce(white(12_000, level, seed), RESIDENT)).heard, `white, ${level} dBFS`)
    }
    assert.not.ok((await listenOnce(babble(12_000, -62, seed), RESIDENT)).heard, 'people far away')
  }
})

test('a noise that sets in while somebody speaks does not keep them speaking', async () => {
  const [one] = spoken
  const { sound, endMs } = onTheLine([one!], 0, { level: -18, noise: null, snr: 0, seed: 1 })
  const from = (endMs - 300) * 16
  const roar = mix(sound.subarray(from), white((sound.length - from) / 16, -26, 6))
  const { endedAt } = await listenOnce(Buffer.concat([sound.subarray(0, from), roar]), RESIDENT)
  // until three seconds of it are known, it may be speech
  assert.ok(endedAt !== undefined && endedAt - endMs < 3000 + RESIDENT + 500, `${endedAt} of ${endMs} ms`)
})

test('somebody who speaks softly after a horn is heard, and so is one who turns away', async () => {
  const [one, other] = spoken
  const horn = synth(1500, (i) => 0.7 * Math.sign(Math.sin((2 * Math.PI * 400 * i) / 8000)))
  const soft = onTheLine([one!], 0, { level: -36, noise: null, snr: 0, seed: 1 })
  const blown = Buffer.concat([horn, silence(6000), soft.sound])
  const { heard, endedAt } = await listenOnce(blown, RESIDENT)
  assert.ok(heard)
  assert.ok(Math.abs(endedAt! - 7500 - soft.endMs - RESIDENT) <= TOLERANCE, `${endedAt} of ${soft.endMs} ms`)

  const near = onTheLine([one!], 0, { level: -18, noise: null, snr: 0, seed: 1 })
  const away = onTheLine([other!], 0, { level: -28, noise: null, snr: 0, seed: 1 })
  const turned = Buffer.concat([
    near.sound.subarray(0, near.endMs * 16 + 6400),
    away.sound.subarray(away.startMs * 16),
  ])
  const wanted = near.endMs + 400 + away.endMs - away.startMs
  const both = await listenOnce(turned, VISITOR)
  assert.ok(Math.abs(both.endedAt! - wanted - VISITOR) <= TOLERANCE, `${both.endedAt} of ${wanted} ms`)
})

test('the noise is as loud as it is said to be', async () => {
  for (const noise of [white, babble]) {
    const sound = noise(10_000, -30, 1)
    let sum = 0
    for (let at = 0; at < sound.length; at += 2) sum += (sound.readInt16LE(at) / 32768) ** 2
    assert.ok(Math.abs(10 * Math.log10(sum / (sound.length / 2)) + 30) < 0.1)
  }
  assert.ok(Math.abs(speechLevel(white(1000, -30, 1)) + 30) < 0.2, 'and so is speech')
})

test.run()
