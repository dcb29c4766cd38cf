import * as assert from 'uvu/assert'
import { createBridgeLine } from '../../src/media/bridge.ts'
import { createTalkCounts } from '../../src/media/jitter-buffer.ts'
import { createToneFilter, withoutTones } from '../../src/media/tone-filter.ts'
import { addNoise, capture, frame, random, silence, soundOf, synth, tone } from '../rig/media-stream.ts'
import { utterances } from '../rig/noisy-speech.ts'
import { suite } from '../rig/rig.ts'
import {
  COVERS,
  coded,
  covered,
  createTwoWireLine,
  jumpingTone,
  keysOfAsterisk,
  keysOfEar,
  type Mask,
  maskedTone,
} from '../rig/telephone-line.ts'

const test = suite('key tones')

const SPEECH = soundOf(capture('resident-app')).subarray(300 * 16, 600 * 16)
const MASKS: Record<string, Mask[]> = {
  none: [],
  'a hum': [{ hz: 120, level: -3 }],
  'a whistle': [{ hz: 3600, level: -3 }],
  'a hum and a whistle': [
    { hz: 120, level: -9 },
    { hz: 3600, level: -9 },
  ],
  'a low hum': [{ hz: 60, level: -1 }],
  'a tone within the band': [{ hz: 1050, level: -26 }],
}
const LEVELS = [-8, -14, -20]
const TWISTS = [-18, -12, -6, 0, 6, 12, 18]
const ECHOES = [-10, -14, -20, -26, -40]
/** The tolerance of a telephone's keys (ITU-T Q.24). */
const DETUNES = [0.985, 1, 1, 1.015]
const LENGTHS = [30, 45, 100, 300]
const silent = frame(new Uint8Array(320))

interface Attack {
  title: string
  sound: Buffer
  tilt: number
}

/** What a visitor may say to let himself in: speech, and key 1 under each mask, at each level and twist. */
function* attacks(): Generator<Attack> {
  const next = random(1)
  for (const [mask, masks] of Object.entries(MASKS)) {
    for (const level of LEVELS) {
      for (const twist of TWISTS) {
        for (const ms of LENGTHS) {
          const detune = DETUNES[Math.floor(next() * DETUNES.length)]!
          const key = maskedTone('1', ms, { level, twist, masks, detune })
          const [before, after] = [Math.floor(next() * 160), Math.floor(next() * 160)]
          const rest = Buffer.alloc((320 + after) * 2)
          const sound = Buffer.concat([SPEECH, Buffer.alloc(before * 2), key, rest, key, rest])
          const whole = sound.subarray(0, sound.length - (sound.length % 320))
          // the line takes the twist away again
          const tilt = Math.abs(twist) > 6 ? -twist / 2 : 0
          yield { title: `${mask}, ${level} dBFS, twist ${twist} dB, ${ms} ms`, sound: coded(whole), tilt }
        }
      }
    }
  }
}

const ATTACKS = [...attacks()]

function quieter(pcm: Buffer, decibel: number): Buffer {
  const factor = 10 ** (decibel / 20) / 32_767
  return synth(pcm.length / 16, (i) => pcm.readInt16LE(i * 2) * factor)
}

/** The sound as the bridge gives it to the resident, frame by frame. */
function bridged(sound: Buffer): Buffer {
  const line = createBridgeLine({
    frame,
    silence: silent,
    filter: createToneFilter(),
    counts: createTalkCounts(),
  })
  const stream = Buffer.concat([Buffer.alloc(3), sound])
  const heard: Buffer[] = []
  for (let at = 3; at + 320 <= stream.length; at += 320) {
    line.audio(stream, at, at + 320, 8000)
    heard.push(line.next()?.subarray(3) ?? silence(20))
  }
  return Buffer.concat(heard)
}

function keysIn(echo: Buffer): { ear: string; asterisk: string } {
  const sound = coded(echo)
  return { ear: keysOfEar(sound), asterisk: keysOfAsterisk(sound) }
}

const openers: Record<string, (sound: Buffer) => Buffer> = {
  'a recorded name or purpose': withoutTones,
  'a talk': bridged,
}

test('of a visitor come back as keys from a line where nothing is removed', () => {
  let [ear, asterisk, all] = [0, 0, 0]
  for (const { sound, tilt } of ATTACKS) {
    const keys = keysIn(Buffer.concat([createTwoWireLine({ gain: -14, tilt })(sound), silence(100)]))
    all++
    if (keys.ear.includes('1')) ear++
    if (keys.asterisk.includes('1')) asterisk++
  }
  assert.ok(ear > all / 4 && asterisk > all / 3, `${ear} and ${asterisk} of ${all}`)
})

for (const [place, clean] of Object.entries(openers)) {
  test(`of a visitor open nothing from ${place}, whatever hides them, however strong the echo`, () => {
    const next = random(2)
    const opened: string[] = []
    for (const { title, sound, tilt } of ATTACKS) {
      const returned = createTwoWireLine({ gain: ECHOES[0]!, tilt })(clean(sound))
      for (const gain of ECHOES) {
        const echo = quieter(returned, gain - ECHOES[0]!)
        const keys = keysIn(Buffer.concat([Buffer.alloc(2 * Math.floor(next() * 160)), echo, silence(100)]))
        if (keys.ear + keys.asterisk !== '') opened.push(`${title}, echo ${gain} dB: ${JSON.stringify(keys)}`)
      }
    }
    assert.equal(opened.slice(0, 20), [])
  })
}
test('that fill a part of two frames, under other sounds before and after, open nothing', () => {
  let [bare, all] = [0, 0]
  const opened: string[] = []
  for (const cover of Object.keys(COVERS)) {
    for (const ms of [26, 28, 32, 36]) {
      for (const level of [-8, -5]) {
        for (let seed = 1; seed <= 3; seed++) {
          const sound = coded(covered({ ms, level, cover, seed }))
          const echoed = (pcm: Buffer) =>
            Buffer.concat([Buffer.alloc(70 * seed), createTwoWireLine({ gain: -10 })(pcm), silence(100)])
          all++
          if (keysIn(echoed(sound)).asterisk.includes('1')) bare++
          for (const [place, clean] of Object.entries(openers)) {
            const keys = keysIn(echoed(clean(sound)))
            if (keys.ear + keys.asterisk !== '') opened.push(`${cover}, ${ms} ms, ${level} dBFS, ${place}`)
          }
        }
      }
    }
  }
  assert.equal(opened, [])
  assert.ok(bare > all / 2, `only ${bare} of ${all} come back as keys where nothing is removed`)
})

test('whose phase jumps between the blocks of a PBX open nothing', () => {
  let bare = 0
  const opened: string[] = []
  for (let seed = 1; seed <= 600; seed++) {
    const sound = coded(jumpingTone(seed))
    const back = createTwoWireLine({ gain: -14 })
    if (keysIn(back(sound)).asterisk.includes('1')) bare++
    for (const [place, clean] of Object.entries(openers)) {
      const keys = keysIn(back(clean(sound)))
      if (keys.ear + keys.asterisk !== '') opened.push(`${seed}, ${place}: ${JSON.stringify(keys)}`)
    }
  }
  assert.equal(opened, [])
  assert.ok(bare > 100, `only ${bare} come back as keys where nothing is removed`)
})

test('are removed from the first sample on', () => {
  for (const key of '1234567890*#') {
    const sound = withoutTones(maskedTone(key, 60, { level: -8 }))
    assert.equal(
      [...sound].filter((byte) => byte !== 0),
      [],
      key,
    )
  }
})

test('are found in a talk at whatever size and rate the sound comes', () => {
  for (const [rate, bytes] of [
    [8000, 160],
    [8000, 480],
    [16_000, 640],
    [44_100, 1764],
  ] as const) {
    const line = createBridgeLine({
      frame,
      silence: silent,
      filter: createToneFilter(),
      counts: createTalkCounts(),
    })
    const sound = tone('1', 400, -14, 0, rate)
    const heard: Buffer[] = []
    for (let at = 0; at + bytes <= sound.length; at += bytes) {
      line.audio(sound, at, at + bytes, rate)
      for (let message = line.next(); message !== null && message !== silent; message = line.next())
        heard.push(message.subarray(3))
    }
    assert.ok(heard.length <= 1, `${heard.length} frames at ${rate} Hz`)
  }
})

test('are reported where they were removed, and not in speech', async () => {
  const keys: string[] = []
  const filter = createToneFilter((key) => keys.push(key))
  const hum = maskedTone('7', 200, { level: -14, masks: MASKS['a hum']! })
  for (let at = 0; at < hum.length; at += 320) filter.removes(hum, at)
  assert.equal(new Set(keys), new Set(['7']))
  assert.ok(keys.length >= 8)
})

test('are all that is missing: of speech less than 1 % of the frames', async () => {
  let [frames, missing] = [0, 0]
  for (const { pcm } of await utterances()) {
    const clean = withoutTones(pcm)
    for (let at = 0; at + 320 <= pcm.length; at += 320) {
      frames++
      if (!clean.subarray(at, at + 320).equals(pcm.subarray(at, at + 320))) missing++
    }
  }
  assert.ok(missing < frames / 100, `${missing} of ${frames} frames`)
})

test('of a resident are heard on noisy lines: 99.5 % and more', () => {
  const next = random(5)
  const ALL = '1234567890*#'
  let [heard, all] = [0, 0]
  for (let round = 0; round < 120; round++) {
    const [level, twist, ms] = [-28 + next() * 20, -6 + next() * 12, 50 + Math.floor(next() * 100)]
    for (const key of ALL) {
      const pressed = Buffer.concat([
        Buffer.alloc(2 * Math.floor(next() * 160)),
        tone(key, ms, level - Math.max(0, twist), twist),
        silence(80),
      ])
      const noisy = addNoise(pressed, level - 18, all)
      const hum = synth(noisy.length / 16, (i) => noisy.readInt16LE(i * 2) / 32_767 + Math.sin(i / 21) / 100)
      all++
      if (keysOfEar(coded(hum)) === key) heard++
    }
  }
  assert.ok(heard >= all * 0.995, `${heard} of ${all}`)
})

test.run()
