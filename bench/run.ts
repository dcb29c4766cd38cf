/**
 * `npm run bench`: each bench beside its own baseline in the same run, medians of interleaved rounds. `-- media`,
 * `-- disturbance`, `-- talk`, `-- asterisk`, `-- actors`, `-- endpointing`, `-- words`, `-- answers`, `-- inspector`, `-- queue`, `-- priority`, `-- inbound`, `-- load`, `-- recovery`
 * or `-- history` runs one; `--json` prints nothing but JSON. The last six use the Postgres of DATABASE_URL, else an embedded one.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { benchActors } from './actors.ts'
import { benchAnswers } from './answers.ts'
import { benchAsterisk } from './asterisk.ts'
import { benchDisturbance } from './disturbance.ts'
import { benchEndpointing } from './endpointing.ts'
import { benchHistory } from './history.ts'
import { benchInbound } from './inbound.ts'
import { benchInspector } from './inspector.ts'
import { benchLoad } from './load.ts'
import { benchMedia } from './media.ts'
import { benchPriority } from './priority.ts'
import { benchQueue } from './queue.ts'
import { benchRecovery } from './recovery.ts'
import { reaches, table } from './result.ts'
import { benchTalk } from './talk.ts'
import { benchWords } from './words.ts'

const BENCHES = [
  'media',
  'disturbance',
  'talk',
  'asterisk',
  'actors',
  'endpointing',
  'words',
  'answers',
  'inspector',
  'queue',
  'priority',
  'inbound',
  'load',
  'recovery',
  'history',
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    legs: { type: 'string', default: '200' },
    calls: { type: 'string', default: '2000' },
    visits: { type: 'string', default: '100' },
    messages: { type: 'string', default: '5000' },
    backlog: { type: 'string', default: '100000' },
    history: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    threads: { type: 'string', default: '1' },
    profile: { type: 'string' },
  },
})
const wanted = positionals.length > 0 ? positionals : BENCHES
const unknown = wanted.filter((name) => !BENCHES.includes(name))
const [legs, calls, visits, rounds, seconds, messages, backlog, history] = [
  values.legs,
  values.calls,
  values.visits,
  values.rounds,
  values.seconds,
  values.messages,
  values.backlog,
  values.history,
].map(Number)
if (
  unknown.length > 0 ||
  ![legs, calls, visits, rounds, seconds, messages, backlog, history].every(
    (count) => Number.isInteger(count) && count! > 0,
  )
) {
  process.stderr.write(
    `usage: npm run bench -- [${BENCHES.join('|')}] [--legs 200] [--calls 2000] [--visits 100] [--rounds 5] [--seconds 4] [--threads 1] [--messages 5000] [--backlog 100000] [--history 1000000] [--json] [--profile DIRECTORY]\n`,
  )
  process.exit(64)
}

const progress = (doing: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${doing}`)
}
const options = { rounds: rounds!, profile: values.profile, threads: values.threads, progress }
const results = [
  ...(wanted.includes('media') ? await benchMedia({ ...options, legs: legs!, seconds: seconds! }) : []),
  ...(wanted.includes('disturbance')
    ? await benchDisturbance({ ...options, legs: legs!, seconds: seconds! })
    : []),
  ...(wanted.includes('talk') ? await benchTalk(options) : []),
  ...(wanted.includes('asterisk') ? await benchAsterisk({ ...options, seconds: seconds! }) : []),
  ...(wanted.includes('actors') ? await benchActors({ ...options, calls: calls! }) : []),
  ...(wanted.includes('endpointing') ? await benchEndpointing(options) : []),
  ...(wanted.includes('words') ? await benchWords(options) : []),
  ...(wanted.includes('answers') ? await benchAnswers(options) : []),
  ...(wanted.includes('inspector')
    ? await benchInspector({ ...options, legs: legs!, seconds: seconds! })
    : []),
  ...(wanted.includes('queue') ? await benchQueue({ ...options, messages: messages! }) : []),
  ...(wanted.includes('priority') ? await benchPriority({ ...options, backlog: backlog! }) : []),
  ...(wanted.includes('inbound') ? await benchInbound({ ...options, seconds: seconds! }) : []),
  ...(wanted.includes('load') ? await benchLoad({ ...options, visits: visits! }) : []),
  ...(wanted.includes('recovery') ? await benchRecovery({ ...options, legs: legs! }) : []),
  ...(wanted.includes('history') ? await benchHistory({ ...options, history: history! }) : []),
]
progress('')
if (values.json) {
  const { model } = cpus()[0]!
  const told = results.map((result) => ({ ...result, reached: reaches(result) }))
  console.log(
    JSON.stringify({ node: process.version, cpu: model, cores: cpus().length, results: told }, null, 2),
  )
} else console.log(table(results))
