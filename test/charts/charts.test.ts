import * as assert from 'uvu/assert'
import { createMachine } from 'xstate'
import { MACHINES } from '../../machines/index.ts'
import { CHART_FORMATS, createCharts, standalone } from '../../src/charts/charts.ts'
import { classOf, statechart } from '../../src/charts/statechart.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('charts', { timeout: 60_000 })

function open(rig: Rig) {
  const charts = createCharts(MACHINES)
  rig.defer(() => charts.close())
  return charts
}

/** Every state of a machine by its path, `concluding.farewell`. */
function pathsOf(node: { states: Record<string, unknown>; path: string[] }): string[] {
  const children = Object.values(node.states) as (typeof node)[]
  return children.flatMap((child) => [child.path.join('.'), ...pathsOf(child)])
}

test('every machine is drawn in every format, with each of its states', async (rig) => {
  const charts = open(rig)
  assert.equal(
    charts.names,
    MACHINES.map(({ id }) => id),
  )
  // all at once, so that one thread serves them all
  await Promise.all(
    MACHINES.map(async (machine) => {
      const [svg, mermaid, json] = await Promise.all(
        CHART_FORMATS.map((format) => charts.render(machine.id, format)),
      )
      const paths = pathsOf(machine.root as never)
      assert.ok(paths.length > 0)
      for (const path of paths) {
        const drawn = new RegExp(`class="[^"]*\\b${classOf(path)}(?=[ "])[^"]*"`)
        assert.match(svg!, drawn, `${machine.id} has no ${path}`)
        assert.match(mermaid!, new RegExp(`"${path.split('.').at(-1)}" as `))
      }
      assert.match(svg!, /^<svg [\s\S]*<\/svg>$/)
      assert.not.match(svg!, /"black"|"white"|<style|<script|xlink:href/)
      const definition = JSON.parse(json!)
      assert.is(definition.id, machine.id)
      assert.equal(Object.keys(definition.states), Object.keys(machine.states))
      // what Stately Studio gets is a machine again, with the same states
      const again = createMachine(definition)
      assert.equal(pathsOf(again.root as never), paths)
    }),
  )
})

test('a chart is drawn once, and names its transitions by their ends', async (rig) => {
  const charts = open(rig)
  const [first, second] = [charts.svg('leg'), charts.svg('leg')]
  assert.is(first, second)
  const svg = await first
  assert.match(svg, /class="[^"]*from-connected to-hangingUp/)
  assert.match(svg, /class="[^"]*from-any to-gone/)
  assert.match(svg, />leg\.hangUp[^<]*</)
  assert.match(standalone(svg), /^<\?xml .*\n<svg[^>]*>\n<style>/)
})

test('several ways between two states are one arrow with several lines', () => {
  const machine = createMachine({
    id: 'm',
    initial: 'a',
    states: { a: { on: { go: 'b', run: 'b', stay: {} } }, b: { type: 'final' } },
  })
  const { transitions, states } = statechart(machine)
  const arrows = transitions!.filter(({ from }) => from === 'a')
  assert.equal(
    arrows.map(({ to, label }) => [to, label]),
    [['b', 'go\nrun']],
  )
  assert.ok(states.find(({ name }) => name === 'b')?.class?.includes('final'))
})

test('only machines have charts, and names are text', async (rig) => {
  const charts = open(rig)
  for (const name of ['nothing', '', '__proto__', '../call']) {
    assert.throws(
      () => charts.definition(name),
      (error: { code?: string }) => error.code === 'MACHINE_UNKNOWN',
    )
    await charts.render(name, 'svg').then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, 'MACHINE_UNKNOWN'),
    )
  }
  const odd = createMachine({
    id: 'odd',
    initial: 'a',
    states: { a: { on: { '<script>alert(1)</script> & "x"': 'a-b' } }, 'a-b': {} },
  })
  const drawn = createCharts([odd])
  rig.defer(() => drawn.close())
  const svg = await drawn.svg('odd')
  assert.not.match(svg, /<script/)
  assert.match(svg, /&lt;script/)
})

test('closing while it draws ends the thread and rejects the waiting calls', async (rig) => {
  const charts = open(rig)
  const waiting = charts.svg('call').then(
    () => 'drawn',
    (error) => error.code,
  )
  await charts.close()
  assert.is(await waiting, 'CHART_FAILED')
  assert.match(await charts.svg('leg'), /^<svg/)
})

test.run()
