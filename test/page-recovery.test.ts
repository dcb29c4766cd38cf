import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { MAIN_TENANT } from '../src/calls/gates.ts'
import type { Environment } from '../src/config.ts'
import { silentLog } from '../src/log.ts'
import { openDatabase } from '../src/store/database.ts'
import { importDirectory } from '../src/store/directory.ts'
import { parseDirectory } from '../src/store/directory-file.ts'
import { logIn, snapshot, type Visit, visit, withChromium } from './page-rig.ts'
import { eventually, type Rig, suite } from './rig.ts'
import { openService } from './service-rig.ts'
import { freePort, openSite, type Process } from './site-rig.ts'

const test = suite('page recovery', { timeout: 120_000 })
const inChromium = withChromium(test)

const DIRECTORY = fileURLToPath(new URL('../examples/condominium.json', import.meta.url))
/** ms for what a page looks at each 10 s. */
const LOOK = { timeout: 40_000 }

/** A condominium whose processes are killed; whoever starts again has the same ports. */
async function openHouse(rig: Rig) {
  const site = await openSite(rig)
  const [visitor, resident, api] = await Promise.all([freePort(), freePort(), freePort()])
  const home = await site.home()
  const database = await openDatabase({ url: site.url, dataDir: home, log: silentLog(), max: 2 })
  rig.defer(() => database.close())
  const start = (role: string, settings: Environment = {}) =>
    site.open(role, {
      DATA_DIR: home,
      AUDIOSOCKET_VISITOR_PORT: String(visitor),
      AUDIOSOCKET_RESIDENT_PORT: String(resident),
      // how fast this machine starts a process is not what is tested
      REATTACH_SECONDS: '60',
      ...settings,
    })
  return {
    key: site.key,
    place: { service: { ports: { api } } },
    start,
    startWithPage: (role: string) => start(role, { API_PORT: String(api) }),
    /** After the tables are there. */
    async fill() {
      const { units, tenant } = parseDirectory(await readFile(DIRECTORY))
      await importDirectory(database, MAIN_TENANT, units, { ...(tenant && { tenant }) })
    },
    /** Resolves once this is in the journal of a call. */
    noted: (id: string, kind: string, facts: object = {}) =>
      eventually(async () => {
        const rows = await database.query(
          'select from call_events where call_id = $1 and kind = $2 and data @> $3',
          [id, kind, JSON.stringify(facts)],
        )
        return rows.length > 0 ? true : undefined
      }, 30_000),
    /** The call, once it has ended. */
    ended: (id: string) =>
      eventually(async () => {
        const [row] = await database.query<{ outcome: string; reason: string }>(
          'select outcome, reason from calls where id = $1 and ended_at is not null',
          [id],
        )
        return row
      }, 30_000),
  }
}

async function kill({ child, ended }: Process): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

/** A call from the page's gate, long enough that its end is a loss. */
async function callFrom({ page }: Visit) {
  await page.locator('nav a[href="#/phone"]').click()
  const visitor = page.locator('[data-phone="visitor"]')
  await visitor.locator('[data-action="dial"]').click()
  await visitor.locator('[data-key="1"]:enabled').waitFor()
  const began = performance.now()
  const href = await visitor.locator('a[href^="#/calls/"]').getAttribute('href')
  // a leg that lasted less than 2 s is the service's answer that the call has ended
  await eventually(() => (performance.now() - began > 2500 ? true : undefined))
  return { visitor, id: href!.slice('#/calls/'.length) }
}

/** Holds what the page asks before each try until the service is back; resolves with what lets it go. */
async function holdTries({ page }: Visit, id: string): Promise<() => void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  await page.route(`**/api/calls/${id}`, async (route) => {
    await promise
    await route.continue().catch(() => {})
  })
  return resolve
}

inChromium(
  'the service is killed and started again: the phone at the gate goes on by itself',
  async (rig) => {
    const { startWithPage, fill, place, key, noted, ended } = await openHouse(rig)
    const first = await startWithPage('voice,worker,web')
    await fill()
    const here = await visit(rig, place, { locale: 'pt-BR' })
    await logIn(here, key)
    const { visitor, id } = await callFrom(here)
    await noted(id, 'started')
    const release = await holdTries(here, id)
    await kill(first)
    await visitor.getByText('Reconectando').waitFor()
    await visitor.getByText('A mesma chamada é tentada de novo').waitFor()
    assert.not(await visitor.locator('[data-key="1"]').isEnabled(), 'nobody hears a key now')
    // while nothing is heard of the service nobody knows what rings
    await here.page.locator('[data-phone="resident"] [data-action="dial"]:disabled').waitFor()
    await snapshot(here.page, 'phone lost')
    await startWithPage('voice,worker,web')
    release()
    await visitor.locator('[data-key="1"]:enabled').waitFor({ timeout: 30_000 })
    await noted(id, 'restored')
    await visitor.locator('[data-action="hangup"]').click()
    assert.equal(await ended(id), { outcome: 'abandoned', reason: 'visitor-left' })
  },
)

inChromium(
  'a call that no process has is marked, can not be decided, and goes on when its line is back',
  async (rig) => {
    const { start, startWithPage, fill, place, key, noted, ended } = await openHouse(rig)
    // first, so that the other one knows its ports
    const voice = await start('voice')
    await fill()
    await startWithPage('worker,web')
    const here = await visit(rig, place)
    const { page } = here
    await logIn(here, key)
    const { id } = await callFrom(here)
    await page.goto(`http://127.0.0.1:${place.service.ports.api}/#/calls/${id}`)
    const authorise = page.getByRole('button', { name: 'Authorise' })
    await authorise.and(page.locator(':enabled')).waitFor()
    await page.locator('.call-legs li.on').waitFor()
    const release = await holdTries(here, id)
    await kill(voice)
    await page.locator('.call-head').getByText("Waiting for the visitor's line").waitFor(LOOK)
    await page.getByText('The process that had this call is gone').waitFor()
    await page.locator(`.live [data-call="${id}"]`).getByText("Waiting for the visitor's line").waitFor()
    assert.not(await authorise.isEnabled())
    assert.is(await page.locator('.call-legs li.on').count(), 0, 'nobody is on the line')
    await snapshot(page, 'call awaiting')
    await start('voice')
    release()
    await noted(id, 'restored')
    await page.locator('.call-head').getByText('Attending the visitor').waitFor(LOOK)
    await authorise.and(page.locator(':enabled')).waitFor()
    await page.goto(`http://127.0.0.1:${place.service.ports.api}/#/phone`)
    await page.locator('[data-phone="visitor"] [data-action="hangup"]').click()
    assert.equal(await ended(id), { outcome: 'abandoned', reason: 'visitor-left' })
  },
)

inChromium('what is a lost line, and how long it is tried', async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  const lost = (how: object, ms: number) =>
    page.evaluate(
      `import('/assets/phone/reattach.js').then(({ wasLost }) => wasLost(${JSON.stringify(how)}, ${ms}))`,
    )
  assert.is(await lost({ by: 'lost', code: 1006 }, 2000), true, 'the service was killed')
  assert.is(await lost({ by: 'server-close', code: 1000 }, 2000), true, 'the process of the call was')
  assert.is(await lost({ by: 'lost', code: 1006 }, 1999), false, 'a short leg is an answer')
  assert.is(await lost({ by: 'server-hangup', code: 1000 }, 9000), false, 'the call is over')
  assert.is(await lost({ by: 'lost', code: 4429 }, 9000), false, 'it was cut for what it sent')

  let call: object | undefined
  let asked = 0
  await page.route('**/api/calls/lost', (route) => {
    asked++
    return call ? route.fulfill({ json: { call } }) : route.abort()
  })
  const tries = async (now: object | undefined) => {
    call = now
    asked = 0
    const found = await page.evaluate(`
      (async () => {
        const { reattach } = await import('/assets/phone/reattach.js')
        const later = window.setTimeout
        window.setTimeout = (act) => later(act, 0)
        let connects = 0
        const connect = async () => ++connects === 2
        const found = await reattach('lost', { connect, isWanted: () => true })
        window.setTimeout = later
        return found + ' ' + connects
      })()`)
    return [found, asked]
  }
  assert.equal(await tries(undefined), ['gone 0', 15], 'the service stays away')
  assert.equal(
    await tries({ endedAt: null, awaitingVisitor: false }),
    ['gone 0', 15],
    'another process has it',
  )
  assert.equal(await tries({ endedAt: null, awaitingVisitor: true }), ['open 2', 2])
  assert.equal(await tries({ endedAt: '2026-11-21T15:00:00Z', awaitingVisitor: false }), ['over 0', 1])
})

test.run()
