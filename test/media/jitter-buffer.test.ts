import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createBridgeLine } from '../../src/media/bridge.ts'
import { createTalkCounts } from '../../src/media/jitter-buffer.ts'
import { createToneFilter } from '../../src/media/tone-filter.ts'
import { addNoise, frame, silence as pause, random, tone } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'
import { correlation, frameNumbers, JOINED, talkSound } from '../rig/talk-sound.ts'
import { keysOfAsterisk, keysOfEar } from '../rig/telephone-line.ts'

const test = suite('jitter buffer')

const HEADER = 3
const FRAME = 320
const silence = frame(new Uint8Array(FRAME))

function openLine(filter?: ReturnType<typeof createToneFilter>) {
  const counts = createTalkCounts()
  const line = createBridgeLine({ frame, silence, counts, ...(filter && { filter }) })
  return { line, counts, say: (message: Buffer) => line.audio(message, HEADER, HEADER + FRAME, 8000) }
}

/** A loud message that tells its number, where no gap is joined to it. */
function numbered(number: number): Buffer {
  const message = frame(new Uint8Array(FRAME))
  for (let at = HEADER; at < message.length; at += 4) {
    message.writeInt16LE(9000, at)
    message.writeInt16LE(number, at + 2)
  }
  return message
}
/** Undefined where the sound is that of a gap. */
function numberOf(message: Buffer): number | undefined {
  const isOwn = message.readInt16LE(HEADER + JOINED) === 9000
  return isOwn ? message.readInt16LE(HEADER + JOINED + 2) : undefined
}

interface Heard {
  /** What was heard in each slot of 20 ms. */
  slots: (Buffer | null)[]
  /** By number of the frame: ms from when it should have come until it was heard; undefined where it was not. */
  delays: (number | undefined)[]
  counts: ReturnType<typeof createTalkCounts>
}

/**
 * Frames are due every 20 ms and come late, and behind those before them, as in a stream of TCP. The listener's slots lie between
 * theirs.
 */
function talk(sound: Buffer, latenessOf: (number: number) => number): Heard {
  const { line, counts, say } = openLine()
  const frames = Math.floor(sound.length / FRAME)
  const messages = Array.from({ length: frames }, (_, at) =>
    frame(sound.subarray(at * FRAME, (at + 1) * FRAME)),
  )
  const numberIn = frameNumbers(messages)
  const delays: (number | undefined)[] = new Array(frames).fill(undefined)
  const slots: (Buffer | null)[] = []
  let came = 0
  let latest = 0
  for (let now = 7; now < frames * 20 + 200; now += 20) {
    for (; came < frames; came++) {
      latest = Math.max(latest, came * 20 + latenessOf(came))
      if (latest > now) break
      say(messages[came]!)
    }
    const message = line.next()
    slots.push(message)
    const number = message && numberIn(message)
    if (typeof number === 'number') delays[number] = now - number * 20
  }
  return { slots, delays, counts }
}

const worst = (delays: (number | undefined)[]) => Math.max(...delays.filter((ms) => ms !== undefined))
const correlationOf = ({ slots }: Heard) =>
  correlation(Buffer.concat(slots.map((message) => message?.subarray(HEADER) ?? pause(20))), spoken)
const spoken = await talkSound(90)
const JITTER_FRAMES = 2500

for (const [what, more] of [
  ['100 ms', 0],
  ['100 to 140 ms', 40],
] as const) {
  test(`40 ms of jitter and 2 % of frames ${what} late lose late frames only, and leave no delay when they are over`, () => {
    const next = random(18)
    let [latest, late] = [0, 0]
    const heard = talk(spoken, (number) => {
      if (number > JITTER_FRAMES) return 0
      const ms = next() < 0.02 ? 100 + next() * more : next() * 40
      // those behind a late one are late, too
      latest = Math.max(latest, number * 20 + ms)
      if (latest - number * 20 >= 100) late++
      return ms
    })
    const { dropped, concealed, skipped } = heard.counts
    assert.ok(late > 40)
    assert.ok(dropped <= late, `${dropped} of ${late} late ones dropped`)
    assert.ok(concealed <= late + 6, `${concealed} slots`)
    assert.ok(skipped <= 6, `${skipped} frames of pauses`)
    assert.is(heard.delays.filter((ms) => ms === undefined).length, dropped + skipped)
    const ratio = correlationOf(heard)
    assert.ok(ratio >= 0.98, `correlation ${ratio}`)
    assert.ok(worst(heard.delays) <= 120, `${worst(heard.delays)} ms`)
    const after = worst(heard.delays.slice(JITTER_FRAMES + 500))
    assert.ok(after <= 40, `${after} ms when it is over`)
  })
}

test('frames in time pass as the very bytes that came, with a delay of less than 40 ms', () => {
  const next = random(3)
  const heard = talk(spoken, () => next() * 5)
  const { dropped, skipped, concealed } = heard.counts
  assert.equal([dropped, skipped, concealed], [0, 0, 0])
  assert.ok(worst(heard.delays) <= 40)
})

test('where nobody pauses, the delay stays, and speech is whole', () => {
  const loud = addNoise(pause(30_000), -20)
  const heard = talk(loud, (number) => (number > 50 && number % 50 < 5 && number < 200 ? 90 : 0))
  assert.equal([heard.counts.skipped, heard.counts.dropped], [0, 0])
  assert.ok(worst(heard.delays.slice(-50)) > 60)
  assert.not.ok(heard.delays.includes(undefined))
})

test('a line with noise has pauses, too', async () => {
  const noisy = addNoise(spoken.subarray(0, 20 * 16_000), -42)
  const heard = talk(noisy, (number) => (number < 100 ? (number % 20) * 5 : 0))
  assert.ok(heard.counts.skipped > 0)
  assert.is(heard.counts.dropped, 0)
  assert.ok(worst(heard.delays.slice(-100)) <= 40)
})

test('a missing frame is heard as the one before, twice and fading, and goes over into the next one without a jump', () => {
  const { line, say, counts } = openLine()
  const hum = addNoise(pause(100), -200)
  for (let i = 0; i < hum.length / 2; i++) hum.writeInt16LE(Math.round(8000 * Math.sin(i / 7)), i * 2)
  const messages = [0, 1, 2, 3].map((at) => frame(hum.subarray(at * FRAME, (at + 1) * FRAME)))
  say(messages[0]!)
  say(messages[1]!)
  const heard = [line.next()!, line.next()!, line.next()!, line.next()!]
  assert.is(line.next(), silence, 'the third one')
  say(messages[2]!)
  say(messages[3]!)
  heard.push(silence, line.next()!, line.next()!)
  assert.is(counts.concealed, 3)
  const samples = Buffer.concat(heard.map((message) => message.subarray(HEADER)))
  const at = (index: number) => samples.readInt16LE(index * 2)
  let jump = 0
  for (let i = 1; i < samples.length / 2; i++) jump = Math.max(jump, Math.abs(at(i) - at(i - 1)))
  assert.ok(jump < 8000 / 5, `${jump}`)
  const loudest = (number: number) => Math.max(...Array.from({ length: 160 }, (_, i) => at(number * 160 + i)))
  assert.ok(loudest(1) > 7900 && loudest(2) > 6500 && loudest(3) < 4100 && loudest(5) > 7900)
  assert.is(heard[6]!.buffer, messages[3]!.buffer, 'the next one as it came')
})

test('the beginning of a tone at the end of a frame is not heard twice as long', () => {
  const beginnings = Array.from({ length: 25 }, (_, at) => {
    const before = addNoise(pause(20), -12).subarray(0, (40 + at * 4) * 2)
    return frame(Buffer.concat([before, tone('1', 20, -12)]).subarray(0, FRAME))
  })
  const removed = (...messages: Buffer[]) => {
    const filter = createToneFilter()
    return messages.map((message) => filter.removes(message, HEADER)).join()
  }
  const backwards = (message: Buffer) => {
    const samples = Array.from({ length: 160 }, (_, i) => message.readInt16LE(HEADER + 2 * i)).reverse()
    return frame(new Uint8Array(Int16Array.from(samples).buffer))
  }
  const beginning = beginnings.find((one) => removed(one, backwards(one)) === 'false,true')!
  const { line, say } = openLine(createToneFilter())
  say(frame(pause(20)))
  say(beginning)
  line.next()
  assert.is(line.next()!.buffer, beginning.buffer)
  assert.is(line.next(), silence)
})

test('a speaker who stops begins again with the delay that was needed', () => {
  const { line, say, counts } = openLine()
  const burst = (from: number, frames: number) => {
    for (let number = from; number < from + frames; number++) say(numbered(number))
  }
  const slots = (count: number) => Array.from({ length: count }, () => line.next())
  // three frames in every third slot need 60 ms
  for (let number = 0; number < 600; number += 3) {
    burst(number, 3)
    slots(3)
  }
  const before = counts.concealed
  assert.is(slots(20).at(-1), null)
  for (let number = 600; number < 1200; number += 3) {
    burst(number, 3)
    slots(3)
  }
  assert.is(counts.concealed, before)
  assert.is(counts.dropped, 0)
})

test('a single frame is heard, too', () => {
  const { line, say } = openLine()
  say(numbered(1))
  assert.is(line.next(), null)
  assert.is(numberOf(line.next()!), 1)
})

/** By slot: how many frames come before it. */
const schedules = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(1) },
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 30 }) },
  ),
  { minLength: 1, maxLength: 200 },
)

test('whatever comes when: in order, each once, never more than 120 ms behind, and nothing is forgotten', () => {
  fc.assert(
    fc.property(schedules, (schedule) => {
      const { line, say, counts } = openLine()
      let [came, heard, last] = [0, 0, -1]
      const hear = () => {
        const message = line.next()
        if (message === null) return
        assert.is(message.length, HEADER + FRAME)
        assert.equal([...message.subarray(0, HEADER)], [0x10, 0x01, 0x40])
        const number = numberOf(message)
        if (number === undefined) return
        heard++
        assert.ok(number > last, `${number} after ${last}`)
        assert.ok(came - number <= 6, `${number} of ${came}`)
        last = number
      }
      for (const frames of schedule) {
        for (let i = 0; i < frames; i++) say(numbered(came++))
        hear()
      }
      for (let slot = 0; slot < 20; slot++) hear()
      assert.is(heard + counts.dropped + counts.skipped, came)
    }),
    { numRuns: 300 },
  )
})

test('whatever comes when: a muted line is silent', () => {
  fc.assert(
    fc.property(schedules, fc.array(fc.boolean(), { minLength: 1 }), (schedule, mutes) => {
      const { line, say } = openLine()
      let number = 0
      for (const [slot, frames] of schedule.entries()) {
        for (let i = 0; i < frames; i++) say(numbered(number++))
        const muted = mutes[slot % mutes.length]!
        line.mute(muted)
        const message = line.next()
        if (muted) assert.ok(message === null || message === silence)
      }
    }),
    { numRuns: 200 },
  )
})

test('whatever comes when: the tones of a key are heard as none, not even by repeating their beginning', () => {
  fc.assert(
    fc.property(
      schedules,
      fc.integer({ min: 0, max: 159 }),
      fc.constantFrom(40, 60, 100, 300),
      fc.constantFrom(-6, 0, 6),
      (schedule, offset, ms, twist) => {
        const { line, say } = openLine(createToneFilter())
        const words = spoken.subarray(320 * 40, 320 * 55)
        const key = tone('1', ms, -12, twist)
        const part = Buffer.concat([words, Buffer.alloc(offset * 2), key, Buffer.alloc(640)])
        const sound = Buffer.concat([part, part, part, part])
        const heard: Buffer[] = []
        let at = 0
        for (let slot = 0; slot < 150; slot++) {
          for (
            let i = schedule[slot % schedule.length]!;
            i > 0 && at + FRAME <= sound.length;
            i--, at += FRAME
          )
            say(frame(sound.subarray(at, at + FRAME)))
          heard.push(line.next()?.subarray(HEADER) ?? pause(20))
        }
        const echo = Buffer.concat([...heard, pause(100)])
        assert.equal([keysOfEar(echo), keysOfAsterisk(echo)], ['', ''])
      },
    ),
    // a beginning of 16 ms, which turned round is twice as long
    { numRuns: 150, examples: [[[0, 1], 127, 60, -6]] },
  )
})

test.run()
