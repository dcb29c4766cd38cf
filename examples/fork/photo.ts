/**
 * A fork of the call with a state of its own: a photo of the visitor is taken before anybody is called. The stage plays a visit on
 * it, and its model plays every path, the new ones too.
 *
 *     npm run build && node examples/fork/photo.ts      in a checkout
 *     node photo.ts                                     where porteiro and xstate are installed
 */
import assert from 'node:assert/strict'
import { callMachine, port } from 'porteiro/machines'
import { createStage, done, extend, type Fixture, failed, fixtures, model, stage } from 'porteiro/testing'
import { fromPromise, SimulatedClock } from 'xstate'

const withPhoto = extend(callMachine, {
  before: 'reaching',
  state: 'photographing',
  actors: { photograph: port<{ file: string }, { callId: string }>('photograph') },
  config: (next) => ({
    invoke: {
      src: 'photograph',
      id: 'photograph',
      input: ({ context }) => ({ callId: context.callId }),
      onDone: next,
      // a broken camera keeps nobody waiting
      onError: next,
    },
  }),
})

// one visit, in a moment: the port is provided as any other
const photos: string[] = []
const scene = createStage({
  clock: new SimulatedClock(),
  machine: withPhoto.provide({
    actors: {
      photograph: fromPromise<{ file: string }, { callId: string }>(async ({ input }) => {
        photos.push(input.callId)
        return { file: 'visitor.jpg' }
      }),
    },
  }),
})
const call = scene.create().start()
for (const key of '101#') scene.report('visitor', { type: 'key.pressed', key })
await scene.pass(20_000)
assert.equal(photos.length, 1)
assert.equal(scene.dialled.length, 1)
assert.ok(call.getSnapshot().matches('reaching'))
call.stop()

// every path: the fixture of the call, and how the new port may end; without that it would not compile
const fixture: Fixture<typeof withPhoto> = {
  ...fixtures.call,
  outcomes: {
    ...fixtures.call.outcomes,
    photograph: {
      'the photo is taken': done({ file: 'visitor.jpg' }),
      'the camera is broken': failed(new Error('no camera')),
    },
  },
}
const explored = model(withPhoto, fixture, {
  always: {
    'nobody is called before the photo is taken': ({ value, waiting }) =>
      !(typeof value === 'object' && 'photographing' in value && 'contact' in waiting),
  },
})
assert.deepEqual(explored.unreached, [])
const paths = explored.paths({ each: 'transition' })
for (const path of paths) await path.play(stage())
const photographing = paths.filter(({ end }) => JSON.stringify(end.value).includes('photographing'))
assert.ok(photographing.length > 0)
console.log(`${paths.length} paths: every state reached, every transition taken`)
