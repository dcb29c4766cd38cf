import * as assert from 'uvu/assert'
import { watchLoop } from '../../src/observe/loop-lateness.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('loop lateness')

test('a loop that does too much at once is late, and one that does not is not', async (rig) => {
  const loop = watchLoop({ windowMs: 500 })
  rig.defer(() => loop.close())
  const idle = watchLoop({ windowMs: 60_000 })
  rig.defer(() => idle.close())
  const work = setInterval(() => {
    for (const end = performance.now() + 200; performance.now() < end; );
  }, 1)
  rig.defer(() => clearInterval(work))
  const lateMs = await eventually(() => loop.lateMs())
  assert.ok(lateMs >= 100, `${lateMs} ms`)
  assert.is(idle.lateMs(), undefined, 'nothing is said before a window is over')
})

test.run()
