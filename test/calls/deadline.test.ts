import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { type ActorOptions, createActor, SimulatedClock } from 'xstate'
import { deadline } from '../../src/calls/index.ts'
import { withTimeout } from '../../src/platform/time.ts'
import { simulateTime } from '../rig/clock.ts'
import { suite } from '../rig/rig.ts'

const test = suite('deadline')

/** ms of setTimeout, and one more than it holds. */
const LONG_MS = 2 ** 31

/** A deadline that waits on `clock`. */
function wait(at: number, clock?: ActorOptions<typeof deadline>['clock']) {
  return createActor(deadline, { input: { at }, ...(clock && { clock }) }).start()
}

async function statusOf(actor: ReturnType<typeof wait>) {
  // the promise's end reaches the actor
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  return actor.getSnapshot().status
}

test('waits for an absolute time of the clock that its system was given', async () => {
  const clock = new SimulatedClock()
  clock.increment(40_000)
  const actor = wait(100_000, clock)
  clock.increment(59_999)
  assert.is(await statusOf(actor), 'active')
  clock.increment(1)
  assert.is(await statusOf(actor), 'done')
})

test('is over at once where its time has passed, as after a restore', async () => {
  const clock = new SimulatedClock()
  clock.increment(100)
  assert.is(await statusOf(wait(100, clock)), 'done')
})

test('is never early, however far away', async () => {
  const clock = new SimulatedClock()
  const actor = wait(2 * LONG_MS, clock)
  clock.increment(LONG_MS)
  assert.is(await statusOf(actor), 'active')
  clock.increment(LONG_MS - 1)
  assert.is(await statusOf(actor), 'active')
  clock.increment(1)
  assert.is(await statusOf(actor), 'done')
})

test('after a standstill, an answer that has arrived meanwhile comes first', async (rig) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => server.close())
  const { port } = server.address() as AddressInfo
  const connection = once(server, 'connection') as Promise<[Socket]>
  const socket = connect(port, '127.0.0.1')
  rig.defer(() => socket.destroy())
  const [peer] = await connection
  const order: string[] = []
  const answered = once(socket, 'data').then(() => order.push('answer'))
  const actor = wait(Date.now() + 100)
  const over = new Promise<void>((resolve) => actor.subscribe({ complete: resolve })).then(() =>
    order.push('deadline'),
  )
  const expired = withTimeout(100, new Promise(() => {})).then(() => order.push('timeout'))
  // it leaves at once, and this process stands still until both are long over
  peer.end('the answer')
  const until = Date.now() + 400
  while (Date.now() < until);
  await Promise.all([answered, over, expired])
  assert.is(order[0], 'answer')
})

test('what was asked just before a standstill is answered after it, though the time is over', async (rig) => {
  const server = createServer((peer) => peer.on('error', () => {}).pipe(peer)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  rig.defer(() => socket.destroy())
  await once(socket, 'connect')
  const answered = withTimeout(
    3000,
    once(socket, 'data').then(() => 'answer'),
  )
  socket.write('question')
  const until = Date.now() + 3100
  while (Date.now() < until);
  assert.is(await answered, 'answer')
})

test('leaves no timer when it is stopped', () => {
  const timers = new Set<number>()
  const simulated = new SimulatedClock()
  const clock = {
    now: () => simulated.now(),
    setTimeout(run: () => void, ms: number) {
      const timer = simulated.setTimeout(run, ms)
      timers.add(timer)
      return timer
    },
    clearTimeout: (timer: number) => timers.delete(timer),
  }
  const actor = wait(1000, clock)
  assert.is(timers.size, 1)
  actor.stop()
  assert.is(timers.size, 0)
})

test('waits by Date where the clock tells no time', async (t) => {
  const time = simulateTime(t)
  const actor = wait(Date.now() + 1000)
  await time.tickAsync(999)
  assert.is(await statusOf(actor), 'active')
  await time.tickAsync(1)
  assert.is(await statusOf(actor), 'done')
})

test.run()
