import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { FRAME_MS } from '../../src/platform/audio.ts'
import type { ApartCall, ApartEnd } from '../rig/apart-people.ts'
import { suite } from '../rig/rig.ts'
import { quickPack } from '../rig/service-pack.ts'
import { goodbyeOf, openService } from '../rig/service-rig.ts'

const test = suite('main thread blocked', { timeout: 400_000 })

const PEOPLE = fileURLToPath(new URL('../rig/apart-people.ts', import.meta.url))
const BLOCKED_MS = 5000
const PATIENCE_MS = 300_000
const NOTHING = new Int32Array(new SharedArrayBuffer(4))
/** Some of the states in which a call stays until somebody does something or a time is over. */
const STATES = [
  ...['visitor greeting', 'question recording', 'call announcing', 'contact calling.ringing'],
  ...['resident announcing', 'talk bridged', 'concluding farewell', 'concluding hangingUp'],
]

test('for 5 s in every state of a visit: nobody is cut off or asked twice, every key counts, and both hear all', async (rig) => {
  const house = await openService(rig, { settings: { MEDIA_THREADS: '1' } })
  const { service } = house
  const people = fork(PEOPLE, [await quickPack()])
  rig.defer(async () => {
    people.disconnect()
    await once(people, 'exit')
  })
  const ends: ApartEnd[] = []
  const ended = new Promise<void>((resolve) => {
    people.on('message', (end: ApartEnd) => void (ends.push(end) === 2 && resolve()))
  })
  const id = randomUUID()
  const call = (one: Omit<ApartCall, 'id'>) => people.send({ id, ...one })
  const resident = { role: 'resident', port: service.ports.resident } as const
  const states = new Map<string, string>()
  const blocked = new Set<string>()
  let isCalled = false
  /** Blocks this thread where an actor of the call is in a state for the first time, and still is when a turn is over. */
  const block = () => {
    const names = [...states].map(([actor, state]) => `${actor} ${state}`)
    if (names.every((name) => blocked.has(name))) return
    for (const name of names) blocked.add(name)
    Atomics.wait(NOTHING, 0, 0, BLOCKED_MS)
    // a telephone that was dialled before might answer before anything rings here
    if (names.includes('contact calling.ringing') && !isCalled) call({ ...resident, keys: '3' })
    isCalled ||= names.includes('contact calling.ringing')
  }
  rig.defer(
    service.journal.subscribe(({ callId, kind, data }) => {
      if (callId !== id || kind !== 'state') return
      const { actor, state } = data as { actor: string; state: string }
      states.set(actor, state)
      // pressed while this thread is blocked
      if (actor === 'talk' && state === 'bridged') call({ ...resident, keys: '1' })
      setImmediate(block)
    }),
  )
  call({ role: 'visitor', port: service.ports.visitor, keys: '101#' })
  await house.noted(id, 'ended', {}, PATIENCE_MS)
  await ended
  assert.is((await house.ending(id)).outcome, 'authorized')
  assert.equal(ends.map(({ ended }) => goodbyeOf(ended)).sort(), [
    'farewell-resident-authorized, whole, server-hangup',
    'farewell-visitor-authorized, whole, server-hangup',
  ])
  assert.equal(
    STATES.filter((state) => !blocked.has(state)),
    [],
  )
  for (const { role, ended } of ends) {
    assert.equal(ended.violations, [], role)
    // with sound in this thread nearly none
    assert.ok(ended.framesIn * FRAME_MS > ended.at / 2, `${ended.framesIn} frames in ${ended.at} ms`)
  }
})

test.run()
