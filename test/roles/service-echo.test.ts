import * as assert from 'uvu/assert'
import { playVisitor } from '../../src/simulator/script.ts'
import { timedSuite } from '../rig/clock.ts'
import { capture, silence, soundOf, tone } from '../rig/media-stream.ts'
import { mix } from '../rig/noisy-speech.ts'
import { openService } from '../rig/service-rig.ts'
import { covered, createTwoWireLine, keysOfAsterisk, keysOfEar, maskedTone } from '../rig/telephone-line.ts'

const test = timedSuite('service: key tones of the visitor')
const WORDS = soundOf(capture('resident-app')).subarray(0, 800 * 16)
const FRAME = 320
/** A frame of the words, by which they are recognised again. */
const WORD = WORDS.subarray(20 * FRAME, 21 * FRAME)
/** How often the words come in a recorded name and purpose. */
const RECITED = 4

/** Key 1, which lets a visitor in, in each way that has hidden it from a detector. */
const HIDDEN: Record<string, (level: number, twist: number) => Buffer> = {
  'a hum': (level, twist) => maskedTone('1', 300, { level, twist, masks: [{ hz: 120, level: -3 }] }),
  'a whistle': (level, twist) => maskedTone('1', 300, { level, twist, masks: [{ hz: 3600, level: -3 }] }),
  'a whistle in parts of frames': (level) => covered({ ms: 32, level: level + 9, cover: 'a whistle' }),
  'a wide twist': (level, twist) => maskedTone('1', 300, { level: level + 6, twist: Math.sign(twist) * 12 }),
}
/** dB of the line's echo, dBFS of the tone, dB of its twist. */
const LINES = [
  [-10, -14, 6],
  [-14, -20, -6],
  [-20, -8, 3],
  [-26, -14, -3],
  [-40, -8, 6],
] as const
const CELLS = Object.entries(HIDDEN).flatMap(([how, sound]) =>
  LINES.map(([echo, level, twist]) => {
    const isWide = how === 'a wide twist'
    const title = `under ${how}, ${level} dBFS, twist ${isWide ? Math.sign(twist) * 12 : twist} dB, echo ${echo} dB`
    // dB by which the line itself takes the twist away
    return { title, echo, attack: sound(level, twist), tilt: isWide ? -10 * Math.sign(twist) : 0 }
  }),
)

type House = Awaited<ReturnType<typeof openService>>

/** A visit whose visitor plays the tones in name, purpose and talk; then its resident presses 2 for too short, and 1. */
async function attacked({ visitor, resident, noted, ending, events }: House, cell: (typeof CELLS)[number]) {
  const { echo, attack, tilt } = cell
  const phone = visitor()
  const name = Buffer.concat([WORDS, attack, WORDS])
  const visit = playVisitor(phone, { keys: '101#', name, purpose: name })
  await noted(phone.id, 'resident.wanted')
  const answered = resident(phone.id, { record: true })
  const line = createTwoWireLine({ gain: echo, tilt })
  const pressed: Buffer[] = []
  let recited = 0
  answered.onAudio((bytes, start, end) => {
    const heard = bytes.subarray(start, end)
    if (heard.equals(WORD) && ++recited === RECITED) press('3', 100)
    const returned = line(heard)
    const own = pressed.shift()
    void answered.say(own ? mix(returned, own) : returned)
  })
  const press = (key: string, ms: number) => {
    const sound = tone(key, ms, -16)
    for (let at = 0; at < sound.length; at += FRAME) pressed.push(sound.subarray(at, at + FRAME))
  }
  await noted(phone.id, 'state', { actor: 'talk', state: 'bridged' })
  await phone.say(Buffer.concat([WORDS, attack, silence(60), attack, WORDS, silence(2000)]))
  press('2', 100)
  await noted(phone.id, 'key.echoed', { key: '2' })
  press('1', 400)
  await visit
  const { outcome } = await ending(phone.id)
  const keys = events
    .filter(({ callId, kind, leg }) => callId === phone.id && kind === 'key' && leg === 'resident')
    .map(({ data }) => data)
  const heard = answered.recorded()
  return { id: phone.id, outcome, keys, reached: keysOfEar(heard) + keysOfAsterisk(heard) }
}

test(`in ${CELLS.length} ways: neither open by the echo of the resident's line nor reach it, the resident's own do`, async (rig) => {
  const house = await openService(rig)
  const visits = await Promise.all(CELLS.map((cell) => attacked(house, cell)))
  for (const [at, { id, outcome, keys, reached }] of visits.entries()) {
    const { title, echo } = CELLS[at]!
    const own = ['3', '1'].map((key) => ({ key, via: 'inband' }))
    assert.equal({ outcome, keys, reached }, { outcome: 'authorized', keys: own, reached: '' }, title)
    const told = house
      .linesOf('warn')
      .filter(({ echo_db, call_id }) => echo_db !== undefined && call_id === id)
    assert.is(told.length, echo > -30 ? 1 : 0, title)
    for (const { echo_db } of told)
      assert.ok(Math.abs((echo_db as number) - echo) <= 4, `${title}: told of ${echo_db} dB`)
  }
})

test.run()
