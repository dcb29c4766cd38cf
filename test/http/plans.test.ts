import * as assert from 'uvu/assert'
import { openSite } from '../rig/http-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('http: plans')

/** As another version may have written it. */
const FOREIGN = [{ kind: 'pigeon' }]

test('an unreadable plan of a tenant is reported, and stays until another is written', async (rig) => {
  const { ask, database } = await openSite(rig)
  await database.query(
    `update tenants set settings = settings || jsonb_build_object('plan', $1::jsonb) where id = 'default'`,
    [JSON.stringify(FOREIGN)],
  )
  const stored = async () => {
    const [row] = await database.query<{ plan: unknown }>(
      "select settings -> 'plan' as plan from tenants where id = 'default'",
    )
    return row!.plan
  }
  const path = '/api/tenants/default'
  const { body: seen } = await ask(path)
  assert.equal([seen.plan, seen.planUnreadable], [null, true])
  assert.is((await ask(path, { method: 'PATCH', body: { name: 'Vila' } })).body.planUnreadable, true)
  assert.equal(await stored(), FOREIGN)
  const removed = await ask(path, { method: 'PATCH', body: { plan: null } })
  assert.equal([removed.body.plan, removed.body.planUnreadable], [null, false])
  assert.is(await stored(), null)
})

test('a plan of a unit that cannot be read stays where the unit is written without one', async (rig) => {
  const { ask, database } = await openSite(rig)
  const unit = { number: '101', residents: [{ name: 'Ana' }] }
  const { id } = (await ask('/api/units', { body: unit })).body
  const path = `/api/units/${id}`
  const write = async (plan?: unknown) => {
    const { status, body } = await ask(path, { method: 'PUT', body: { ...unit, plan } })
    assert.is(status, 200)
    const [row] = await database.query<{ plan: unknown }>('select plan from units where id = $1', [id])
    return [body.plan, body.planUnreadable, row!.plan]
  }
  await database.query('update units set plan = $2 where id = $1', [id, JSON.stringify(FOREIGN)])
  assert.equal(await write(), [null, true, FOREIGN])
  const operator = [{ kind: 'operator' }]
  assert.equal(await write(operator), [operator, false, operator])
  // of one that could be read, leaving it out means that there is none
  assert.equal(await write(), [null, false, null])
  await database.query('update units set plan = $2 where id = $1', [id, JSON.stringify(FOREIGN)])
  assert.equal(await write(null), [null, false, null])
})

test.run()
