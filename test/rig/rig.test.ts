import { createServer } from 'node:net'
import * as assert from 'uvu/assert'
import { eventually, suite } from './rig.ts'

const test = suite('rig')

test('releases in reverse order when the test ends', async (t) => {
  const order: number[] = []
  t.defer(() => assert.equal(order, [2, 1]))
  t.defer(() => order.push(1))
  t.defer(() => order.push(2))
})

test('waits for a state that announces nothing', async () => {
  let seen = 0
  assert.is(await eventually(() => (++seen > 2 ? seen : undefined)), 3)
})

test('a server that is closed leaves nothing', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.defer(() => new Promise((resolve) => server.close(resolve)))
  await new Promise((resolve) => server.once('listening', resolve))
})

test.run()
