import * as assert from 'uvu/assert'
import type { MediaFact } from '../../src/mediaport/index.ts'
import { openPort } from '../rig/media-port-rig.ts'
import { addNoise, capture, silence, soundOf, tone } from '../rig/media-stream.ts'
import { mix } from '../rig/noisy-speech.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { coded, createTwoWireLine, type Mask, maskedTone } from '../rig/telephone-line.ts'

const test = suite('media port: key tones')
const FRAME = 320
const WORDS = soundOf(capture('resident-app')).subarray(0, 800 * 16)
const HUM: Mask = { hz: 120, level: -3 }
const WHISTLE: Mask = { hz: 3600, level: -3 }

type Party = Awaited<ReturnType<typeof openTalk>>['visitor']

async function openTalk(rig: Rig) {
  const { arrive, lines } = await openPort(rig)
  const [visitor, resident] = [arrive('visitor'), arrive('resident')]
  const legs = { visitor: visitor.open(), resident: resident.open() }
  const bridge = () => legs.visitor.send({ type: 'bridge', id: 1, other: resident.arrived.leg })
  return { visitor, resident, legs, lines, bridge }
}

/** Keys that counted, and those that did not in brackets. */
const keysOf = ({ facts }: { facts: MediaFact[] }) =>
  facts
    .map((fact) => {
      if (fact.type === 'key.pressed') return fact.key
      return fact.type === 'key.echoed' ? `(${fact.key})` : ''
    })
    .join('')

interface Talk {
  said?: Buffer
  answered?: Buffer
  /** Of what the resident hears, as many frames later. */
  echo?: (pcm: Buffer) => Buffer
  delay?: number
}

/** Both speak at once, frame by frame; returns what the resident heard. */
function talk(visitor: Party, resident: Party, { said, answered, echo, delay = 5 }: Talk): Buffer {
  const frames = Math.ceil(Math.max(said?.length ?? 0, answered?.length ?? 0) / FRAME)
  const quiet = silence(20)
  const returning = Array.from({ length: delay }, () => quiet)
  const heard: Buffer[] = []
  const frameOf = (sound: Buffer | undefined, index: number) => {
    const frame = Buffer.alloc(FRAME)
    sound?.subarray(index * FRAME, (index + 1) * FRAME).copy(frame)
    return frame
  }
  for (let index = 0; index < frames; index++) {
    visitor.speak(frameOf(said, index))
    const played = resident.take(1)
    heard.push(played)
    returning.push(echo ? echo(played) : quiet)
    resident.speak(mix(frameOf(answered, index), returning.shift()!))
    visitor.take(1)
  }
  return Buffer.concat(heard)
}

const ATTACKS: Record<string, { sound: Buffer; tilt: number }> = {
  'plain tones': { sound: maskedTone('1', 600, { level: -12 }), tilt: 0 },
  'tones under a hum': { sound: maskedTone('1', 600, { level: -14, masks: [HUM] }), tilt: 0 },
  'tones under a whistle': { sound: maskedTone('1', 600, { level: -14, masks: [WHISTLE] }), tilt: 0 },
  'a twist of 12 dB': { sound: maskedTone('1', 600, { level: -8, twist: 12 }), tilt: -10 },
  'a twist of -12 dB': { sound: maskedTone('1', 600, { level: -8, twist: -12 }), tilt: 10 },
}

for (const [what, { sound, tilt }] of Object.entries(ATTACKS)) {
  test(`${what} of a visitor give no key of the resident, recorded or in a talk`, async (rig) => {
    const { visitor, resident, legs, bridge } = await openTalk(rig)
    const attack = coded(Buffer.concat([WORDS, sound, silence(100), sound, WORDS]))
    for (const [id, name] of (['identity', 'purpose'] as const).entries()) {
      visitor.facts.length = 0
      legs.visitor.send({ type: 'record', id, name })
      visitor.speak(Buffer.concat([silence(500), attack, silence(2000)]))
      await visitor.fact('kept')
    }
    for (const gain of [-10, -14, -20, -26]) {
      const echo = createTwoWireLine({ gain, tilt })
      legs.resident.send({
        type: 'say',
        id: 1,
        pieces: [{ recording: 'identity' }, { recording: 'purpose' }],
      })
      talk(visitor, resident, { answered: silence(9000), echo })
      bridge()
      talk(visitor, resident, { said: Buffer.concat([attack, silence(500)]), echo })
      legs.visitor.send({ type: 'cancel', id: 1 })
    }
    assert.not.match(keysOf(resident), /(^|\))1/)
  })
}

test("a resident's key counts over a recording that holds the same tones", async (rig) => {
  const { visitor, resident, legs } = await openTalk(rig)
  legs.visitor.send({ type: 'record', id: 1, name: 'identity' })
  visitor.speak(Buffer.concat([silence(500), WORDS, tone('1', 300), WORDS, silence(2000)]))
  await visitor.fact('kept')
  legs.resident.send({ type: 'say', id: 1, pieces: [{ recording: 'identity' }] })
  const answered = Buffer.concat([silence(400), addNoise(tone('1', 60, -20), -40), silence(200)])
  talk(visitor, resident, { answered })
  assert.is(keysOf(resident), '1')
})

test('in a talk a tone of the resident mutes the visitor, and counts when it lasts for 250 ms more', async (rig) => {
  const { visitor, resident, bridge } = await openTalk(rig)
  bridge()
  const said = Buffer.concat([WORDS, WORDS, WORDS])
  const answered = Buffer.concat([silence(800), tone('2', 240, -20), silence(560), tone('1', 400, -20)])
  const heard = talk(visitor, resident, { said, answered: Buffer.concat([answered, silence(400)]) })
  assert.is(keysOf(resident), '(2)1')
  // from the second frame of each tone to the frame that ends it, two frames later
  assert.equal(heard.subarray(860 * 16, 1040 * 16), silence(180))
  assert.equal(heard.subarray(1660 * 16, 2000 * 16), silence(340))
  assert.ok(heard.includes(WORDS.subarray(100 * 16, 700 * 16)))
})

test('a tone that the muting ends was an echo', async (rig) => {
  const { visitor, resident, bridge } = await openTalk(rig)
  bridge()
  // as from a line that turns words of the visitor into the tones of a key
  const echo = (played: Buffer) => (played.equals(silence(20)) ? played : tone('1', 20, -30))
  const said = Buffer.concat([WORDS, WORDS, WORDS])
  talk(visitor, resident, { said, echo, delay: 8 })
  assert.ok(keysOf(resident).startsWith('(1)'))
  assert.not.match(keysOf(resident), /(^|\))1/)
})

test('a key by message is doubted only within 2 s of the same tones of the visitor in the talk', async (rig) => {
  const { visitor, resident, bridge } = await openTalk(rig)
  const hidden = maskedTone('1', 200, { level: -14, masks: [HUM] })
  visitor.speak(hidden)
  resident.press('1')
  assert.is(keysOf(resident), '1')
  bridge()
  talk(visitor, resident, { said: Buffer.concat([WORDS, hidden]) })
  resident.press('1')
  resident.press('2')
  assert.is(keysOf(resident), '1(1)2')
  talk(visitor, resident, { said: silence(1960) })
  resident.press('1')
  talk(visitor, resident, { said: silence(100) })
  resident.press('1')
  assert.is(keysOf(resident), '1(1)2(1)1')
})

test('a strong echo of the line of the resident is logged once, with its level', async (rig) => {
  for (const [gain, told] of [
    [-14, 1],
    [-26, 1],
    [-36, 0],
  ] as const) {
    const { visitor, resident, bridge, lines } = await openTalk(rig)
    bridge()
    const said = Buffer.concat(Array.from({ length: 12 }, () => [WORDS, silence(200)]).flat())
    const line = createTwoWireLine({ gain })
    talk(visitor, resident, {
      said,
      answered: addNoise(silence(1), -60),
      echo: (pcm) => coded(line(pcm)),
      delay: 9,
    })
    const levels = lines.flatMap(({ echo_db }) => (echo_db === undefined ? [] : [echo_db as number]))
    assert.is(levels.length, told, `${gain} dB`)
    for (const level of levels) assert.ok(Math.abs(level - gain) <= 2, `${level} of ${gain} dB`)
  }
})

test('a resident who speaks is no echo', async (rig) => {
  const { visitor, resident, bridge, lines } = await openTalk(rig)
  bridge()
  const other = soundOf(capture('visitor-app'))
  const said = Buffer.concat(Array.from({ length: 12 }, () => [WORDS, silence(200)]).flat())
  talk(visitor, resident, { said, answered: Buffer.concat([silence(400), other]) })
  assert.equal(
    lines.filter(({ echo_db }) => echo_db !== undefined),
    [],
  )
})

test.run()
