import * as assert from 'uvu/assert'
import {
  type Line,
  listenOnce,
  loadBabble,
  onTheLine,
  pairsOf,
  speechLevel,
  utterances,
  white,
} from './noisy-speech.ts'
import { suite } from './rig.ts'

const test = suite('endpointing', { timeout: 30_000 })

/** ms of silence that ends an utterance, as in src/calls/hearing.ts. */
const VISITOR = 1500
const RESIDENT = 600
/** ms that an utterance may end off its rule. */
const TOLERANCE = 200

const spoken = await utterances()

/** Speech as loud as the prompts, and as over a usual telephone; noise up to -38 dBFS. */
const LINES: Record<string, Line> = {
  'a quiet line': { level: -18, noise: null, snr: 0, seed: 1 },
  'a quiet line, softly': { level: -36, noise: null, snr: 0, seed: 1 },
  'a hissing line': { level: -18, noise: white, snr: 20, seed: 1 },
  'a hissing line, softly': { level: -30, noise: white, snr: 10, seed: 2 },
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
  const babble = await loadBabble()
  for (const seed of [1, 2, 3]) {
    for (const level of [-60, -50, -40, -35]) {
      assert.not.ok((await listenOnce(white(12_000, level, seed), RESIDENT)).heard, `white, ${level} dBFS`)
    }
    assert.not.ok((await listenOnce(babble(12_000, -62, seed), RESIDENT)).heard, 'people far away')
  }
})

test('the noise is as loud as it is said to be', async () => {
  for (const noise of [white, await loadBabble()]) {
    const sound = noise(10_000, -30, 1)
    let sum = 0
    for (let at = 0; at < sound.length; at += 2) sum += (sound.readInt16LE(at) / 32768) ** 2
    assert.ok(Math.abs(10 * Math.log10(sum / (sound.length / 2)) + 30) < 0.1)
  }
  assert.ok(Math.abs(speechLevel(white(1000, -30, 1)) + 30) < 0.2, 'and so is speech')
})

test.run()
