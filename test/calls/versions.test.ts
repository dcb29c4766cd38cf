import { readFile } from 'node:fs/promises'
import * as assert from 'uvu/assert'
import { type AnyStateNode, SimulatedClock, type Snapshot } from 'xstate'
import { type CallContext, MACHINES } from '../../machines/index.ts'
import { readSnapshots, shapesText, type TakenSnapshot, takeSnapshots } from '../../scripts/snapshots.ts'
import { MIGRATIONS, migrateSnapshot } from '../../src/calls/recovery/migrations.ts'
import { machinesVersion, shapesOf, statesIn } from '../../src/charts/index.ts'
import { createStage } from '../../src/testing/index.ts'
import { suite } from '../rig/rig.ts'

const test = suite('versions of snapshots')

const STALE =
  'run `npm run snapshots`, and say in src/calls/recovery/migrations.ts what becomes of the key before'
/** Machines that are not below a call. */
const OTHERS = ['broker', 'delivery', 'service']

test('the stored snapshots are of the present machines, and have each of their states', async () => {
  const taken = await takeSnapshots()
  assert.is(
    await readFile('src/charts/context-shapes.ts', 'utf8').then(plain),
    plain(shapesText(taken)),
    STALE,
  )
  const stored = (await readSnapshots()).get(machinesVersion())
  assert.ok(stored, STALE)
  assert.equal(
    stored.map(({ states }) => states),
    taken.map(({ states }) => states),
    STALE,
  )
  const seen = new Set(stored.flatMap(({ states }) => states))
  const missing = MACHINES.filter(({ id }) => !OTHERS.includes(id)).flatMap((machine) =>
    leavesOf(machine.root)
      .map((node) => `${machine.id} ${node.path.join('.')}`)
      .filter((state) => !seen.has(state)),
  )
  assert.equal(missing, [], 'let a visit of scripts/snapshots.ts pass through these states')
})

/** Keys of contexts that each snapshot of the present machines has. */
async function requiredKeys(): Promise<Map<string, readonly string[]>> {
  const stored = (await readSnapshots()).get(machinesVersion()) ?? []
  const keys = new Map<string, readonly string[]>()
  for (const { snapshot } of stored)
    for (const [name, own] of keysIn(snapshot))
      keys.set(name, keys.has(name) ? keys.get(name)!.filter((one) => own.includes(one)) : own)
  return keys
}

const keysIn = (snapshot: unknown) =>
  Object.entries(shapesOf([snapshot])).map(
    ([name, lines]) => [name, [...new Set(lines.map((line) => line.split(/[.:[]/)[0]!))]] as const,
  )

/** Restores it as a process does, without the resident's leg, and lets the time go by until the call is over. */
async function goesOn({ at, snapshot }: TakenSnapshot): Promise<void> {
  const clock = new SimulatedClock()
  clock.increment(at + 5000)
  const stage = createStage({ clock })
  // those that still ring are asked for again, by the same id
  const { ended, line } = (snapshot as unknown as { context: CallContext }).context
  const used = new Set([...ended, ...(line ? [line] : [])].map(({ attemptId }) => attemptId))
  const actor = stage.create(structuredClone(snapshot) as Snapshot<unknown>)
  const errors: unknown[] = []
  actor.subscribe({ error: (error) => errors.push(error) })
  const states = statesIn(snapshot).map((state) => state.split(' ')[0])
  actor.start()
  const restored = statesIn(actor.getPersistedSnapshot()).map((state) => state.split(' ')[0])
  assert.equal(errors, [])
  for (const machine of states) assert.ok(restored.includes(machine), `${machine} was lost`)
  actor.send({ type: 'call.restored' })
  if (actor.getSnapshot().context.legs.includes('resident'))
    stage.report('resident', { type: 'hungUp', how: 'lost' })
  await stage.pass(700_000)
  assert.equal(errors, [])
  assert.is(actor.getSnapshot().status, 'done')
  for (const { attemptId } of stage.dialled) assert.not(used.has(attemptId), `${attemptId} was called before`)
}

test('each stored snapshot of the present machines goes on, and calls no telephone by an id that was used', async () => {
  const stored = (await readSnapshots()).get(machinesVersion()) ?? []
  assert.ok(stored.length > 0, STALE)
  for (const taken of stored)
    await goesOn(taken).catch((error) => {
      throw new Error(`${taken.states.join(', ')}: ${error.message}`, { cause: error })
    })
})

test('those of earlier machines have a migration with which they go on, or say that they have none', async () => {
  const required = await requiredKeys()
  for (const [key, stored] of await readSnapshots()) {
    if (key === machinesVersion()) continue
    const migration = MIGRATIONS[key]
    assert.ok(migration, `${key}: ${STALE}`)
    if ('none' in migration) continue
    for (const taken of stored) {
      const snapshot = migrateSnapshot(key, taken.snapshot) as Snapshot<unknown>
      for (const [name, own] of keysIn(snapshot))
        assert.equal(
          (required.get(name) ?? []).filter((one) => !own.includes(one)),
          [],
          `contexts of ${name} lack these`,
        )
      await goesOn({ ...taken, snapshot }).catch((error) => {
        throw new Error(`${key}, ${taken.states.join(', ')}: ${error.message}`, { cause: error })
      })
    }
  }
})

/** States in which a machine can be found: not the final ones, and not those that it leaves at once. */
function leavesOf(node: AnyStateNode): AnyStateNode[] {
  const inner = Object.values(node.states)
  if (inner.length > 0) return inner.flatMap(leavesOf)
  return node.type === 'final' || (node.always ?? []).some(({ guard }) => guard === undefined) ? [] : [node]
}

/** As the formatter would not change it. */
function plain(text: string): string {
  return text.replace(/["',\s]/g, '')
}

test.run()
