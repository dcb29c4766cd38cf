import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { MACHINES } from '../../machines/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { mutate } from '../../src/testing/index.ts'
import { mutantsOf } from '../../src/testing/mutants.ts'
import { changesOf } from '../rig/proof-table.ts'
import { suite } from '../rig/rig.ts'

const test = suite('mutate', { timeout: 300_000 })

const SOURCE = `
// on: { not: 'code' }
const machine = setup({
  actions: { count: assign({ tries: ({ context }) => context.tries + 1 }) },
  guards: { mayTry: ({ context }) => context.tries < 3 },
}).createMachine({
  initial: 'idle',
  states: {
    idle: { entry: 'count', on: { go: { guard: 'mayTry', target: 'busy', actions: ['count', 'tell'] } } },
    busy: { invoke: { input: ({ self }) => inMs(self, 500), onDone: [{ guard: 'mayTry', target: 'idle' }, { target: 'over' }] } },
    over: { type: 'final' },
  },
})
`

test('a machine is changed by its tree, in every way, and each change is valid code', () => {
  const mutants = mutantsOf(SOURCE)
  const told = mutants.map(({ line, kind, change }) => `${line} ${kind}: ${change}`)
  assert.equal(told.sort(), [
    "10 drops a guard: guard: 'mayTry'",
    "10 drops a transition: { guard: 'mayTry', target: 'idle' }",
    "10 drops a transition: { target: 'over' }",
    '10 moves a target: idle → busy',
    '10 moves a target: over → idle',
    '10 scales a delay: 500',
    '4 drops an assignment: tries: ({ context }) => context.tries + 1',
    '5 flips a guard: mayTry: context.tries < 3',
    "9 drops a guard: guard: 'mayTry'",
    "9 drops a transition: go: { guard: 'mayTry', target: 'busy', actions: ['count', 'tell'] }",
    "9 drops an action: 'count'",
    "9 drops an action: 'tell'",
    "9 drops an action: entry: 'count'",
    '9 moves a target: busy → over',
  ])
  for (const { start, end, text } of mutants) {
    const changed = SOURCE.slice(0, start) + text + SOURCE.slice(end)
    assert.not.equal(changed, SOURCE)
    mutantsOf(changed)
  }
})

test('every machine of the package has mutants', async () => {
  for (const id of ['call', 'contact', 'broker', 'resident']) {
    const text = await readFile(new URL(`../../machines/${id}.ts`, import.meta.url), 'utf8')
    const kinds = new Set(mutantsOf(stripTypeScriptTypes(text)).map(({ kind }) => kind))
    assert.ok(kinds.size >= 5, `${id}: ${[...kinds].join(', ')}`)
  }
})

test('docs/testing.md has the changes of each machine, as many as there are', async () => {
  const text = await readFile(new URL('../../docs/testing.md', import.meta.url), 'utf8')
  const table = text.slice(text.indexOf('<!-- changes -->'), text.indexOf('<!-- /changes -->'))
  const stale = MACHINES.filter(({ id }) => !table.includes(`| ${id} | ${changesOf(id).length} |`))
  assert.equal(
    stale.map(({ id }) => id),
    [],
    'npm run prove -- --changes FILE writes them',
  )
})

test('the generated paths of the service notice every change, and results are kept', async (t) => {
  const folder = await createTempDir('porteiro-mutate-')
  t.defer(() => folder.remove())
  const resume = join(folder.path, 'results.jsonl')
  const some = await mutate({ machines: ['service'], sample: 6, resume })
  assert.is(some.length, 6)
  assert.equal(
    some.map(({ fate }) => fate),
    Array(6).fill('killed'),
  )
  const again: string[] = []
  const same = await mutate({
    machines: ['service'],
    sample: 6,
    resume,
    tell: ({ fate }) => again.push(fate),
  })
  assert.equal(same, some)
  assert.is((await readFile(resume, 'utf8')).trim().split('\n').length, 6)
})

test.run()
