import * as assert from 'uvu/assert'
import { timedSuite } from '../rig/clock.ts'
import { openService } from '../rig/service-rig.ts'

const test = timedSuite('service: skipped steps')

test('a step that cannot be done leaves a trace, and the visitor hears of no time before the first', async (rig) => {
  const house = await openService(rig)
  const { database } = house.service
  await database.query(
    `update units set plan = '[{"kind": "whatsapp"}, {"kind": "operator"}, {"kind": "call"}]'
     where tenant_id = 'default' and number = '101'`,
  )
  const visitor = await house.rung()
  const skipped = (await house.stored(visitor.id)).filter(({ kind }) => kind === 'step.skipped')
  assert.equal(
    skipped.map(({ data }) => data),
    [
      { step: 1, kind: 'whatsapp', code: 'WHATSAPP_UNAVAILABLE' },
      { step: 2, kind: 'operator', code: 'OPERATOR_UNAVAILABLE' },
    ],
  )
  const lines = house.linesOf('warn').filter(({ msg }) => msg === 'a step of the contact plan is skipped')
  assert.equal(
    lines.map(({ call_id, tenant, step, code }) => [call_id, tenant, step, code]),
    [
      [visitor.id, 'default', 1, 'WHATSAPP_UNAVAILABLE'],
      [visitor.id, 'default', 2, 'OPERATOR_UNAVAILABLE'],
    ],
  )
  assert.not.match(JSON.stringify(lines), /Silva|\+55|pbx/)
  const heard = visitor.transcript.flatMap((event) => (event.type === 'hearing' ? [event.prompt] : []))
  assert.not.ok(heard.includes('trying-again'))
  visitor.hangUp()
  await house.ending(visitor.id)
})

test.run()
