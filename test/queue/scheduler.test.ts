import * as assert from 'uvu/assert'
import { createScheduler } from '../../src/queue/scheduler.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('queue scheduler')

test('groups take turns, none has more than its share, and a pause is the whole group’s', async () => {
  const order: string[] = []
  const ends: (() => void)[] = []
  const scheduler = createScheduler({ total: 3, perGroup: 2, onFree: () => {}, onReturned: () => {} })
  const task = (group: string, name: string, priority = 0, pauses: number[] = []) => ({
    tenant: group,
    group,
    priority,
    drop: () => ({ id: name, queue: 'webhook', data: {}, claims: 0 }),
    run: () => {
      order.push(name)
      const pause = pauses.shift()
      if (pause !== undefined) return Promise.resolve({ waitMs: pause })
      return new Promise<object>((resolve) => ends.push(() => resolve({})))
    },
  })
  scheduler.add(['a1', 'a2', 'a3', 'a4', 'a5', 'a6'].map((name) => task('a', name)))
  assert.equal(order, ['a1', 'a2'])
  scheduler.add([task('b', 'b1'), task('b', 'b2'), task('a', 'a9', 9)])
  assert.equal(order, ['a1', 'a2', 'b1'])
  assert.equal(scheduler.counts(), { running: 3, waiting: 6, completing: 0 })
  assert.equal(scheduler.groupsOf(5), ['a'])
  const next = async () => {
    ends.shift()!()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await next()
  await next()
  assert.equal(order.slice(3), ['a9', 'b2'])
  assert.equal(
    scheduler.shed().map((task) => task.drop().id),
    ['a5', 'a6'],
    'what is beyond its share',
  )
  for (let at = 0; at < 5; at++) await next()
  assert.equal(scheduler.counts(), { running: 0, waiting: 0, completing: 0 })

  const again = Promise.withResolvers<void>()
  const left: string[] = []
  const paused = createScheduler({
    total: 3,
    perGroup: 1,
    onFree: () => order.includes('c1') && again.resolve(),
    onReturned: (task) => left.push(task.drop().id),
  })
  order.length = 0
  paused.add([task('c', 'c1', 0, [5]), task('c', 'c2')])
  await again.promise
  await eventually(() => order.length === 2 || undefined)
  assert.equal(order, ['c1', 'c1'])
  paused.add([task('d', 'd1', 0, [5])])
  assert.equal(
    paused.close().map((task) => task.drop().id),
    ['c2'],
  )
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(left, ['d1'], 'one that wants to wait when all is over goes back too')
  ends.shift()!()
})

/** A scheduler whose tasks run until they are told to end. */
function openScheduler(limits: { total: number; perGroup: number }, startMs = 0) {
  const running = new Map<string, (() => void)[]>()
  const order: string[] = []
  let frees = 0
  let clock = 0
  const scheduler = createScheduler({
    ...limits,
    onFree: () => frees++,
    onReturned: () => {},
    now: () => clock,
  })
  const task = (tenant: string, group: string) => ({
    tenant,
    group: `${tenant}/${group}`,
    priority: 0,
    drop: () => ({ id: `${tenant}/${group}`, queue: 'webhook', data: {}, claims: 0 }),
    run: () =>
      new Promise<object>((resolve) => {
        clock += startMs
        order.push(`${tenant}/${group}`)
        running.set(tenant, [...(running.get(tenant) ?? []), () => resolve({})])
      }),
  })
  const tasks = (tenant: string, groups: number, each: number) =>
    Array.from({ length: groups * each }, (_, at) => task(tenant, `${at % groups}`))
  const count = (tenant: string) => running.get(tenant)?.length ?? 0
  /** Ends the oldest task of a tenant. */
  const end = async (tenant: string) => {
    running.get(tenant)!.shift()!()
    await new Promise((resolve) => setImmediate(resolve))
  }
  /** Resolves when all that may run does. */
  const started = async () => {
    for (let before = -1; before !== order.length; ) {
      before = order.length
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { scheduler, order, tasks, count, end, started, running, frees: () => frees }
}

test('a turn of the loop starts tasks for a millisecond, so that nothing else waits for hundreds', async () => {
  const quick = openScheduler({ total: 256, perGroup: 16 }, 0.01)
  quick.scheduler.add(quick.tasks('one', 16, 8))
  assert.is(quick.count('one'), 104, 'it looks at the clock at times')
  const { scheduler, tasks, count, started } = openScheduler({ total: 256, perGroup: 16 }, 0.2)
  scheduler.add(tasks('one', 16, 8))
  assert.is(count('one'), 8)
  await new Promise((resolve) => setImmediate(resolve))
  assert.is(count('one'), 16)
  await started()
  assert.is(count('one'), 128)
})

test('tasks that end in one turn of the loop make room at once', async () => {
  const { scheduler, tasks, count, running, started, frees } = openScheduler({ total: 8, perGroup: 6 })
  scheduler.add(tasks('one', 1, 20))
  assert.is(count('one'), 4)
  for (const end of running.get('one')!.splice(0)) end()
  // they end in this turn, and are followed in the next
  await new Promise((resolve) => setImmediate(resolve))
  await started()
  assert.is(count('one'), 4)
  assert.is(frees(), 1)
})

test('a tenant whose 128 receivers hang has three quarters of the places, and another one begins at once', async () => {
  const { scheduler, tasks, count, end, started } = openScheduler({ total: 256, perGroup: 16 })
  scheduler.add(tasks('hung', 128, 8))
  await started()
  assert.is(count('hung'), 192)
  scheduler.add(tasks('one', 1, 100))
  await started()
  assert.is(count('one'), 16, 'as many as a receiver may have')
  scheduler.add(tasks('many', 64, 4))
  await started()
  assert.is(scheduler.counts().running, 256)
  // three tenants have 64 places each; nothing hangs that was more
  for (let at = 0; at < 140; at++) await end('hung')
  await started()
  assert.is(count('hung'), 64)
  assert.is(count('many'), 64)
  assert.is(count('one'), 16)
})

test('within a tenant receivers take turns, and one that hangs leaves places to the others', async () => {
  const { scheduler, order, tasks, count, end } = openScheduler({ total: 64, perGroup: 16 })
  for (let other = 0; other < 5; other++) scheduler.add(tasks(`other-${other}`, 1, 1))
  scheduler.add(tasks('own', 1, 20))
  // 8 of 64 for each of six tenants, 6 of them for the receiver that is alone
  assert.is(count('own'), 6)
  scheduler.add(tasks('own', 3, 20).filter(({ group }) => group !== 'own/0'))
  assert.is(count('own'), 8)
  order.length = 0
  for (let at = 0; at < 6; at++) await end('own')
  assert.equal(new Set(order), new Set(['own/0', 'own/1', 'own/2']))
  assert.is(count('own'), 6, 'two of each')
})

test('a tenant that has only two places still has one for its other receiver', async () => {
  const { scheduler, order, tasks, started } = openScheduler({ total: 256, perGroup: 16 })
  scheduler.add(Array.from({ length: 120 }, (_, at) => tasks(`tenant-${at}`, 1, 9)).flat())
  assert.is(scheduler.counts().running <= 256, true)
  await started()
  scheduler.add(tasks('late', 1, 9))
  scheduler.add(tasks('late', 2, 1).slice(1))
  await started()
  assert.is(order.filter((group) => group === 'late/0').length, 1)
  assert.is(order.filter((group) => group === 'late/1').length, 1)
})

test('the tenant with the most waiting gives back, from its fullest receivers first', () => {
  const { scheduler, tasks } = openScheduler({ total: 8, perGroup: 4 })
  scheduler.add([...tasks('small', 2, 8), ...tasks('large', 20, 2), ...tasks('large', 1, 9)])
  const shed: string[] = []
  for (let some = scheduler.shed(); some.length > 0; some = scheduler.shed())
    shed.push(...some.map((task) => task.drop().id))
  const { waiting } = scheduler.counts()
  assert.ok(
    shed.slice(0, 7).every((id) => id === 'large/0'),
    'what is beyond a share of one',
  )
  assert.ok(shed.filter((id) => id.startsWith('small')).length > 0, 'then those of the next')
  assert.ok(waiting <= 2 * 3, `each tenant keeps its share: ${waiting}`)
  assert.ok(scheduler.busyGroups().includes('large/0'))
})

test.run()
