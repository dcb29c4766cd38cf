/** A machine under uvu, with walks that fast-check chooses and shrinks: `node delivery.test.ts`. */

import fc from 'fast-check'
import { deliveryMachine } from 'porteiro/machines'
import { eventsOf, model, stage } from 'porteiro/testing'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createActor } from 'xstate'

const test = suite('delivery')
const delivery = model(deliveryMachine)

for (const path of delivery.paths({ each: 'pair' })) test(path.title, () => path.play(stage()))

test('any walk plays as the model says', () =>
  fc.assert(fc.asyncProperty(fc.array(fc.nat()), (choices) => delivery.walk(choices).play(stage()))))

test('whatever comes, an expired message is never sent', () =>
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...eventsOf(deliveryMachine))), (events) => {
      const message = createActor(deliveryMachine, { input: { maxRetries: 2 } }).start()
      message.send({ type: 'message.expired' })
      for (const event of events) message.send(event)
      assert.is(message.getSnapshot().value, 'expired')
    }),
  ))

test.run()
