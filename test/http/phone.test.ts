import { once } from 'node:events'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { createKey, revokeKey } from '../../src/http/index.ts'
import { timedSuite } from '../rig/clock.ts'
import type { Rig } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = timedSuite('http: phone')

/** A telephone of the page that answers as the resident of a call, with a key of that name. */
async function answer(rig: Rig, { service }: House, callId: string, name: string) {
  const key = await createKey(service.database, { tenantId: null, name, scopes: ['operate'] })
  const socket = new WebSocket(`ws://127.0.0.1:${service.ports.api}/api/phone?role=resident&call=${callId}`, {
    headers: { authorization: `Bearer ${key.plain}` },
  })
  rig.defer(() => socket.terminate())
  const closed = once(socket, 'close')
  const [told] = await once(socket, 'message')
  assert.equal(JSON.parse(String(told)), { type: 'open', call: callId })
  return {
    key,
    closed,
    press: (pressed: string) => socket.send(JSON.stringify({ type: 'key', key: pressed })),
  }
}

test("what a telephone of the page decides is decided by its key's owner, and a revoked key has no telephone", async (rig) => {
  const house = await openService(rig)
  const first = await house.rung()
  const night = await answer(rig, house, first.id, 'night shift')
  night.press('1')
  const { data: decided } = await house.noted(first.id, 'decided')
  const { verdict, by, via } = decided as Record<string, unknown>
  assert.equal({ verdict, by, via }, { verdict: 'authorized', by: 'night shift', via: 'key' })
  await house.ending(first.id)
  const stored = await house.stored(first.id)
  assert.equal(
    stored.filter(({ kind }) => kind === 'phone').map(({ leg, data }) => [leg, data]),
    [['resident', { by: 'night shift' }]],
  )
  const [row] = await house.service.database.query<{ by: string }>(
    `select decision ->> 'by' as by from calls where id = $1`,
    [first.id],
  )
  assert.is(row?.by, 'night shift')

  const second = await house.rung()
  const dismissed = await answer(rig, house, second.id, 'dismissed')
  await revokeKey(house.service.database, dismissed.key.id)
  const [code, reason] = await dismissed.closed
  assert.equal([code, String(reason)], [4401, 'KEY_INVALID'])
  dismissed.press('1')
  await second.hangUp()
  const { outcome } = await house.ending(second.id)
  assert.is.not(outcome, 'authorized')
})

test.run()
