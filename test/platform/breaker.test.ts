import * as assert from 'uvu/assert'
import { createBreaker } from '../../src/platform/breaker.ts'
import { suite } from '../rig/rig.ts'

const test = suite('platform breaker')

function fixture() {
  let now = 0
  const breaker = createBreaker({ limit: 3, pauseMs: 15_000, now: () => now })
  const fail = () => {
    const pass = breaker.enter()
    assert.ok(pass)
    pass.fails(new Error('refused'))
  }
  return { breaker, fail, pass: (ms: number) => (now += ms) }
}

test('opens at the third failure in a row; a success in between starts anew', () => {
  const { breaker, fail } = fixture()
  fail()
  fail()
  breaker.enter()!.works()
  fail()
  fail()
  assert.ok(breaker.ready)
  fail()
  assert.not.ok(breaker.ready)
  assert.not.ok(breaker.enter())
})

test('after the pause one tries for all, and its success closes it', () => {
  const { breaker, fail, pass } = fixture()
  for (let n = 0; n < 3; n++) fail()
  pass(14_999)
  assert.not.ok(breaker.enter())
  pass(1)
  const probe = breaker.enter()
  assert.ok(probe)
  assert.not.ok(breaker.enter(), 'the others wait for the one')
  probe.works()
  assert.ok(breaker.enter() && breaker.enter())
})

test('a failed try pauses again, one that was given up lets another try', () => {
  const { breaker, fail, pass } = fixture()
  for (let n = 0; n < 3; n++) fail()
  pass(15_000)
  fail()
  assert.not.ok(breaker.ready)
  pass(15_000)
  breaker.enter()!.unclear()
  assert.ok(breaker.enter())
})

test.run()
