/**
 * `npm run prove`: the machines, proven within ten minutes. Every generated path on real actors, with the table of docs/testing.md; 60 paths
 * by telephone against a running service; the packages in empty folders, on Node 22 too; and changes of the machines, chosen by
 * seed. `-- --seed 7` chooses other changes. `-- --table` writes the table and does nothing else. `-- --changes FILE` examines
 * all changes, keeps the results in FILE, and writes their table: it takes longer.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { AnyStateMachine } from 'xstate'
import { MACHINES } from '../machines/index.ts'
import { mutate, phone, playAll } from '../src/testing/index.ts'
import { openDatabaseUrl } from '../test/rig/database.ts'
import { openForPhones, phonePaths } from '../test/rig/phone-units.ts'
import { changesTable, rowOf } from '../test/rig/proof-table.ts'
import { suite } from '../test/rig/rig.ts'
import { playStranger } from '../test/rig/stranger.ts'

const DOCUMENT = 'docs/testing.md'
/** Changes of each machine. */
const SAMPLE = 12
/** Paths by telephone, and how many of them at once. */
const CALLS = 60
const AT_ONCE = 12
const HEAD = '| machine | situations | paths | states | transitions | guards, both sides | ignored events |'

const { values } = parseArgs({
  options: {
    table: { type: 'boolean', default: false },
    changes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    sample: { type: 'string', default: `${SAMPLE}` },
  },
})
const begun = performance.now()
const say = (line: string) =>
  console.log(`${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${line}`)

if (values.changes !== undefined) {
  const all = await mutate({ machines: MACHINES.map(({ id }) => id), resume: values.changes })
  await writeFile(DOCUMENT, await drawn('changes', changesTable(all)))
  process.exit()
}

const rows: string[] = []
let paths = 0
for (const machine of MACHINES as AnyStateMachine[]) {
  const played = await playAll(machine)
  paths += played.paths
  rows.push(rowOf(machine.id, played))
}
const now = await drawn('coverage', [HEAD, HEAD.replaceAll(/[^|]+/g, ' --- '), ...rows].join('\n'))
if (values.table) await writeFile(DOCUMENT, now)
else if (now !== (await readFile(DOCUMENT, 'utf8')))
  fault(`the table of ${DOCUMENT} is stale: npm run prove -- --table`)
say(`${paths} generated paths of ${rows.length} machines were played`)
if (values.table) process.exit()

// the suite's rig opens the service, and fails on whatever is left of it
const proof = suite('prove', { timeout: 600_000 })
proof(`${CALLS} paths by telephone`, async (rig) => {
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
proof('a stranger installs the packages', (rig) =>
  playStranger(rig, { openUrl: () => openDatabaseUrl(rig), say }),
)
proof('changes of the machines', examineChanges)
proof.run()

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

/** The document with this in its place. */
async function drawn(place: string, text: string): Promise<string> {
  const marked = new RegExp(`<!-- ${place} -->[\\s\\S]*?<!-- /${place} -->`)
  return (await readFile(DOCUMENT, 'utf8')).replace(
    marked,
    () => `<!-- ${place} -->\n${text}\n<!-- /${place} -->`,
  )
}

function fault(problem: string): void {
  console.log(problem)
  process.exitCode = 1
}
