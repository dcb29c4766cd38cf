import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { MessageStatus } from '../../src/outbound/message.ts'
import { advance, type DeliveryState, failureOf, mayHappen } from '../../src/outbound/outcome.ts'
import { createBatcher } from '../../src/platform/batch.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { DeliveryError } from '../../src/platform/http-client/index.ts'
import { asJsonb } from '../../src/platform/postgres/index.ts'
import { retryDelay } from '../../src/queue/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('outbound life')

const living = (status: MessageStatus, tries = 0): DeliveryState => ({
  id: 'm',
  status,
  attempts: tries,
  attemptsBefore: 0,
  maxRetries: 2,
})

test('a message goes its way, and no other', () => {
  assert.is(advance(living('pending'), { type: 'message.taken' }), 'processing')
  assert.is(advance(living('processing', 2), { type: 'message.refused', final: false }), 'retrying')
  assert.is(advance(living('processing', 3), { type: 'message.refused', final: false }), 'failed')
  assert.is(advance(living('processing', 1), { type: 'message.refused', final: true }), 'failed')
  // tries from before the last redrive do not count
  const redriven = { ...living('processing', 5), attemptsBefore: 4 }
  assert.is(advance(redriven, { type: 'message.refused', final: false }), 'retrying')
  assert.is(advance(living('processing', 1), { type: 'message.released' }), 'pending')
  assert.is(advance(living('processing', 2), { type: 'message.released' }), 'retrying')
  assert.is(advance(living('failed', 3), { type: 'message.redriven' }), 'pending')
  assert.is(advance(living('cancelled', 1), { type: 'message.accepted' }), 'sent')
  for (const status of ['sent', 'expired', 'cancelled', 'failed'] as const) {
    assert.not(mayHappen(living(status), { type: 'message.taken' }), status)
    assert.not(mayHappen(living(status), { type: 'message.cancelled' }), status)
  }
  for (const status of ['sent', 'expired', 'cancelled', 'pending'] as const)
    assert.not(mayHappen(living(status), { type: 'message.redriven' }), status)
  try {
    advance(living('sent'), { type: 'message.cancelled' })
    assert.unreachable()
  } catch (error) {
    assert.ok(error instanceof PorteiroError)
    assert.is(error.code, 'MESSAGE_STATE')
    assert.is(error.status, 409)
  }
})

test('pauses double, within half and all of their length, and have an end', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 1, max: 100 }), (delay, tries) => {
      const whole = Math.min(3_600_000, delay * 2 ** (tries - 1))
      const pause = retryDelay(delay, tries)
      return pause >= Math.floor(whole / 2) && pause <= whole
    }),
  )
  assert.is(retryDelay(1000, 3, { random: () => 1 }), 4000)
  assert.is(retryDelay(1000, 3, { random: () => 0 }), 2000)
  assert.is(retryDelay(1000, 1, { retryAfterMs: 30_000 }), 30_000)
  assert.is(retryDelay(1000, 1, { retryAfterMs: 10 ** 12 }), 24 * 3_600_000)
})

test('any error of a channel becomes a result', () => {
  const webhook = { channel: 'webhook' } as const
  const twilio = { channel: 'twilio' } as const
  assert.is(failureOf(new Error('oops'), webhook).final, false)
  assert.is(failureOf(new Error('oops'), twilio).final, true)
  assert.is(failureOf(new Error('oops'), webhook).code, 'BUG')
  const long = new DeliveryError({ code: 'X', message: 'é'.repeat(2000) })
  assert.ok(Buffer.byteLength(failureOf(long, webhook).message) <= 1024)
  assert.not(failureOf(long, webhook).message.includes('\ufffd'))
})

test('simultaneous calls are one batch; one at fault does not fail the others', async () => {
  const batches: number[][] = []
  const batcher = createBatcher<number, number>({
    max: 5,
    splitsAfter: () => true,
    run: async (items) => {
      batches.push([...items])
      if (items.includes(3)) throw new Error(`3 in ${items.length}`)
      return items.map((item) => item * 10)
    },
  })
  const results = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6].map((item) => batcher.add(item)))
  assert.equal(
    results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason))),
    [0, 10, 20, 'Error: 3 in 1', 40, 50, 60],
  )
  assert.equal(batches, [[0, 1, 2, 3, 4], [0], [1], [2], [3], [4], [5, 6]])
  assert.is(batcher.size(), 0)
  const heavy: number[][] = []
  const weighing = createBatcher<number, void>({
    max: 3,
    weight: { of: (item) => item, max: 10 },
    splitsAfter: () => false,
    run: async (items) => {
      heavy.push([...items])
      return items.map(() => undefined)
    },
  })
  await Promise.all([50, 4, 6, 1, 1, 1, 1, 9].map((item) => weighing.add(item)))
  assert.equal(heavy, [[50], [4, 6], [1, 1, 1], [1, 9]])
  assert.is(await batcher.add(9), 90)
})

test('characters that jsonb refuses are removed or replaced, and nothing else is touched', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
      const clean = texts.map((text) => text.toWellFormed().replaceAll('\0', ''))
      return asJsonb(texts) === JSON.stringify(clean)
    }),
  )
  assert.equal(JSON.parse(asJsonb(['a\0b', '\ud800x', '😀', '\\u0000'])), ['ab', '\ufffdx', '😀', '\\u0000'])
})

test.run()
