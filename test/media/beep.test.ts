import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { readWav } from '../../src/media/wav.ts'
import { addNoise, capture, listen, silence, soundOf, synth, tone } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('beeps', { timeout: 60_000 })

const PROMPTS = fileURLToPath(new URL('../../prompts', import.meta.url))

const wave = (hz: number, i: number) => Math.sin((2 * Math.PI * hz * i) / 8000)
/** A steady tone; `level` is the dBFS of its peak. */
const sine = (hz: number, ms: number, level = -12) => synth(ms, (i) => 10 ** (level / 20) * wave(hz, i))
/** A tone that changes with time. */
const note = (ms: number, at: (seconds: number) => number) => synth(ms, (i) => at(i / 8000))

/** How many beeps are heard in this sound. */
function beepsIn(...parts: Buffer[]): number {
  const sound = Buffer.concat(parts)
  const facts = listen((ear) => ear.audio(sound, 0, sound.length, 8000), {}, true)
  return facts.filter(({ type }) => type === 'beep.heard').length
}

test('hears a tone of 150 ms from 350 to 1,500 Hz once, wherever it begins in a frame', () => {
  for (const hz of [355, 400, 440, 480, 620, 800, 1000, 1400, 1490]) {
    for (const shift of [0, 3, 7.5, 10, 13, 17])
      assert.is(beepsIn(silence(200 + shift), sine(hz, 150), silence(200)), 1, `${hz} Hz after ${shift} ms`)
    assert.is(beepsIn(silence(200), sine(hz, 1200), silence(200)), 1, `${hz} Hz, long`)
  }
})

test('hears a faint beep, and one on a noisy line', () => {
  for (const level of [-3, -20, -34])
    assert.is(beepsIn(silence(100), sine(1000, 400, level)), 1, `${level} dBFS`)
  for (const snr of [26, 30, 36]) {
    const noisy = addNoise(Buffer.concat([silence(300), sine(1000, 400)]), -15 - snr)
    assert.is(beepsIn(noisy), 1, `${snr} dB above the noise`)
  }
})

test('takes shorter tones and tones of other frequencies for no beep', () => {
  for (const hz of [400, 1000]) assert.is(beepsIn(silence(100), sine(hz, 110), silence(100)), 0, `${hz} Hz`)
  for (const hz of [250, 330, 1600, 2100]) assert.is(beepsIn(sine(hz, 600)), 0, `${hz} Hz`)
})

test('takes keys and the tones of telephone lines for no beep', () => {
  for (const key of '147*2580369#') assert.is(beepsIn(silence(50), tone(key, 800), silence(50)), 0, key)
  for (const key of '159') assert.is(beepsIn(tone(key, 400, -14, 8)), 0, `${key}, its higher tone louder`)
  const pulses = [250, 1000].map((ms) =>
    Buffer.concat([sine(425, ms), silence(ms), sine(425, ms), silence(ms)]),
  )
  assert.is(beepsIn(...pulses), 0, 'busy and ringing')
  assert.is(beepsIn(note(900, (s) => 0.2 * (wave(350, s * 8000) + wave(440, s * 8000)))), 0, 'dialling')
})

test('hears busy tones in a row once, however long they last, and ringing tones never', () => {
  const pulses = (on: number, off: number, count: number) =>
    Buffer.concat(Array.from({ length: count }, () => [sine(425, on), silence(off)]).flat())
  for (const ms of [250, 500]) {
    assert.is(beepsIn(pulses(ms, ms, 3)), 0, `three of ${ms} ms`)
    assert.is(beepsIn(pulses(ms, ms, 12)), 1, `twelve of ${ms} ms`)
  }
  assert.is(beepsIn(pulses(1000, 4000, 6)), 0)
})

test('takes the tones of the network for no speech', () => {
  const ringing = Buffer.concat([sine(425, 1000), silence(4000), sine(425, 1000), silence(1000)])
  const facts = listen((ear) => ear.audio(ringing, 0, ringing.length, 8000), {}, true)
  assert.equal(
    facts.filter(({ type }) => type === 'speech.started'),
    [],
  )
})

test('takes notes of instruments for no beep', () => {
  const piano = note(1500, (s) => 0.5 * Math.exp(-3 * s) * (wave(523, s * 8000) + 0.3 * wave(1046, s * 8000)))
  assert.is(beepsIn(piano), 0, 'fading')
  const flute = note(
    1500,
    (s) => 0.4 * Math.sin(2 * Math.PI * (587 * s + 3 * Math.sin(2 * Math.PI * 5.5 * s))),
  )
  assert.is(beepsIn(flute), 0, 'trembling')
  const chord = note(1500, (s) => 0.2 * [523, 659, 784].reduce((sum, hz) => sum + wave(hz, s * 8000), 0))
  assert.is(beepsIn(chord), 0, 'together')
})

test('hears no beep in any prompt, which may come back as an echo, nor in what people said', async () => {
  for (const locale of ['pt-BR', 'en']) {
    for (const file of await readdir(join(PROMPTS, locale))) {
      if (file === 'beep.wav') continue
      assert.is(beepsIn(await readWav(join(PROMPTS, locale, file))), 0, `${locale}/${file}`)
    }
  }
  for (const name of ['resident-app', 'visitor-app', 'visitor-dial-slin'])
    assert.is(beepsIn(soundOf(capture(name))), 0, name)
})

test('looks for beeps only where it is asked to', () => {
  const beep = sine(1000, 500)
  assert.is(
    listen((ear) => ear.audio(beep, 0, beep.length, 8000)).some(({ type }) => type === 'beep.heard'),
    false,
  )
})

test.run()
