import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { enterNodes } from '../../src/cluster/presence.ts'
import { silentNodes } from '../../src/cluster/sql/nodes.ts'
import { openTopics } from '../../src/cluster/topics.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openTestDatabase } from '../rig/database.ts'
import { failure } from '../rig/failure.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('presence')

test('a process that misses two heartbeats is silent, until one of the same name and role has started', async (rig) => {
  const database = await openTestDatabase(rig)
  const enter = async (nodeId: string, role: string) => {
    const instance = randomUUID()
    const presence = await enterNodes({ database, instance, nodeId, roles: [role], log: silentLog() })
    rig.defer(() => presence.leave())
    return { instance, presence }
  }
  const quiet = ({ instance }: { instance: string }, seconds: number) =>
    database.query(
      `update nodes set seen_at = now() - $2 * interval '1 second', started_at = started_at - interval '1 hour'
       where instance = $1`,
      [instance, seconds],
    )
  const silent = async () =>
    (await silentNodes(database, { seconds: 11, within: 3600 })).map(({ nodeId, roles }) => [
      nodeId,
      ...roles,
    ])
  await enter('a', 'web')
  await quiet(await enter('b', 'voice'), 12)
  await quiet(await enter('c', 'voice'), 9)
  await quiet(await enter('d', 'voice'), 4000)
  await quiet(await enter('e', 'worker'), 40)
  assert.equal(await silent(), [
    ['b', 'voice'],
    ['e', 'worker'],
  ])
  await enter('b', 'voice')
  await enter('e', 'web')
  assert.equal(await silent(), [['e', 'worker']])
})

/** Enters processes of the name `a`. */
async function openNodesOf(rig: Rig) {
  const database = await openTestDatabase(rig)
  const enter = async (roles: string[], beatMs = 50, signal?: AbortSignal) => {
    const instance = randomUUID()
    const topics = await openTopics({ database, instance, log: silentLog() })
    rig.defer(() => topics.close())
    const nodeId = 'a'
    const presence = await enterNodes({ database, instance, nodeId, roles, log: silentLog(), beatMs, signal })
    rig.defer(() => presence.leave())
    return { presence, topics }
  }
  return { database, enter }
}

test('a signal ends the wait for the proof that a process of the same name lives', async (rig) => {
  const { enter } = await openNodesOf(rig)
  const first = await enter(['voice'], 600_000)
  await first.presence.describe(() => ({ status: 'running' }))
  const ending = new AbortController()
  const refused = failure(enter(['voice'], 50, ending.signal))
  ending.abort()
  assert.is((await refused).code, 'NODE_TAKEN')
  assert.is((await first.presence.list()).length, 1, 'it leaves no lease')
})

test('a live process of the same name and role is refused; a killed or draining one, and another role, are not', async (rig) => {
  const { database, enter } = await openNodesOf(rig)
  const first = await enter(['voice', 'worker'])
  const status = { status: 'running' }
  await first.presence.describe(() => status)
  const error = await failure(enter(['web', 'voice']))
  assert.equal([error.code, error.exit], ['NODE_TAKEN', 78])
  assert.equal([error.details['nodeId'], error.details['roles']], ['a', 'voice'])
  assert.is((await first.presence.list()).length, 1, 'the refused process leaves no lease')
  await enter(['web'])
  status.status = 'draining'
  await first.presence.renew()
  const second = await enter(['voice'])
  await second.presence.describe(() => ({ status: 'running' }))
  // as of a killed process: the lease holds, the connection is gone
  await second.topics.close()
  await eventually(async () => {
    const rows = await database.query('select from pg_stat_activity where application_name = $1', [
      `porteiro ${second.presence.instance}`,
    ])
    return rows.length === 0 ? true : undefined
  })
  await enter(['voice'])
})

test('a killed process whose last statement still runs is waited for, not refused', async (rig) => {
  const { enter } = await openNodesOf(rig)
  const killed = await enter(['voice'], 600_000)
  const entering = enter(['voice'])
  await killed.topics.close()
  await entering
})

test('a heartbeat that was on its way does not take back what was told after it', async (rig) => {
  const database = await openTestDatabase(rig)
  let held: Promise<void> | undefined
  const slow = new Proxy(database, {
    get(target, name) {
      if (name !== 'query') return Reflect.get(target, name)
      return async (...asked: Parameters<typeof database.query>) => {
        const waiting = String(asked[0]).startsWith('insert into nodes') ? held : undefined
        if (waiting) held = undefined
        await waiting
        return target.query(...asked)
      }
    },
  })
  const presence = await enterNodes({
    ...{ database: slow, instance: randomUUID(), nodeId: 'a', roles: ['web'], log: silentLog() },
    beatMs: 60_000,
  })
  rig.defer(() => presence.leave())
  const holding = Promise.withResolvers<void>()
  held = holding.promise
  const earlier = presence.renew()
  const later = presence.describe(() => ({ is: 'up' }))
  // as long as the later one would need, if it did not wait for the earlier one
  await Promise.race([later, new Promise((resolve) => setTimeout(resolve, 300))])
  holding.resolve()
  await Promise.all([earlier, later])
  assert.equal(
    (await presence.list()).map(({ status }) => status),
    [{ is: 'up' }],
  )
})

test.run()
