/**
 * Snapshots of a call in each of its states, as src/calls/recovery stores them. `npm run snapshots` plays visits on a stage with
 * simulated time and writes test/fixtures/snapshots/KEY.jsonl and src/charts/context-shapes.ts. Run it after each change of a machine
 * of the call, and say in src/calls/recovery/migrations.ts what becomes of the snapshots of the key before.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SimulatedClock, type Snapshot } from 'xstate'
import type { ContactStep } from '../machines/index.ts'
import { machinesVersion, shapesOf, statesIn } from '../src/charts/index.ts'
import { createStage, type Scene } from '../src/testing/index.ts'

export const SNAPSHOTS = 'test/fixtures/snapshots'
const SHAPES = 'src/charts/context-shapes.ts'

/** A call in one state that no snapshot before it has. */
export interface TakenSnapshot {
  /** Such as `resident deciding.waiting`, by machine. */
  states: string[]
  /** ms on the clock of the stage. */
  at: number
  snapshot: Snapshot<unknown>
}

type Play = (hands: Hands) => Promise<void>
type Hands = ReturnType<typeof handsOf>

const CONTACT = { residentId: '1', name: 'Ana', number: '1101' }
const RING: ContactStep = { kind: 'call', contact: CONTACT, ringMs: 30_000 }

/** Visits that together pass through every state of a call. */
const VISITS: [Scene, Play][] = [
  [
    // neither the journal nor the gate answers at once
    {
      attempts: [RING],
      commits: () => new Promise((resolve) => queueMicrotask(() => queueMicrotask(() => resolve(null)))),
      gate: () => new Promise(() => {}),
    },
    async ({ wait, press, join }) => {
      await press('101#')
      await wait(15_000)
      await join()
      await wait(5000)
      await press('1', 'resident')
      await wait(10_000)
    },
  ],
  [
    // the rules do not answer
    { rules: new Promise(() => {}) as never },
    async ({ wait, press }) => {
      await press('101#')
      await wait(15_000)
    },
  ],
  [
    // asked twice, then keyed; what rings cannot be stopped
    { settings: { ringsEarly: false } },
    async ({ wait, press, report }) => {
      await report('visitor', { type: 'saying' })
      await wait(9000)
      await press('1')
      await wait(200)
      await press('01#')
      await wait(12_000)
      await press('#')
      await wait(25_000)
    },
  ],
  [
    // spoken, a number that several units have, and nobody at home
    {
      settings: { transcribes: true, bargesIn: true },
      visitorSays: [new Error('not understood')],
      findUnit: async (number, blocks) =>
        blocks.length === 0 ? 'several' : { id: '1', number, label: number },
      attempts: [
        { kind: 'together', contacts: [CONTACT, { ...CONTACT, residentId: '2' }], ringMs: 30_000 },
        RING,
        { kind: 'whatsapp', waitMs: 60_000 },
        { kind: 'operator', contact: CONTACT, ringMs: 30_000 },
      ],
    },
    async ({ wait, press, endRing, report }) => {
      await wait(2100)
      await report('visitor', { type: 'speech.started' })
      await wait(3000)
      await press('101#')
      await wait(2000)
      await press('2#')
      await wait(15_000)
      await endRing('unanswered')
      await wait(25_000)
      await endRing('busy')
      await wait(120_000)
    },
  ],
  [
    // a mailbox, then somebody who has to be asked
    { settings: { answerCheck: 'natural', leavesMessage: true }, attempts: [RING, RING, RING, RING] },
    async ({ wait, press, join, report }) => {
      await press('101#')
      await wait(15_000)
      await join()
      await report('resident', { type: 'beep.heard' })
      await wait(6000)
      await join()
      await report('resident', { type: 'speech.started' })
      await wait(300)
      await report('resident', { type: 'speech.ended', ms: 300 })
      await wait(3000)
      await report('resident', { type: 'hungUp', how: 'fin' })
      await wait(6000)
      await join()
      await wait(2500)
      await report('resident', { type: 'speech.started' })
      await wait(500)
      await report('resident', { type: 'speech.ended', ms: 400 })
      await wait(20_000)
    },
  ],
  [
    {
      settings: { answerCheck: 'natural' },
      greetings: [new Error('no words')],
      attempts: [RING, RING, RING],
    },
    async ({ wait, press, join, report }) => {
      await press('101#')
      await wait(15_000)
      await join()
      await wait(30_000)
      await join()
      await report('resident', { type: 'speech.started' })
      await wait(5000)
    },
  ],
  [
    { settings: { answerCheck: 'key' }, attempts: [RING] },
    async ({ wait, press, join }) => {
      await press('101#')
      await wait(15_000)
      await join()
      await wait(6000)
      await press('5', 'resident')
      await wait(20_000)
    },
  ],
  [
    {
      settings: { transcribes: true, bargesIn: true },
      residentSays: ['likely-yes', 'yes-needs-key', 'unclear', 'no', 'unclear'] as never,
      attempts: [RING, RING],
      closes: () => false,
    },
    async ({ wait, press, join, report }) => {
      await press('101#')
      await wait(15_000)
      await join()
      await wait(700)
      await report('resident', { type: 'speech.started' })
      await wait(60_000)
      await press('9', 'resident')
      await wait(70_000)
    },
  ],
  [
    // talks, and decides afterwards; nobody closes what we hang up
    { attempts: [RING], settings: { afterTalk: 'next' }, closes: () => false },
    async ({ wait, press, join }) => {
      await press('101#')
      await wait(15_000)
      await join()
      await wait(5000)
      await press('3', 'resident')
      await wait(8000)
      await press('1', 'resident')
      await wait(10_000)
    },
  ],
  [
    // nobody decides in a talk
    { attempts: [RING, RING], settings: { afterTalk: 'next', talkMs: 3000 }, closes: () => false },
    async ({ wait, press, join }) => {
      await press('101#')
      await wait(15_000)
      await join()
      await wait(5000)
      await press('3', 'resident')
      await wait(20_000)
    },
  ],
]

function handsOf(
  stage: ReturnType<typeof createStage>,
  actor: ReturnType<ReturnType<typeof createStage>['create']>,
) {
  const wait = (ms: number) => stage.pass(ms)
  type Told = Parameters<typeof stage.report>
  return {
    wait,
    async press(keys: string, role: Told[0] = 'visitor') {
      for (const key of keys) {
        stage.report(role, { type: 'key.pressed', key })
        await wait(10)
      }
    },
    async report(...told: Told) {
      stage.report(...told)
      await wait(10)
    },
    async join() {
      actor.send({ type: 'resident.joined' })
      await wait(10)
    },
    async endRing(end: Parameters<typeof stage.endRing>[0]) {
      stage.endRing(end)
      await wait(10)
    },
  }
}

/** One snapshot for each state, in the order in which the visits come to them. */
export async function takeSnapshots(): Promise<TakenSnapshot[]> {
  const seen = new Set<string>()
  const taken: TakenSnapshot[] = []
  for (const [scene, play] of VISITS) {
    const clock = new SimulatedClock()
    const stage = createStage({ ...scene, clock })
    const actor = stage.create()
    const take = () => {
      const now = actor.getSnapshot()
      if (now.status !== 'active') return
      const snapshot = actor.getPersistedSnapshot()
      const fresh = statesIn(snapshot).filter((state) => !seen.has(state))
      if (fresh.length === 0) return
      for (const state of fresh) seen.add(state)
      taken.push({ states: fresh, at: clock.now(), snapshot: JSON.parse(JSON.stringify(snapshot)) })
    }
    // not within a transition: the snapshot would be the one before
    actor.system.inspect(({ type }) => type === '@xstate.snapshot' && queueMicrotask(take))
    actor.subscribe({ error: () => {} })
    actor.start()
    await play(handsOf(stage, actor))
    actor.stop()
  }
  return taken
}

/** The stored snapshots by the key of their machines. */
export async function readSnapshots(): Promise<Map<string, TakenSnapshot[]>> {
  const files = (await readdir(SNAPSHOTS)).filter((file) => file.endsWith('.jsonl'))
  const read = async (file: string) => {
    const lines = (await readFile(join(SNAPSHOTS, file), 'utf8')).trim().split('\n')
    return [file.replace('.jsonl', ''), lines.map((line) => JSON.parse(line) as TakenSnapshot)] as const
  }
  return new Map(await Promise.all(files.map(read)))
}

export function shapesText(taken: readonly TakenSnapshot[]): string {
  const shapes = JSON.stringify(shapesOf(taken.map(({ snapshot }) => snapshot)), null, 2)
  return `/** What the contexts of a call's machines look like, by path. Generated: npm run snapshots. */\nexport const CONTEXT_SHAPES = ${shapes}\n`
}

if (process.argv.includes('--write')) {
  const taken = await takeSnapshots()
  await writeFile(SHAPES, shapesText(taken))
  const key = machinesVersion(shapesOf(taken.map(({ snapshot }) => snapshot)))
  await writeFile(join(SNAPSHOTS, `${key}.jsonl`), taken.map((one) => `${JSON.stringify(one)}\n`).join(''))
  console.log(`${taken.length} snapshots of ${key}; ${taken.flatMap(({ states }) => states).length} states`)
}
