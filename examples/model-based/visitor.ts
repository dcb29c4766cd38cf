/**
 * Model-based tests of the question which unit. xstate/graph finds a shortest path for each transition of the chart; every
 * path is then played by a real actor whose ports are stand-ins; and what no path visited is named.
 *
 *     npm run build && node examples/model-based/visitor.ts      in a checkout
 *     node visitor.ts                                            where porteiro and xstate are installed
 *
 * Generated expectations follow the chart, also a wrong one: keep hand-written journeys with fixed ends beside them.
 */
import assert from 'node:assert/strict'
import { type Unit, unitMachine } from 'porteiro/machines'
import { coverage, type Path, paths } from 'porteiro/testing'
import { createActor, fromPromise } from 'xstate'

const unit: Unit = { id: '1', number: '101', label: '101' }
const understood = { unit: null, identity: null, purpose: null, purposeSaid: false }
const shared = { ...understood, shared: { number: '1', blocks: [] } }

// whoever knows the gate keys the first digit into the greeting, or says it,
// and whoever keys more digits than any unit has is not listened to for ever
const all = [{ digits: '' }, { digits: '1' }, { digits: '11111111' }, { digits: '', speaks: true }].flatMap(
  (began) =>
    paths(unitMachine, {
      each: 'transition',
      input: { callId: '00000000-0000-4000-8000-000000000001', transcribes: true, bargesIn: true, ...began },
      // one digit stands for all of them
      events: [
        ...['1', '*', '#'].map((key) => ({ type: 'key.pressed' as const, key })),
        { type: 'speech.started' as const },
        { type: 'speech.failed' as const },
        // the visitor is back after the process was lost
        { type: 'call.restored' as const },
      ],
      // what the invoked ports may come back with, by the id of the invocation
      outputs: {
        findUnit: [unit, 'several', null],
        listening: [
          { understood: null },
          { understood },
          { understood: shared },
          { understood: { ...understood, unit } },
          { understood: { ...understood, unit, identity: { name: 'identity', heard: true, ms: 1500 } } },
        ],
      },
      // the digits themselves never matter to where it goes, and beyond two askings nothing changes
      tellApart: ({ asked, missed, restarts, keys, gaveUp, transcribes, asking, ...said }) => [
        // each ends the dialogue by itself: where two have begun, nothing new comes of it
        [restarts, missed, keys].filter(Boolean).length > 1
          ? 'several'
          : [restarts, missed, keys.slice(0, 2)],
        asking?.blocks.length,
        Math.min(asked, 2),
        missed,
        gaveUp,
        transcribes,
        [said.unit, said.identity].map((it) => it !== null),
      ],
    }),
)

/** How a port that was called is answered; the path knows the type of the output. */
interface Answer {
  resolve(output: never): void
  reject(error: unknown): void
}

/** Plays a path for real: events are sent, and each port's answer is given when the path says so. */
async function play({ steps, title, input }: Path<typeof unitMachine>): Promise<void> {
  const waiting = new Map<string, Answer>()
  const standIn = <Output, Input>() =>
    fromPromise<Output, Input>(({ self }) => {
      const answer = Promise.withResolvers<Output>()
      waiting.set(self.id, answer)
      return answer.promise
    })
  const machine = unitMachine.provide({
    actors: {
      say: standIn(),
      deadline: standIn(),
      findUnit: standIn(),
      // a machine of its own, with tests of its own
      listening: standIn() as never,
    },
  })
  const actor = createActor(machine, { input: input! }).start()
  for (const { event, state } of steps.slice(1)) {
    const { type, output, error } = event as { type: string; output?: never; error?: unknown }
    const [, how, id] = /^xstate\.(done|error)\.actor\.(.+)$/.exec(type) ?? []
    if (id === undefined) actor.send(event)
    else if (how === 'done') waiting.get(id)!.resolve(output!)
    else waiting.get(id)!.reject(error)
    await new Promise(setImmediate)
    assert.deepEqual(actor.getSnapshot().value, state.value, title)
  }
  actor.stop()
}

for (const path of all) {
  await play(path)
  console.log(`ok  ${JSON.stringify(path.state.value)}  ${path.title.replaceAll(/ \(\{.*?\}\)/g, '')}`)
}

const seen = coverage(unitMachine)
seen.walk(all)
const { states, transitions } = seen.report()
assert.deepEqual([...states.missed, ...transitions.missed], [])
console.log(`${all.length} paths: every state reached, every transition taken`)
