import * as assert from 'uvu/assert'
import { logIn, snapshot, type Visit, visit, withChromium } from '../rig/page-rig.ts'
import { kill, openHouse } from '../rig/recovery-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'
import { freePort } from '../rig/site-rig.ts'

const test = suite('page recovery')
const inChromium = withChromium(test)

/** Whoever starts again has the API at the same port, where the page looks for it. */
async function openHouseWithPage(rig: Rig, role?: string) {
  const api = await freePort()
  // how fast this machine starts a process is not what is tested
  const settings = { API_PORT: String(api), REATTACH_SECONDS: '60' }
  const house = await openHouse(rig, settings, role)
  return { ...house, place: { service: { ports: { api } } } }
}

/** A call from the page's gate, longer than two seconds: the page takes the end of a shorter one for the end of the call. */
async function callFrom({ page }: Visit) {
  await page.locator('nav a[href="#/phone"]').click()
  const visitor = page.locator('[data-phone="visitor"]')
  await visitor.locator('[data-action="dial"]').click()
  await visitor.locator('[data-key="1"]:enabled').waitFor()
  const began = performance.now()
  const href = await visitor.locator('a[href^="#/calls/"]').getAttribute('href')
  await eventually(() => performance.now() - began > 2200 || undefined)
  return { visitor, id: href!.slice('#/calls/'.length) }
}

/** Stops the time of the page's tries and holds what it asks before each until the service is back; resolves with what lets it go. */
async function holdTries({ page }: Visit, id: string): Promise<() => void> {
  await page.evaluate(`
    const at = performance.now()
    performance.now = () => at
    AbortSignal.timeout = () => new AbortController().signal`)
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
    const { first, start, place, key, noted, outcome } = await openHouseWithPage(rig)
    const here = await visit(rig, place, { locale: 'pt-BR', eager: true })
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
    await start()
    release()
    await visitor.locator('[data-key="1"]:enabled').waitFor()
    await noted(id, 'restored')
    await visitor.locator('[data-action="hangup"]').click()
    assert.equal(await outcome(id), { outcome: 'abandoned', reason: 'visitor-left' })
  },
)

inChromium(
  'a call that no process has is marked, can not be decided, and goes on when its line is back',
  async (rig) => {
    // first, so that the other one knows its ports
    const { first: voice, start, place, key, noted, outcome } = await openHouseWithPage(rig, 'voice')
    await start('page', {}, 'worker,web')
    const here = await visit(rig, place, { eager: true })
    const { page } = here
    await logIn(here, key)
    const { id } = await callFrom(here)
    await page.goto(`http://127.0.0.1:${place.service.ports.api}/#/calls/${id}`)
    const authorise = page.getByRole('button', { name: 'Authorise' })
    await authorise.and(page.locator(':enabled')).waitFor()
    await page.locator('.call-legs li.on').waitFor()
    const release = await holdTries(here, id)
    await kill(voice)
    await page.locator('.call-head').getByText("Waiting for the visitor's line").waitFor()
    await page.getByText('The process of this call is gone').waitFor()
    await page.locator(`.live [data-call="${id}"]`).getByText("Waiting for the visitor's line").waitFor()
    assert.not(await authorise.isEnabled())
    assert.is(await page.locator('.call-legs li.on').count(), 0, 'nobody is on the line')
    await snapshot(page, 'call awaiting')
    await start()
    release()
    await noted(id, 'restored')
    await page.locator('.call-head').getByText('Attending the visitor').waitFor()
    await authorise.and(page.locator(':enabled')).waitFor()
    await page.goto(`http://127.0.0.1:${place.service.ports.api}/#/phone`)
    await page.locator('[data-phone="visitor"] [data-action="hangup"]').click()
    assert.equal(await outcome(id), { outcome: 'abandoned', reason: 'visitor-left' })
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
  /** What came of it and how often it connected, how often it asked, and the ms it took. */
  const tries = async (now: object | undefined, hangs = false) => {
    call = now
    asked = 0
    const [found, ms] = (await page.evaluate(`
      (async () => {
        const { reattach } = await import('/assets/phone/reattach.js')
        const [later, limit] = [window.setTimeout, AbortSignal.timeout]
        let passed = 0
        performance.now = () => passed
        window.setTimeout = (act, ms) => {
          // the page has other timers, of other times
          if (ms === 1000) passed += ms
          return later(act, 0)
        }
        if (${hangs}) AbortSignal.timeout = (ms) => {
          passed += ms
          return AbortSignal.abort()
        }
        let connects = 0
        const connect = async () => ++connects === 2
        const found = await reattach('lost', { connect, isWanted: () => true })
        window.setTimeout = later
        AbortSignal.timeout = limit
        delete performance.now
        return [found + ' ' + connects, passed]
      })()`)) as [string, number]
    return [found, asked, ms]
  }
  assert.equal(await tries(undefined), ['gone 0', 15, 15_000], 'the service stays away')
  assert.equal(
    await tries({ endedAt: null, awaitingVisitor: false }),
    ['gone 0', 15, 15_000],
    'another process has it',
  )
  assert.equal(
    await tries(undefined, true),
    ['gone 0', 0, 16_000],
    'four waits of 3 s and a pause after each',
  )
  assert.equal(await tries({ endedAt: null, awaitingVisitor: true }), ['open 2', 2, 1000])
  assert.equal(await tries({ endedAt: '2026-11-21T15:00:00Z', awaitingVisitor: false }), ['over 0', 1, 0])
})

test.run()
