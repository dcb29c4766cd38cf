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
const TONES = {
  'under a hum': maskedTone('1', 300, { level: -14, masks: [{ hz: 120, level: -3 }] }),
  'under a whistle': maskedTone('1', 300, { level: -14, masks: [{ hz: 3600, level: -3 }] }),
  'in parts of frames under a whistle': covered({ ms: 32, level: -5, cover: 'a whistle' }),
  'with a twist of 12 dB': maskedTone('1', 300, { level: -8, twist: 12 }),
}
/** dB by which the line itself lowers the higher tone. */
const TILT = -10

for (const [how, attack] of Object.entries(TONES)) {
  test(`${how}: neither open by the echo of the resident's line nor reach it, the resident's own do`, async (rig) => {
    const { visitor, resident, noted, ending, events, linesOf } = await openService(rig)
    const phone = visitor()
    const name = Buffer.concat([WORDS, attack, WORDS])
    const visit = playVisitor(phone, { keys: '101#', name, purpose: name })
    await noted(phone.id, 'resident.wanted', {}, 30_000)
    const answered = resident(phone.id, { record: true })
    const line = createTwoWireLine({ gain: -14, tilt: how.includes('twist') ? TILT : 0 })
    const pressed: Buffer[] = []
    let recited = 0
    answered.onAudio((bytes, start, end) => {
      const heard = bytes.subarray(start, end)
      if (heard.equals(WORD) && ++recited === RECITED) press('3', 100)
      const echo = line(heard)
      const own = pressed.shift()
      void answered.say(own ? mix(echo, own) : echo)
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
    assert.is((await ending(phone.id)).outcome, 'authorized')
    const keys = events.filter(
      ({ callId, kind, leg }) => callId === phone.id && kind === 'key' && leg === 'resident',
    )
    assert.equal(
      keys.map(({ data }) => data),
      [
        { key: '3', via: 'inband' },
        { key: '1', via: 'inband' },
      ],
    )
    const heard = answered.recorded()
    assert.equal([keysOfEar(heard), keysOfAsterisk(heard)], ['', ''])
    const told = linesOf('warn').filter(({ echo_db }) => echo_db !== undefined)
    assert.is(told.length, 1)
    assert.ok(Math.abs((told[0]!.echo_db as number) + 14) <= 4, `echo of ${told[0]!.echo_db} dB`)
  })
}

test.run()
