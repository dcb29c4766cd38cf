import * as assert from 'uvu/assert'
import { createActor, fromCallback, fromPromise } from 'xstate'
import type { Said, Saying } from '../../machines/index.ts'
import {
  type AnswerCheck,
  type Deadline,
  type Greeting,
  PROVING,
  provingMachine,
  type Screened,
} from '../../machines/index.ts'
import { delay } from '../../src/platform/time.ts'
import { simulateTime } from '../rig/clock.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('proving')

/** ms of each piece that Porteiro says. */
const PIECE_MS = 1000

/** ms after which words are understood. */
const WORDS_MS = 1800

interface Options {
  check?: AnswerCheck
  leavesMessage?: boolean
  greeting?: Greeting
  screened?: Screened
}

/** A line that was just answered, and what is heard on it. */
function answer(rig: Rig, { check = 'natural', leavesMessage = false, greeting, screened }: Options = {}) {
  const clock = simulateTime(rig)
  const said: unknown[] = []
  const actor = createActor(
    provingMachine.provide({
      actors: {
        say: fromPromise<Said, Saying>(async ({ input, signal }) => {
          said.push(...input.pieces)
          await delay(input.pieces.length * PIECE_MS, signal)
          return { ms: 0, interrupted: signal.aborted }
        }),
        deadline: fromPromise<void, Deadline>(({ input, signal }) => delay(input.at - Date.now(), signal)),
        listenToGreeting: fromPromise<Greeting, { callId: string }>(async ({ signal }) => {
          if (!greeting) return new Promise(() => {})
          await delay(WORDS_MS, signal)
          return greeting
        }),
        screen: fromCallback(({ sendBack }) => {
          if (screened) sendBack({ type: 'line.screened', answeredBy: screened })
        }),
      },
    }),
    {
      input: {
        callId: 'c',
        unit: { id: '1', number: '101', label: '101' },
        check,
        transcribes: greeting !== undefined,
        leavesMessage,
      },
    },
  )
  const answeredAt = Date.now()
  let decidedAt: number | undefined
  actor.subscribe({
    complete: () => {
      decidedAt = Date.now()
    },
  })
  actor.start()
  rig.defer(() => actor.stop())
  const isOver = () => actor.getSnapshot().status === 'done'
  return {
    said,
    wait: (ms: number) => clock.tickAsync(ms),
    state: () => actor.getSnapshot().value,
    /** Speech as the ear reports it, ms long and then so many ms of pause. */
    async speak(ms: number, pause = 500) {
      if (!isOver()) actor.send({ type: 'speech.started' })
      await clock.tickAsync(ms)
      if (!isOver()) actor.send({ type: 'speech.ended', ms })
      await clock.tickAsync(pause)
    },
    press: (key: string) => actor.send({ type: 'key.pressed', key }),
    beep: () => actor.send({ type: 'beep.heard' }),
    screen: (answeredBy: Screened) => actor.send({ type: 'line.screened', answeredBy }),
    result: () => actor.getSnapshot().output?.answeredBy,
    greeted: () => actor.getSnapshot().output?.greeted,
    /** ms from the answer to the result. */
    took: () => decidedAt! - answeredAt,
  }
}

test('a short hello and a listening silence prove a person, who is greeted once', async (rig) => {
  const line = answer(rig)
  await line.wait(800)
  await line.speak(500, 0)
  assert.equal(line.said, ['resident-greeting'])
  await line.wait(PIECE_MS)
  assert.equal([line.result(), line.greeted()], ['person', true])
})

test('a silent line hears the unit and the question, and may answer with hello or a key', async (rig) => {
  for (const react of [
    (line: ReturnType<typeof answer>) => line.speak(500, PIECE_MS),
    async (line: ReturnType<typeof answer>) => line.press('5'),
  ]) {
    await rigged(rig, async (own) => {
      const line = answer(own)
      await line.wait(PROVING.silenceMs)
      assert.equal(line.said, ['resident-greeting', 'call-for-unit', { spell: '101' }, 'press-or-say-hello'])
      await line.wait(4 * PIECE_MS + 100)
      await react(line)
      await line.wait(PROVING.keyMs)
      assert.equal([line.result(), line.greeted()], ['person', true])
    })
  }
})

test('a hello over the question counts', async (rig) => {
  const line = answer(rig)
  await line.wait(PROVING.silenceMs + 1000)
  await line.speak(600, PIECE_MS + 1)
  assert.is(line.result(), 'person')
})

test('a line that stays silent is nobody', async (rig) => {
  const line = answer(rig)
  await line.wait(PROVING.limitMs)
  assert.is(line.result(), 'nobody')
  assert.is(line.said.filter((piece) => piece === 'press-or-say-hello').length, PROVING.asks)
})

test('a mailbox that talks for two minutes is released within 8 s', async (rig) => {
  const line = answer(rig)
  await line.wait(1500)
  await line.speak(120_000)
  assert.is(line.result(), 'machine')
  assert.ok(line.took() <= 8000, `${line.took()}`)
})

test('a mailbox that speaks in short sentences is released within 8 s', async (rig) => {
  const line = answer(rig)
  await line.wait(500)
  for (const ms of [1300, 1600, 2000, 1500]) await line.speak(ms)
  assert.is(line.result(), 'machine')
  assert.ok(line.took() <= 8000, `${line.took()}`)
})

test('a mailbox that begins late talks over the question and is released', async (rig) => {
  const line = answer(rig)
  await line.wait(PROVING.silenceMs + 1500)
  await line.speak(10_000)
  assert.is(line.result(), 'machine')
  assert.ok(line.took() <= 8000, `${line.took()}`)
})

test('a beep is a machine, also after a short greeting', async (rig) => {
  const line = answer(rig)
  await line.speak(1200, 300)
  line.beep()
  assert.is(line.result(), 'machine')
})

test('a message is left only where the tenant wants it', async (rig) => {
  const line = answer(rig, { leavesMessage: true })
  await line.speak(1200, 300)
  line.beep()
  assert.is(line.said.at(-1), 'mailbox-message')
  line.press('1')
  await line.wait(PIECE_MS)
  assert.is(line.result(), 'machine')
})

test('words tell a machine and a person where speech is transcribed', async (rig) => {
  const machine = answer(rig, { greeting: 'machine' })
  await machine.speak(1200, 800)
  assert.is(machine.result(), 'machine')
})

test('a greeting in words proves a person who goes on talking', async (rig) => {
  const person = answer(rig, { greeting: 'person' })
  await person.speak(1900, 0)
  assert.equal([person.result(), person.took()], ['person', 1800])
})

test('a person who talks a little over the greeting is still a person', async (rig) => {
  const line = answer(rig)
  await line.speak(3000, 200)
  await line.speak(500, PIECE_MS + 1)
  assert.is(line.result(), 'person')
})

test('where only a key counts, words do not', async (rig) => {
  const line = answer(rig, { check: 'key' })
  await line.speak(600, 3000)
  assert.is(line.result(), undefined)
  line.press('7')
  await line.wait(PROVING.keyMs)
  assert.is(line.result(), 'person')
})

test('more keys after the first are none of the menu, however many there are', async (rig) => {
  const line = answer(rig)
  for (const key of '1231') {
    line.press(key)
    await line.wait(PROVING.keyMs - 100)
    assert.is(line.result(), undefined)
  }
  await line.wait(100)
  assert.equal([line.result(), line.greeted()], ['person', false])
})

test('words that are understood late do not begin the greeting anew', async (rig) => {
  const line = answer(rig, { greeting: 'person' })
  await line.speak(1200, 0)
  await line.wait(600)
  assert.is(line.state(), 'greeting')
  await line.wait(400)
  assert.equal([line.result(), line.greeted(), line.said], ['person', true, ['resident-greeting']])
})

test('with answerCheck off any answer counts as a person', async (rig) => {
  const line = answer(rig, { check: 'off' })
  assert.equal([line.result(), line.greeted(), line.said], ['person', false, []])
})

test('a machine that the PBX has detected hears nothing', async (rig) => {
  for (const check of ['natural', 'key'] as const) {
    await rigged(rig, async (own) => {
      const line = answer(own, { check, screened: 'machine' })
      await line.wait(0)
      assert.equal([line.result(), line.took()], ['machine', 0])
    })
  }
})

test('where a message is left, the beep of a machine that the PBX has detected is waited for', async (rig) => {
  const line = answer(rig, { screened: 'machine', leavesMessage: true })
  await line.speak(1200, 300)
  line.beep()
  assert.is(line.said.at(-1), 'mailbox-message')
})

test('a person that the PBX has detected has said hello, and is greeted at once', async (rig) => {
  const line = answer(rig, { screened: 'person' })
  await line.wait(PIECE_MS)
  assert.equal([line.result(), line.greeted(), line.said], ['person', true, ['resident-greeting']])
})

test('what the PBX takes for a person and talks on is released', async (rig) => {
  const line = answer(rig, { screened: 'person' })
  await line.wait(500)
  await line.speak(120_000)
  assert.is(line.result(), 'machine')
  assert.ok(line.took() <= 8000, `${line.took()}`)
})

test('a person that the PBX has detected presses a key where only that counts', async (rig) => {
  const line = answer(rig, { check: 'key', screened: 'person' })
  await line.wait(PROVING.silenceMs)
  assert.is(line.result(), undefined)
  line.press('7')
  await line.wait(PROVING.keyMs)
  assert.is(line.result(), 'person')
})

test('who has pressed a key is a person, whatever the PBX says then', async (rig) => {
  const line = answer(rig)
  line.press('7')
  line.screen('machine')
  await line.wait(PROVING.keyMs)
  assert.is(line.result(), 'person')
})

test('who has pressed a key is a person, whatever the words before it are understood to be', async (rig) => {
  const line = answer(rig, { greeting: 'machine' })
  await line.speak(1200, 0)
  line.press('7')
  await line.wait(WORDS_MS - 1200)
  assert.is(line.state(), 'pressing')
  await line.wait(PROVING.keyMs)
  assert.is(line.result(), 'person')
})

test('a beep after a key is a machine all the same: its tones were taken for a key', async (rig) => {
  const line = answer(rig)
  line.press('7')
  line.beep()
  assert.is(line.result(), 'machine')
})

test('where nothing is checked, a machine that the PBX has detected is a person too', async (rig) => {
  const line = answer(rig, { check: 'off', screened: 'machine' })
  assert.is(line.result(), 'person')
})

/** One of several lines in a test, each on a clock of its own. */
async function rigged(rig: Rig, run: (own: Rig) => Promise<void>): Promise<void> {
  const releases: (() => unknown)[] = []
  await run({ signal: rig.signal, defer: (release) => releases.push(release) })
  for (const release of releases.reverse()) await release()
}

test.run()
