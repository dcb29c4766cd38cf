import * as assert from 'uvu/assert'
import { createBreaker } from '../../src/speech/breaker.ts'
import { suite } from '../rig/rig.ts'

const test = suite('speech: breaker')

function fixture() {
  let now = 0
  const breaker = createBreaker({ limit: 3, pauseMs: 15_000, now: () => now })
  const fail = () => {
    assert.ok(breaker.enter())
    breaker.failed()
  }
  return { breaker, fail, pass: (ms: number) => (now += ms) }
}

test('opens at the third failure in a row; a success in between starts anew', () => {
  const { breaker, fail } = fixture()
  fail()
  fail()
  assert.ok(breaker.enter())
  breaker.succeeded()
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
  assert.ok(breaker.enter())
  assert.not.ok(breaker.enter(), 'the others wait for the one')
  breaker.succeeded()
  assert.ok(breaker.enter() && breaker.enter())
})

test('a failed try pauses again, one that was given up lets another try', () => {
  const { breaker, fail, pass } = fixture()
  for (let n = 0; n < 3; n++) fail()
  pass(15_000)
  fail()
  assert.not.ok(breaker.ready)
  pass(15_000)
  assert.ok(breaker.enter())
  breaker.dropped()
  assert.ok(breaker.enter())
})

test.run()
