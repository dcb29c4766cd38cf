import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Environment } from '../../src/config/config.ts'
import { MAIN_TENANT } from '../../src/directory/entrances.ts'
import { parseDirectory } from '../../src/directory/file.ts'
import { importDirectory } from '../../src/directory/sql/directory.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openDatabase } from '../../src/platform/postgres/database.ts'
import { eventually, type Rig } from './rig.ts'
import { createKeep, freePort, openSite, type Process } from './site-rig.ts'

const DIRECTORY = fileURLToPath(new URL('../../examples/condominium.json', import.meta.url))

/**
 * A house whose processes are killed: its ports stay, its visitors connect again as the dialplan does. `role` is that of the
 * first process, and of each that is started without another.
 */
export async function openHouse(rig: Rig, settings: Environment = {}, role = 'voice,worker,web') {
  const house = await prepareHouse(rig, settings, role)
  return { ...house, ...house.phonesOf(rig), first: await house.start() }
}

/**
 * The same for the tests of a file, which share it: `first` and `second` resolve with the process that runs, or with a new one
 * where a test has ended it. A start costs more than most of these tests.
 */
export async function prepareHouse(rig: Rig, settings: Environment = {}, role = 'voice,worker,web') {
  const site = await openSite(rig)
  const [visitorPort, residentPort] = await Promise.all(
    [settings['AUDIOSOCKET_VISITOR_PORT'], settings['AUDIOSOCKET_RESIDENT_PORT']].map(
      async (port) => Number(port) || freePort(),
    ),
  )
  const home = await site.home()
  const launch = (name: string, more: Environment, its: string) =>
    site.open(its, {
      NODE_ID: name,
      DATA_DIR: home,
      AUDIOSOCKET_VISITOR_PORT: String(visitorPort),
      AUDIOSOCKET_RESIDENT_PORT: String(residentPort),
      // a busy machine takes its time to start a process
      REATTACH_SECONDS: '120',
      ...settings,
      ...more,
    })
  const keep = createKeep()
  const first = () => keep('first', () => launch('first', {}, role))
  const start = (name = 'first', more: Environment = {}, its = role) =>
    name === 'first' ? first() : launch(name, more, its)
  const [portThere, residentPortThere] = await Promise.all([freePort(), freePort()])
  const there = {
    AUDIOSOCKET_VISITOR_PORT: String(portThere),
    AUDIOSOCKET_RESIDENT_PORT: String(residentPortThere),
  }
  /** On ports of its own. */
  const second = ({ fresh = false } = {}) => keep('second', () => launch('second', there, role), fresh)
  /** Phones that end with `owner`, a test. `There`: at the second process. `id`: of that call, connecting again. */
  const phonesOf = (owner: Rig) => {
    const by = (port: number, as: 'visitor' | 'resident') => (id?: string) =>
      site.phoneOf(owner, { port, role: as, ...(id && { id }) })
    return {
      visitor: by(visitorPort!, 'visitor'),
      /** Connects again by itself, as the dialplan with Dial does. */
      dialplan: () =>
        site.phoneOf(owner, {
          port: visitorPort!,
          role: 'visitor',
          strict: 'dial',
          reconnect: true,
          // a busy machine takes its time to start a process
          misses: 120,
        }),
      resident: by(residentPort!, 'resident'),
      visitorThere: by(portThere, 'visitor'),
      residentThere: by(residentPortThere, 'resident'),
    }
  }
  const { url } = site
  const database = await openDatabase({ url, dataDir: home, log: silentLog(), max: 2 })
  rig.defer(() => database.close())
  const { units, tenant } = parseDirectory(await readFile(DIRECTORY))
  // residents only press keys: whoever answers is a person
  await importDirectory(database, MAIN_TENANT, units, { tenant: { ...tenant!, answerCheck: 'off' } })
  return {
    ...site,
    start,
    first,
    second,
    phonesOf,
    database,
    /** Resolves once a call is kept with one of its machines in this state, for so many times. */
    kept: (id: string, actor: string, state: string, times = 1) =>
      eventually(async () => {
        const rows = await database.query(
          `select from call_events where call_id = $1 and kind = 'state' and data ->> 'actor' = $2 and data ->> 'state' = $3`,
          [id, actor, state],
        )
        return rows.length >= times ? true : undefined
      }),
    /** The UUID that the telephone of a call's last attempt brings. */
    legOf: (id: string) =>
      eventually(async () => {
        const [kept] = await database.query<{ legs: string[] }>(
          'select legs from kept_calls where call_id = $1',
          [id],
        )
        return kept?.legs.at(-1)
      }),
    /** Resolves once this is in the journal of a call. */
    noted: (id: string, kind: string) =>
      eventually(async () => {
        const rows = await database.query('select from call_events where call_id = $1 and kind = $2', [
          id,
          kind,
        ])
        return rows.length > 0 ? true : undefined
      }),
    /** Everybody was heard of last so long ago that their lease is over; sooner or later, where a process that hangs holds its row. */
    age: async () => {
      for (const [table, column] of [
        ['nodes', 'seen_at'],
        ['kept_calls', 'kept_at'],
      ])
        await database.query(
          `update ${table} set ${column} = now() - interval '17 s'
           where ctid in (select ctid from ${table} for update skip locked)`,
        )
    },
    journal: (id: string) =>
      database.query<{ kind: string; seq: number; data: Record<string, unknown> }>(
        'select kind, seq, data from call_events where call_id = $1 order by seq',
        [id],
      ),
    /** The id of the first call. */
    started: () =>
      eventually(async () => (await database.query<{ id: string }>('select id from calls'))[0]?.id),
    outcome: (id: string) =>
      eventually(async () => {
        const [row] = await database.query<{ outcome: string | null; reason: string | null }>(
          'select outcome, reason from calls where id = $1 and ended_at is not null',
          [id],
        )
        return row
      }),
  }
}

export async function kill({ child, ended }: Process): Promise<void> {
  child.kill('SIGKILL')
  await ended
}
