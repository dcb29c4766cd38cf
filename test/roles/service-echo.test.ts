import * as assert from 'uvu/assert'
import type { Piece } from '../../machines/index.ts'
import { playVisitor } from '../../src/simulator/script.ts'
import { timedSuite } from '../rig/clock.ts'
import { capture, keysOf, listen, silence, soundOf, tone } from '../rig/media-stream.ts'
import { openService } from '../rig/service-rig.ts'

const test = timedSuite('service: key tones of the visitor')
const WORDS = soundOf(capture('resident-app')).subarray(0, 800 * 16)
/** As a telephone's echo of the visitor's tone: 25 dB down. */
const ECHO = Buffer.concat([silence(40), tone('1', 300, -35), silence(100)])

test('neither reach the resident nor authorise by an echo, in a recording or in the talk', async (rig) => {
  const { service, visitor, resident, noted, ending, events } = await openService(rig)
  const phone = visitor()
  const recited = Promise.withResolvers<void>()
  const off = service.journal.subscribe(({ callId, kind, leg, data }) => {
    if (callId !== phone.id || kind !== 'said' || leg !== 'resident') return
    const { pieces } = data as { pieces: Piece[] }
    if (pieces.some((piece) => typeof piece === 'object' && 'recording' in piece)) recited.resolve()
  })
  rig.defer(off)
  const name = Buffer.concat([WORDS, tone('1', 300), WORDS])
  const visit = playVisitor(phone, { keys: '101#', name, purpose: name })
  await noted(phone.id, 'resident.wanted', {}, 30_000)
  const answered = resident(phone.id, { record: true })
  await recited.promise
  await answered.say(ECHO)
  await noted(phone.id, 'key.echoed', { key: '1' })
  await answered.say(Buffer.concat([tone('3', 100), silence(100)]))
  await noted(phone.id, 'state', { actor: 'talk', state: 'bridged' })

  await phone.say(Buffer.concat([silence(200), tone('2', 300), silence(100)]))
  await answered.say(Buffer.concat([tone('2', 300, -35), silence(200)]))
  await noted(phone.id, 'key.echoed', { key: '2' })
  await answered.press('1')
  await visit
  assert.is((await ending(phone.id)).outcome, 'authorized')
  const keys = events.filter(
    ({ callId, kind, leg }) => callId === phone.id && kind === 'key' && leg === 'resident',
  )
  assert.equal(
    keys.map(({ data }) => data),
    [
      { key: '3', via: 'inband' },
      { key: '1', via: 'dtmf' },
    ],
  )
  const heard = answered.recorded()
  assert.is(keysOf(listen((ear) => ear.audio(heard, 0, heard.length, 8000))), '')
})

test.run()
