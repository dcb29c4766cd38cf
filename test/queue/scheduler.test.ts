import * as assert from 'uvu/assert'
import { createScheduler } from '../../src/queue/scheduler.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('queue scheduler')

test('groups take turns, none has more than its share, and a pause is the whole group’s', async () => {
  const order: string[] = []
  const ends: (() => void)[] = []
  const scheduler = createScheduler({ total: 3, perGroup: 2, onFree: () => {}, onReturned: () => {} })
  const task = (group: string, name: string, priority = 0, pauses: number[] = []) => ({
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

test.run()
