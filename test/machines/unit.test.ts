import * as assert from 'uvu/assert'
import type { AnyActorRef } from 'xstate'
import type { SharedNumber, Unit, UnitFound, VisitorSpeech } from '../../machines/index.ts'
import { createStage } from '../../src/testing/index.ts'
import { simulateTime } from '../rig/clock.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('unit machine')

const unit = (id: string, number: string): Unit => ({ id, number, label: number })
/** 101 is in blocks 1 and 2, 201 in block 1 in two towers. */
const DOORS: Record<string, UnitFound> = {
  '101': 'several',
  '101 1': unit('1', '101'),
  '101 2': unit('2', '101'),
  '201': 'several',
  '201 1': 'several',
  '201 1 8': unit('3', '201'),
  '301': unit('4', '301'),
}

const says = (said: { unit?: Unit; shared?: SharedNumber } = {}): VisitorSpeech => ({
  unit: null,
  identity: null,
  purpose: null,
  purposeSaid: false,
  ...said,
})

/** A visitor who is asked for the unit. */
async function visitor(rig: Rig, visitorSays?: VisitorSpeech[]) {
  const clock = simulateTime(rig)
  const asked: string[] = []
  const stage = createStage({
    findUnit: async (number, blocks) => {
      const key = [number, ...blocks].join(' ')
      asked.push(key)
      return DOORS[key] ?? null
    },
    ...(visitorSays && { settings: { transcribes: true }, visitorSays }),
  })
  const actor = stage.create()
  actor.start()
  rig.defer(() => {
    actor.stop()
    assert.is(clock.countTimers(), 0, 'timers are left')
  })
  const unitOf = () =>
    (actor.getSnapshot().children['visitor'] as AnyActorRef | undefined)?.getSnapshot().context.unit as
      | Unit
      | null
      | undefined
  await clock.tickAsync(1)
  return {
    asked,
    unit: () => unitOf()?.id,
    wait: (ms: number) => clock.tickAsync(ms),
    heard: () =>
      stage.lines.filter(({ role }) => role === 'visitor').flatMap(({ pieces }) => pieces as string[]),
    async press(keys: string) {
      for (const key of keys) {
        stage.report('visitor', { type: 'key.pressed', key })
        await clock.tickAsync(1)
      }
    },
  }
}

test('a keyed number that several blocks have asks for the block', async (rig) => {
  const v = await visitor(rig)
  await v.press('101#')
  assert.is(v.heard().at(-1), 'ask-block')
  await v.press('2#')
  assert.is(v.unit(), '2')
  assert.equal(v.asked, ['101', '101 2'])
})

test('the last key of a block is waited for as that of a number', async (rig) => {
  const v = await visitor(rig)
  await v.press('101#1')
  assert.equal(v.asked, ['101'])
  await v.wait(4000)
  assert.is(v.unit(), '1')
})

test('a number that one unit has asks for no block', async (rig) => {
  const v = await visitor(rig)
  await v.press('301#')
  assert.is(v.unit(), '4')
  assert.not.ok(v.heard().includes('ask-block'))
})

test('where the block has several towers, the tower is asked as well', async (rig) => {
  const v = await visitor(rig)
  await v.press('201#1#')
  assert.is(v.heard().at(-1), 'ask-block')
  await v.press('8#')
  assert.is(v.unit(), '3')
})

test('a block that is not there is an unknown unit, and the number is asked again', async (rig) => {
  const v = await visitor(rig)
  await v.press('101#7#')
  assert.equal(v.heard().slice(-2), ['unit-unknown', 'ask-unit'])
  await v.press('301#')
  assert.is(v.unit(), '4')
  assert.equal(v.asked, ['101', '101 7', '301'])
})

test('the star goes back from the block to the number', async (rig) => {
  const v = await visitor(rig)
  await v.press('101#*')
  assert.is(v.heard().at(-1), 'ask-unit')
  await v.press('301#')
  assert.is(v.unit(), '4')
})

test('a visitor who does not answer is asked for the block again, then let go', async (rig) => {
  const v = await visitor(rig)
  await v.press('101#')
  await v.wait(1000 + 7000)
  assert.is(v.heard().at(-1), 'ask-block')
  await v.wait(1000 + 7000)
  assert.is(v.heard().at(-1), 'farewell-visitor-silent')
})

test('a spoken number that several blocks have asks for the block, by voice', async (rig) => {
  const v = await visitor(rig, [
    says({ shared: { number: '101', blocks: [] } }),
    says({ unit: unit('2', '101') }),
  ])
  await v.wait(2000 + 2000)
  assert.is(v.heard().at(-1), 'ask-block')
  await v.wait(1000 + 2000)
  assert.is(v.unit(), '2')
})

test('the block of a spoken number may be keyed', async (rig) => {
  const v = await visitor(rig, [says({ shared: { number: '201', blocks: ['1'] } })])
  await v.wait(2000 + 2000)
  await v.press('8#')
  assert.is(v.unit(), '3')
  assert.equal(v.asked, ['201 1 8'])
})

test('a visitor who repeats the number is not asked for the block for ever', async (rig) => {
  const again = says({ shared: { number: '101', blocks: [] } })
  const v = await visitor(rig, [again, again, again, again])
  await v.wait(4 * (1000 + 2000 + 1000))
  assert.is(v.heard().at(-1), 'farewell-visitor-unknown-unit')
})

test.run()
