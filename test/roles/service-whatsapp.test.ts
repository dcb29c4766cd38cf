import * as assert from 'uvu/assert'
import { openDemoMessages } from '../../src/cli/demo/messages.ts'
import { listGateCommands } from '../../src/gates/index.ts'
import type { Reaction } from '../../src/simulator/whatsapp-peer.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { goodbyeOf, openService } from '../rig/service-rig.ts'

const test = suite('service: asked in writing')

/** A house whose unit 101 is only asked in writing, with a gate. */
async function openHouse(rig: Rig, reaction?: () => Reaction | undefined) {
  const told: string[] = []
  const messages = await openDemoMessages((who, what) => told.push(`${who} ${what}`), {
    reaction,
    delayMs: 10,
  })
  rig.defer(() => messages.close())
  const house = await openService(rig, { settings: { CLICKTOCALL: 'off', ...messages.settings } })
  rig.defer(await messages.join(house.service, '101'))
  const visitor = house.visitor()
  const off = house.service.journal.subscribe(({ kind, data }) => {
    const { actor, state } = data as { actor?: string; state?: string }
    if (kind === 'state' && actor === 'question' && state === 'recording') void visitor.press('#')
  })
  rig.defer(off)
  await visitor.press('101#')
  return { ...house, visitor, messages, told, callId: visitor.id }
}

const rows = (house: Awaited<ReturnType<typeof openHouse>>) =>
  house.service.database.query<{ status: string; verdict: string | null }>(
    'select status, verdict from approvals where call_id = $1',
    [house.callId],
  )

test('SIM of the resident: the visitor hears it, the gate opens once, the call ends', async (t) => {
  const house = await openHouse(t)
  const ended = await house.visitor.ended
  assert.is(goodbyeOf(ended), 'farewell-visitor-authorized, whole, server-hangup')
  await house.messages.opened
  const opened = await listGateCommands(house.service.database, 'default', { callId: house.callId, limit: 2 })
  assert.equal(
    house.messages.commands(),
    opened.map(({ id }) => id),
  )
  assert.is(opened.length, 1)
  assert.equal(await rows(house), [{ status: 'decided', verdict: 'authorized' }])
  assert.equal((await house.ending(house.callId)).outcome, 'authorized')
  await house.service.journal.flush()
  const [call] = await house.service.database.query<{ decision: { via: string } }>(
    'select decision from calls where id = $1',
    [house.callId],
  )
  assert.is(call!.decision.via, 'whatsapp')
  await eventually(() => (house.told.some((line) => line.includes('Entrada autorizada')) ? true : undefined))
  assert.ok(
    house.visitor.transcript.some((heard) => heard.type === 'hearing' && heard.prompt === 'message-sent'),
  )
})

test('a tap on NÃO: the visitor hears it, and the gate stays closed', async (t) => {
  const house = await openHouse(t, () => ({ type: 'tap', button: 1 }))
  const ended = await house.visitor.ended
  assert.is(goodbyeOf(ended), 'farewell-visitor-denied, whole, server-hangup')
  assert.equal(await rows(house), [{ status: 'decided', verdict: 'denied' }])
  assert.equal(house.messages.commands(), [])
})

test('the visitor leaves: nobody is asked any more', async (t) => {
  const house = await openHouse(t, () => undefined)
  await house.noted(house.callId, 'asked')
  house.visitor.hangUp()
  assert.equal((await house.ending(house.callId)).outcome, 'abandoned')
  await eventually(async () => ((await rows(house))[0]?.status === 'closed' ? true : undefined))
  assert.equal(house.messages.commands(), [])
})

test.run()
