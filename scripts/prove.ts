/**
 * `npm run prove`: the machines, proven within ten minutes. Every generated path on real actors, with the table of docs/testing.md; 60 paths
 * by telephone against a running service; and changes of the machines, chosen by seed. `-- --table` writes the table and does nothing
 * else; `-- --seed 7` chooses other changes. All changes: `npx porteiro mutate --resume FILE`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { AnyStateMachine } from 'xstate'
import { MACHINES } from '../machines/index.ts'
import { mutate, phone, playAll } from '../src/testing/index.ts'
import { openForPhones, phonePaths } from '../test/rig/phone-units.ts'
import { rowOf } from '../test/rig/proof-table.ts'
import { suite } from '../test/rig/rig.ts'

const DOCUMENT = 'docs/testing.md'
/** Changes of each machine. */
const SAMPLE = 12
/** Paths by telephone, and how many of them at once. */
const CALLS = 60
const AT_ONCE = 12
const HEAD = '| machine | situations | paths | states | transitions | guards, both sides | ignored events |'
const PLACE = /<!-- coverage -->[\s\S]*?<!-- \/coverage -->/

const { values } = parseArgs({
  options: {
    table: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    sample: { type: 'string', default: `${SAMPLE}` },
  },
})
const begun = performance.now()
const say = (line: string) =>
  console.log(`${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${line}`)

const rows: string[] = []
let paths = 0
for (const machine of MACHINES as AnyStateMachine[]) {
  const played = await playAll(machine)
  paths += played.paths
  rows.push(rowOf(machine.id, played))
}
const text = await readFile(DOCUMENT, 'utf8')
const drawn = text.replace(
  PLACE,
  () =>
    `<!-- coverage -->\n${[HEAD, HEAD.replaceAll(/[^|]+/g, ' --- '), ...rows].join('\n')}\n<!-- /coverage -->`,
)
if (values.table) await writeFile(DOCUMENT, drawn)
else if (drawn !== text) fault(`the table of ${DOCUMENT} is stale: npm run prove -- --table`)
say(`${paths} generated paths of ${rows.length} machines were played`)
if (values.table) process.exit()

// the suite's rig opens the service, and fails on whatever is left of it
const telephone = suite('telephone', { timeout: 600_000 })
telephone(`${CALLS} paths by telephone`, async (rig) => {
  const options = await openForPhones(rig)
  const driver = phone(options)
  const queue = phonePaths(CALLS, Number(values.seed))
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let path = queue.shift(); path; path = queue.shift()) await path.play(driver)
    }),
  )
  say(`${CALLS} paths were played by telephone on a running service`)
})
telephone('changes of the machines', examineChanges)
telephone.run()

async function examineChanges(): Promise<void> {
  const all = await mutate({
    machines: MACHINES.map(({ id }) => id),
    sample: Number(values.sample),
    seed: Number(values.seed),
  })
  const counted = all.filter(({ fate }) => fate !== 'invalid')
  const survivors = counted.filter(({ fate }) => fate === 'survived')
  for (const { machine, line, kind, change } of survivors)
    console.log(`  machines/${machine}.ts:${line} ${kind}: ${change}`)
  say(`${counted.length - survivors.length} of ${counted.length} changes were noticed`)
  if (survivors.length > counted.length * 0.2) fault('fewer than 80 % of the changes were noticed')
}

function fault(problem: string): void {
  console.log(problem)
  process.exitCode = 1
}
