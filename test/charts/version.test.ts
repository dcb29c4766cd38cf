import * as assert from 'uvu/assert'
import { createMachine } from 'xstate'
import { unitMachine } from '../../machines/index.ts'
import { CONTEXT_SHAPES } from '../../src/charts/context-shapes.ts'
import { skeletonOf } from '../../src/charts/snapshot-shape.ts'
import { machinesVersion } from '../../src/charts/version.ts'
import { suite } from '../rig/rig.ts'

const test = suite('version of the machines')

test('the key changes with a state, an invoked child or a context, and not with a description', () => {
  const key = machinesVersion()
  assert.is(machinesVersion({ ...CONTEXT_SHAPES }), key)
  assert.is.not(machinesVersion({ ...CONTEXT_SHAPES, unit: ['one: string'] }), key)
  const skeleton = JSON.stringify(skeletonOf(unitMachine))
  const { config } = unitMachine
  const variant = (change: (states: Record<string, object>) => Record<string, object>) =>
    JSON.stringify(
      skeletonOf(
        createMachine({
          ...config,
          states: change({ ...(config.states as Record<string, object>) }),
        } as never),
      ),
    )
  assert.is(
    variant((states) => ({ ...states, asking: { ...states['asking'], description: 'new words' } })),
    skeleton,
  )
  assert.is.not(
    variant((states) => ({ ...states, another: {} })),
    skeleton,
  )
  assert.is.not(
    variant((states) => ({ ...states, asking: {} })),
    skeleton,
  )
})

test.run()
