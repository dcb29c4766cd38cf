import * as assert from 'uvu/assert'
import { createEar, type EarFact } from '../../src/media/ear.ts'
import {
  addNoise,
  capture,
  energyBounds,
  engine,
  frame,
  hear,
  keysOf,
  listen,
  pieces,
  random,
  silence,
  soundOf,
  synth,
  tone,
} from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('the ear')

const speechOf = (facts: EarFact[]): [number, number][] =>
  facts.flatMap((fact): [number, number][] =>
    fact.type === 'speech.ended' ? [[fact.at - fact.ms, fact.at]] : [],
  )

/** A second of words on a line that was still for so many ms: no stream begins in the middle of a word. */
const wordsAfter = (ms: number) =>
  Buffer.concat([silence(ms), soundOf(capture('resident-app')).subarray(0, 1000 * 16)])

function near(found: [number, number][], [from, to]: [number, number], ms = 200): void {
  assert.is(found.length, 1)
  assert.ok(Math.abs(found[0]![0] - from) <= ms, `begins at ${found[0]![0]}, truly ${from}`)
  assert.ok(Math.abs(found[0]![1] - to) <= ms, `ends at ${found[0]![1]}, truly ${to}`)
}

const KEYS: Record<string, string> = {
  'visitor-app': '101#',
  'visitor-dial-slin': '101#',
  'resident-app': '1',
}

for (const [name, keys] of Object.entries(KEYS)) {
  test(`finds speech within 200 ms of its energy and each key once in ${name}`, () => {
    const stream = capture(name)
    const facts = hear([stream])
    assert.is(keysOf(facts), keys)
    near(speechOf(facts), energyBounds(soundOf(stream)))
  })

  test(`hears the same in any cut of ${name}`, () => {
    const stream = capture(name)
    const whole = hear([stream])
    for (const longest of [1, 3, 100, 323, 700, 5000]) {
      const next = random(longest)
      const cut = pieces(stream, () => 1 + Math.floor(next() * longest))
      assert.equal(hear(cut), whole)
    }
  })
}

test('hears nothing in the silence of a caller who leaves', () => {
  assert.equal(hear([capture('caller-leaves')]), [])
})

test('recognises raw µ-law before anything else is said of it, in any cut', () => {
  const stream = capture('dial-ulaw-trap')
  for (const longest of [1, 50, 163, 4000]) {
    const next = random(longest)
    const facts = hear(pieces(stream, () => 1 + Math.floor(next() * longest)))
    assert.is(facts[0]?.type, 'ulaw.detected')
    assert.is(keysOf(facts), '1')
    near(speechOf(facts), energyBounds(soundOf(capture('resident-app'))))
  }
})

test('loses no sample of what it holds back until it knows what it is', () => {
  const clockOf = (sound: Buffer, size: number) => {
    let clock = 0
    listen((ear) => {
      for (let at = 0; at + size <= sound.length; at += size) ear.audio(sound, at, at + size, 8000)
      clock = ear.clock
    })
    return clock
  }
  const ulaw = soundOf(capture('dial-ulaw-trap')).subarray(0, 160 * 100)
  assert.is(clockOf(ulaw, 160), 2000)

  const slin = soundOf(capture('visitor-app')).subarray(0, 320 * 100)
  const heard: Buffer[] = []
  listen((ear) => {
    const untap = ear.tap((samples) => heard.push(Buffer.from(samples.buffer.slice(0))))
    for (let at = 0; at < slin.length; at += 160) ear.audio(slin, at, at + 160, 8000)
    untap()
  })
  assert.equal(Buffer.concat(heard), slin)
})

test('hears µ-law at the level of the same words in slin', () => {
  const powers = (name: string) => {
    const levels: number[] = []
    hear([capture(name)], (ear) => ear.tap(() => levels.push(ear.level())))
    return levels
  }
  const slin = Math.max(...powers('resident-app'))
  const ulaw = Math.max(...powers('dial-ulaw-trap'))
  assert.ok(Math.abs(slin - ulaw) < 1, `${slin} and ${ulaw} dBFS`)
})

test('takes neither clicks nor noise of the line for speech', () => {
  const next = random(7)
  const click = synth(20, () => next() * 1.6 - 0.8)
  const sound = Buffer.concat([silence(500), click, silence(700), click, silence(500)])
  assert.equal(
    listen((ear) => ear.audio(sound, 0, sound.length, 8000)),
    [],
  )
  for (const level of [-60, -54, -50, -45, -40]) {
    const hiss = addNoise(silence(3000), level)
    assert.equal(
      listen((ear) => ear.audio(hiss, 0, hiss.length, 8000)),
      [],
      `${level} dBFS`,
    )
  }
})

test('finds the ends of speech within 200 ms on a noisy line too', () => {
  const words = Buffer.concat([silence(1000), soundOf(capture('resident-app')), silence(1000)])
  for (const level of [-60, -50, -40]) {
    const noisy = addNoise(words, level)
    near(speechOf(listen((ear) => ear.audio(noisy, 0, noisy.length, 8000))), energyBounds(words))
  }
})

test('hears speech and keys at every rate that Asterisk sends', () => {
  const speech = soundOf(capture('resident-app')).subarray(0, 2000 * 16)
  for (const rate of [8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000]) {
    const up = synth(2000, (i) => speech.readInt16LE(Math.floor((i * 8000) / rate) * 2) / 32767, rate)
    const sound = Buffer.concat([up, Buffer.alloc(rate), tone('5', 100, -10, 0, rate), Buffer.alloc(rate)])
    const facts = listen((ear) => {
      for (let at = 0; at < sound.length; at += rate / 25) {
        ear.audio(sound, at & ~1, Math.min(sound.length, (at + rate / 25) & ~1), rate)
      }
    })
    assert.is(keysOf(facts), '5', `${rate} Hz`)
    near(speechOf(facts), [0, 1530])
  }
})

test('ends speech by its own clock when frames stop coming', () => {
  const speech = wordsAfter(120)
  const facts: EarFact[] = []
  const ear = createEar({ vad: engine, onFact: (fact) => facts.push(fact) })
  ear.audio(speech, 0, speech.length, 8000)
  ear.idle(400)
  assert.equal(facts, [{ type: 'speech.started', at: 120 }])
  ear.idle(200)
  assert.equal(facts.slice(1), [{ type: 'speech.ended', at: 1120, ms: 1000 }])
  assert.is(ear.clock, 1720)
  ear.close()
})

test('a key of the PBX ends speech', () => {
  const speech = soundOf(capture('resident-app')).subarray(0, 1000 * 16)
  const facts = listen((ear) => {
    ear.audio(speech, 0, speech.length, 8000)
    ear.key('2')
  })
  assert.equal(
    facts.map((fact) => fact.type),
    ['speech.started', 'speech.ended', 'key.pressed'],
  )
})

test('tells a key once that comes in the sound and from the PBX', () => {
  const key = tone('7', 120)
  const feed = (after: number) =>
    listen((ear) => {
      ear.audio(key, 0, key.length, 8000)
      if (after > 0) ear.audio(silence(after), 0, after * 16, 8000)
      ear.key('7')
    })
  assert.equal(feed(0), [{ type: 'key.pressed', key: '7', via: 'dtmf' }])
  assert.equal(feed(200), [{ type: 'key.pressed', key: '7', via: 'inband' }])
  assert.is(keysOf(feed(600)), '77')
})

test('leaves the sound alone once the PBX reports keys', () => {
  const key = Buffer.concat([tone('7', 120), silence(100)])
  const facts = listen((ear) => {
    ear.key('1')
    ear.audio(key, 0, key.length, 8000)
  })
  assert.is(keysOf(facts), '1')
})

test('hears no speech in the tones of keys', () => {
  const sound = Buffer.concat([...'159'].flatMap((key) => [tone(key, 400), silence(100)]))
  const facts = listen((ear) => ear.audio(sound, 0, sound.length, 8000))
  assert.is(keysOf(facts), '159')
  assert.is(facts.length, 3)
})

test('gives the frames to a tap until it is released, and frees its detector', () => {
  const count = engine.count
  const ear = createEar({ vad: engine, onFact: () => {} })
  assert.is(engine.count, count + 1)
  let frames = 0
  const release = ear.tap((samples, quietMs) => {
    frames++
    assert.is(samples.length, 160)
    assert.is(quietMs, Number.POSITIVE_INFINITY)
  })
  const sound = frame(new Uint8Array(320))
  ear.audio(sound, 3, sound.length, 8000)
  ear.idle(40)
  release()
  ear.audio(sound, 3, sound.length, 8000)
  assert.is(frames, 3)
  ear.close()
  ear.close()
  ear.audio(sound, 3, sound.length, 8000)
  assert.is(engine.count, count)
})

test('goes on hearing when more detectors than ever make their memory move', () => {
  const words = wordsAfter(120)
  const crowd = Array.from({ length: 30_000 }, () => engine.create())
  const facts = listen((ear) => ear.audio(words, 0, words.length, 8000))
  for (const vad of crowd) vad.free()
  assert.equal(speechOf(facts), [[120, 1120]])
})

test('keeps a thousand detectors apart', () => {
  const speech = soundOf(capture('resident-app')).subarray(0, 1000 * 16)
  const ears = Array.from({ length: 1000 }, () => {
    const facts: EarFact[] = []
    return { facts, ear: createEar({ vad: engine, onFact: (fact) => facts.push(fact) }) }
  })
  for (const [index, { ear }] of ears.entries()) {
    if (index % 2 === 0) ear.audio(speech, 0, speech.length, 8000)
    else ear.audio(silence(1000), 0, speech.length, 8000)
    ear.idle(1000)
    ear.close()
  }
  assert.ok(ears.every(({ facts }, index) => facts.length === (index % 2 === 0 ? 2 : 0)))
})

/** What a resident's ear makes of this sound of another leg, 25 dB down, at any place of its frames. */
const echoed = (sound: Buffer): string =>
  [0, 2.5, 5, 7.5, 10, 12.5, 15, 17.5]
    .map((shift) => {
      const quiet = synth(sound.length / 16, (i) => sound.readInt16LE(i * 2) / 32767 / 17.8)
      const late = Buffer.concat([silence(shift), quiet, silence(100 - shift)])
      return keysOf(listen((ear) => ear.audio(late, 0, late.length, 8000)))
    })
    .join('')

for (const reported of [false, true]) {
  test(`gives the tones of keys to taps as silence${reported ? ', also once the PBX reports keys' : ''}`, () => {
    const words = soundOf(capture('resident-app')).subarray(0, 1000 * 16)
    const sound = Buffer.concat([
      words,
      silence(7),
      tone('1', 200),
      silence(93),
      words,
      tone('1', 60),
      silence(40),
    ])
    const kept: Buffer[] = []
    listen((ear) => {
      if (reported) ear.key('#')
      ear.tap((samples) => kept.push(Buffer.from(samples.slice().buffer)))
      ear.audio(sound, 0, sound.length, 8000)
    })
    const heard = Buffer.concat(kept)
    assert.match(echoed(sound), '1')
    assert.is(echoed(heard), '')
    assert.equal(heard.subarray(0, words.length), words)
    assert.equal(heard.subarray(1020 * 16, 1200 * 16), silence(180))
  })
}

test('tells of each message whether it may be passed on, and when a tone was last heard', () => {
  const sound = Buffer.concat([addNoise(silence(400), -40), tone('1', 200), addNoise(silence(400), -40)])
  for (const size of [80, 160, 320, 480, 960]) {
    const passed = Buffer.from(sound)
    listen((ear) => {
      ear.key('#')
      for (let at = 0; at < sound.length; at += size) {
        const end = Math.min(sound.length, at + size)
        ear.audio(sound, at, end, 8000)
        if (ear.sounding()) passed.fill(0, at, end)
      }
      assert.is(ear.toned('1'), 600)
      assert.is(ear.toned('2'), undefined)
    })
    assert.is(echoed(passed), '', `${size} bytes`)
    assert.equal(passed.subarray(700 * 16), sound.subarray(700 * 16))
  }
})

test('lets nothing pass on while it holds back what may be µ-law', () => {
  const stream = soundOf(capture('dial-ulaw-trap'))
  listen((ear) => {
    for (let at = 0; ear.law === undefined; at += 160) {
      const before = ear.clock
      ear.audio(stream, at, at + 160, 8000)
      if (ear.clock === before) assert.ok(ear.sounding())
    }
    assert.not.ok(ear.sounding())
  })
})

test.run()
