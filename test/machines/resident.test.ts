import * as assert from 'uvu/assert'
import { createActor, fromPromise } from 'xstate'
import {
  type Deadline,
  listeningMachine,
  type Piece,
  residentMachine,
  type Saying,
  type SpokenAnswer,
} from '../../machines/index.ts'
import { delay } from '../../src/platform/time.ts'
import { simulateTime } from '../rig/clock.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('resident machine')

const PIECE_MS = 1000
const UNIT = { id: '1', number: '101', label: '101' }
/** Greeting, gate, unit, no name, menu. */
const ANNOUNCEMENT_MS = 5 * PIECE_MS
/** ms after the beginning of a listening in which something is said. */
const SPEECH_MS = 1000
const OPENS = { answer: 'authorized', via: 'voice' }

/** A resident's dialogue under simulated time; `says` is said into each listening in turn, and then nothing more. */
function converse(rig: Rig, says: SpokenAnswer[], { bargesIn = false } = {}) {
  const clock = simulateTime(rig)
  const left = [...says]
  const spoken: Piece[][] = []
  const listen = fromPromise<SpokenAnswer, { callId: string }>(async ({ signal }) => {
    const said = left.shift()
    if (said === undefined) return new Promise(() => {})
    await delay(SPEECH_MS, signal)
    return said
  })
  const deadline = fromPromise<void, Deadline>(({ input, signal }) => delay(input.at - Date.now(), signal))
  const say = fromPromise<{ ms: number; interrupted: boolean }, Saying>(
    async ({ input: { pieces }, signal }) => {
      spoken.push(pieces)
      await delay(pieces.length * PIECE_MS, signal)
      return { ms: pieces.length * PIECE_MS, interrupted: signal.aborted }
    },
  )
  const listening = listeningMachine<SpokenAnswer>('listenToAnswer').provide({ actors: { listen, deadline } })
  const actor = createActor(residentMachine.provide({ actors: { say, listening } }), {
    input: { callId: 'c', unit: UNIT, identity: null, purpose: null, transcribes: true, bargesIn },
  })
  actor.start()
  rig.defer(() => {
    actor.stop()
    assert.is(clock.countTimers(), 0, 'timers are left')
  })
  return {
    /** What was said to the resident after the announcement. */
    prompts: () => spoken.slice(1).flat(),
    output: () => actor.getSnapshot().output,
    wait: (ms: number) => clock.tickAsync(ms + 1),
    async speak() {
      actor.send({ type: 'speech.started' })
      await clock.tickAsync(SPEECH_MS + 1)
    },
    async press(key: string) {
      actor.send({ type: 'key.pressed', key })
      await clock.tickAsync(1)
    },
  }
}

test('a closed yes opens at once', async (t) => {
  const { wait, output } = converse(t, ['yes'])
  await wait(ANNOUNCEMENT_MS + SPEECH_MS)
  assert.equal(output(), OPENS)
})

test('a likely yes is asked back, and only then a closed yes opens', async (t) => {
  const { wait, output, prompts } = converse(t, ['likely-yes', 'yes'])
  await wait(ANNOUNCEMENT_MS + SPEECH_MS)
  assert.equal([output(), prompts()], [undefined, ['confirm-yes']])
  await wait(PIECE_MS + SPEECH_MS)
  assert.equal(output(), OPENS)
})

test('a key opens while a likely yes is asked back', async (t) => {
  const { wait, press, output } = converse(t, ['likely-yes'])
  await wait(ANNOUNCEMENT_MS + SPEECH_MS)
  await press('1')
  assert.equal(output(), { answer: 'authorized', via: 'key' })
})

test('a likely yes is asked back once: after the second the keys are explained, and it opens nothing', async (t) => {
  const { wait, output, prompts } = converse(t, ['likely-yes', 'likely-yes', 'likely-yes'])
  await wait(ANNOUNCEMENT_MS + SPEECH_MS + PIECE_MS + SPEECH_MS)
  assert.equal(prompts(), ['confirm-yes', 'menu-again', 'menu'])
  await wait(2 * PIECE_MS + SPEECH_MS)
  assert.equal(prompts().slice(3), ['menu-again', 'menu'])
  await wait(600_000)
  assert.equal(output(), { answer: 'undecided', via: 'key' })
})

test('a no after it was asked back denies', async (t) => {
  const denies = converse(t, ['likely-yes', 'no'])
  await denies.wait(ANNOUNCEMENT_MS + SPEECH_MS + PIECE_MS + SPEECH_MS)
  assert.equal(denies.output(), { answer: 'denied', via: 'voice' })
})

test('silence after it was asked back decides nothing', async (t) => {
  const { wait, output } = converse(t, ['likely-yes'])
  await wait(600_000)
  assert.equal(output(), { answer: 'undecided', via: 'key' })
})

test('somebody who is asked back may answer into the question, where speech interrupts', async (t) => {
  const { wait, speak, output } = converse(t, ['likely-yes', 'yes'], { bargesIn: true })
  await wait(ANNOUNCEMENT_MS + SPEECH_MS)
  await speak()
  assert.equal(output(), OPENS)
})

test('a yes into the explanation may be the rest of what was not understood: it is asked back', async (t) => {
  const { wait, speak, output, prompts } = converse(t, ['unclear', 'yes', 'yes'], { bargesIn: true })
  await wait(ANNOUNCEMENT_MS + SPEECH_MS)
  await speak()
  assert.equal([output(), prompts()], [undefined, ['menu-again', 'menu', 'confirm-yes']])
  await speak()
  assert.equal(output(), OPENS)
})

test('a no counts at once after our question', async (t) => {
  const after = converse(t, ['no'])
  await after.wait(ANNOUNCEMENT_MS + SPEECH_MS)
  assert.equal(after.output(), { answer: 'denied', via: 'voice' })
})

for (const [said, prompt] of [
  ['no', 'menu'],
  ['yes', 'confirm-yes'],
  ['likely-yes', 'confirm-yes'],
  ['yes-needs-key', 'press-one'],
  ['unclear', 'menu-again'],
] as const) {
  test(`"${said}" before our question decides nothing: ${prompt} is said`, async (t) => {
    const { wait, speak, output, prompts } = converse(t, [said, 'no'], { bargesIn: true })
    await wait(PIECE_MS)
    await speak()
    assert.equal([output(), prompts()[0]], [undefined, prompt])
    await wait(2 * PIECE_MS + SPEECH_MS)
    assert.equal(output(), { answer: 'denied', via: 'voice' }, 'now it was asked')
  })
}

test('where a key is needed no spoken yes opens, however often it is said, and a key does', async (t) => {
  const { wait, press, output, prompts } = converse(t, ['yes-needs-key', 'yes-needs-key', 'yes-needs-key'])
  await wait(ANNOUNCEMENT_MS + 3 * (SPEECH_MS + PIECE_MS))
  assert.equal([output(), prompts()], [undefined, ['press-one', 'press-one', 'press-one']])
  await press('1')
  assert.equal(output(), { answer: 'authorized', via: 'key' })
})

test.run()
