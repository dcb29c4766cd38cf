import * as assert from 'uvu/assert'
import type { Piece } from '../../machines/index.ts'
import { createLeg, type Leg } from '../../src/calls/leg.ts'
import type { MediaCommand, MediaFact } from '../../src/mediaport/index.ts'
import type { Role } from '../../src/platform/audio.ts'
import { silentLog } from '../../src/platform/log.ts'
import { suite } from '../rig/rig.ts'

const test = suite('leg')

/** A leg whose media port is played by the test. */
function openLeg() {
  const commands: MediaCommand[] = []
  const notes: string[] = []
  const call = {
    id: 'one',
    recordings: new Set<string>(),
    legs: new Map<Role, Leg>(),
    note: (kind: string) => void notes.push(kind),
    wording: (piece: Piece) => (piece === 'own' ? { instead: 'greeting', text: 'Oi.' } : piece),
  }
  let report: (fact: MediaFact) => void = () => {}
  const leg = createLeg({
    call,
    arrived: {
      ...{ leg: 5, uuid: 'one', role: 'visitor', entrance: undefined, remote: 'peer:1', relayed: false },
    },
    media: {
      open(_, __, ___, onFact) {
        report = onFact
        return { send: (command) => commands.push(command), level: () => -30 }
      },
    },
    locale: 'pt-BR',
    log: silentLog(),
  })
  call.legs.set('visitor', leg)
  return { leg, call, commands, notes, report: (fact: MediaFact) => report(fact) }
}

const said = (id: number) => ({ type: 'said', id, ms: 20, of: 40, interrupted: true, beganAt: 1 }) as const

test('a request waits for the answer with its own number; an abort cancels it, and its late answer still counts', async () => {
  const { leg, commands, notes, report } = openLeg()
  const stop = new AbortController()
  const [first, second] = [leg.say(['one'], stop.signal), leg.say(['two'], new AbortController().signal)]
  stop.abort()
  assert.equal(
    commands.map((command) => [command.type, 'id' in command && command.id]),
    [
      ['say', 1],
      ['say', 2],
      ['cancel', 1],
    ],
  )
  report(said(2))
  assert.equal(await second, { ms: 20, interrupted: true, beganAt: 1 })
  report(said(1))
  await first
  report(said(1))
  report(said(3))
  assert.equal(notes, ['said', 'said'], 'an answer that nobody waits for is dropped')
})

test('a leg that is gone answers what was asked of it, and what is asked later', async () => {
  const { leg, report } = openLeg()
  const { signal } = new AbortController()
  const asked = [leg.say(['one'], signal), leg.record('identity', signal)] as const
  const heard = leg.listen({ silenceMs: 600, maxMs: 1000 }, signal).catch((error) => error.code)
  // another thread forgets the leg with its last fact, while these are on their way to it
  report({ type: 'released', recordedMs: null })
  assert.is((await asked[0]).interrupted, true)
  assert.equal(await asked[1], { name: 'identity', heard: false, ms: 0 })
  assert.is(await heard, 'SPEECH_CANCELLED')
  assert.is((await leg.say(['two'], signal)).ms, 0)
})

test('a prompt is said in the words of the call', () => {
  const { leg, commands } = openLeg()
  void leg.say(['own', 'menu'], new AbortController().signal)
  assert.equal(commands, [{ type: 'say', id: 1, pieces: [{ instead: 'greeting', text: 'Oi.' }, 'menu'] }])
})

test('a request under an aborted signal is cancelled at once', () => {
  const { leg, commands } = openLeg()
  void leg.record('identity', AbortSignal.abort())
  assert.equal(commands, [
    { type: 'record', id: 1, name: 'identity' },
    { type: 'cancel', id: 1 },
  ])
})

test('a failed command rejects with its code and details', async () => {
  const { leg, report } = openLeg()
  const heard = leg.listen({ silenceMs: 600, maxMs: 1000 }, new AbortController().signal)
  report({ type: 'failed', id: 1, code: 'SPEECH_CANCELLED', details: { provider: 'vosk' }, reason: '' })
  const error = await heard.then(
    () => undefined,
    (failure) => failure,
  )
  assert.equal([error.code, error.details], ['SPEECH_CANCELLED', { provider: 'vosk' }])
})

test('tones and bridges last until they are ended', () => {
  const { leg, commands } = openLeg()
  leg.loop('hold')()
  leg.bridge({ id: 9 } as Leg)()
  assert.equal(commands, [
    { type: 'tone', id: 1, tone: 'hold' },
    { type: 'cancel', id: 1 },
    { type: 'bridge', id: 2, other: 9 },
    { type: 'cancel', id: 2 },
  ])
})

test('a closed leg has left its call; its end waits for the recording', async () => {
  const { leg, call, notes, report } = openLeg()
  const destroyed = leg.destroy()
  report({ type: 'kept', name: 'identity' })
  assert.equal([...call.recordings], ['identity'])
  report({ type: 'closed', framesIn: 1, framesOut: 2, bytesIn: 3, bytesOut: 4 })
  assert.is(call.legs.size, 0)
  await leg.closed
  report({ type: 'released', recordedMs: 1500 })
  await destroyed
  assert.equal(notes, ['leg.closed', 'leg.recorded'])
})

test.run()
