import type { FastifyInstance } from 'fastify'
import * as assert from 'uvu/assert'
import { MACHINES } from '../../machines/index.ts'
import { createCharts } from '../../src/charts/index.ts'
import { machineRoutes } from '../../src/http/routes/machines.ts'
import { pageRoutes } from '../../src/http/routes/page.ts'
import { vendorRoutes } from '../../src/http/routes/vendor.ts'
import { CALLERS, openInspector } from '../rig/inspector-rig.ts'
import { openProfile, picture, snapshot, withChromium } from '../rig/page-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('inspector: page')
const inChromium = withChromium(test)

/** What Stately's viewer does with the window that it is in: says that it is there, and takes what comes. */
const VIEWER = `<script>
  var heard = []
  addEventListener('message', ({ data }) => heard.push(data))
  parent.postMessage({ type: '@statelyai.connected' }, '*')
</script>`

/** Whether the step that is looked at is in sight in its list. */
const SEEN = `
  (() => {
    const [list, step] = [document.querySelector('.events'), document.querySelector('.events .now')]
    const [frame, box] = [list.getBoundingClientRect(), step.getBoundingClientRect()]
    return box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1
  })()
`

/** The inspector in a browser, whoever's key it is. */
async function openPage(rig: Rig, key: string) {
  const charts = createCharts(MACHINES)
  rig.defer(() => charts.close())
  const { name, tenantId, scopes } = CALLERS[key]!
  const pages = async (app: FastifyInstance) => {
    await app.register(vendorRoutes)
    await app.register(pageRoutes)
    await app.register(machineRoutes, { charts })
    app.get('/api/session', async () => ({ name, tenantId, scopes, csrf: '' }))
    app.get('/api/messages', async () => ({ items: [], next: null }))
  }
  const inspector = await openInspector(rig, { pages })
  const context = await openProfile(rig, { height: 1000 })
  await context.addCookies([{ name: 'key', value: key, url: `http://${inspector.at}` }])
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', (error) => wrong.push(error.message))
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()))
  await page.goto(`http://${inspector.at}/inspector`)
  return { ...inspector, page, wrong }
}

inChromium('a call appears, its chart lights up, an event decides it, and it is replayed', async (rig) => {
  const { page, house, wrong } = await openPage(rig, 'operator')
  await page.getByText('Nobody is at the gate.').waitFor()
  const visitor = await house.rung()
  const name = visitor.id
  await page.locator(`a[href="#/live/${name}"]`).click()
  await page.locator('.chart[data-machine=call] .state-reaching-searching.lit').waitFor()
  await page.getByRole('button', { name: /^contact / }).click()
  await page.locator('.chart[data-machine=contact] .lit').first().waitFor()
  await page.getByRole('button', { name: /^call / }).click()

  const resident = house.resident(name)
  await page.locator('.chart[data-machine=call] .state-reaching-answered-consulting.lit').waitFor()
  await resident.hearing('menu')
  await page.getByRole('tab', { name: 'Sequence' }).click()
  await page.locator('.sequence .arrow').first().waitFor()
  await snapshot(page, 'sequence')
  await page.getByRole('tab', { name: 'Context' }).click()
  await page.getByText('startedAt').first().waitFor()
  await page.getByRole('tab', { name: 'Events' }).click()
  await page.locator('.events li').first().waitFor()
  await snapshot(page, 'live')
  await picture(page, 'inspector')
  await page.emulateMedia({ colorScheme: 'dark' })
  await snapshot(page, 'dark')

  await page.locator('.send select').selectOption('decision.given')
  const send = page.getByRole('button', { name: 'Send', exact: true })
  const dialog = page.getByRole('dialog', { name: 'Send decision.given authorized?' })
  await send.press('Enter')
  await dialog.getByText(`It goes to the actor call (call ${name.slice(0, 8)}, unit 101)`).waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await page.locator('.chart[data-machine=call] .state-reaching-answered-consulting.lit').waitFor()
  assert.equal(
    (await house.stored(name)).filter(({ kind }) => kind === 'sent.byHand'),
    [],
  )
  await send.press('Enter')
  await dialog.waitFor()
  await page.keyboard.press('Enter')
  assert.is((await house.ending(name)).outcome, 'authorized')
  assert.ok((await house.stored(name)).some(({ kind }) => kind === 'sent.byHand'))

  await page.goto(page.url().replace(/#.*/, `#/replay/${name}`))
  await page.locator('.chart[data-machine=call]').waitFor()
  const slider = page.getByRole('slider')
  await slider.focus()
  await page.keyboard.press('End')
  await page.locator('.chart[data-machine=call] .state-ended.lit').waitFor()
  assert.ok(await page.evaluate(SEEN), 'the last step is out of sight')
  await page.keyboard.press('Home')
  for (let step = 0; step < 5; step++) await page.getByRole('button', { name: 'Step on' }).click()
  await page.locator('.chart[data-machine=call] .state-attending.lit').waitFor()
  await snapshot(page, 'replay')
  await page.getByRole('button', { name: 'Português' }).click()
  await page.getByText('Encerradas').waitFor()
  await page.setViewportSize({ width: 390, height: 844 })
  await snapshot(page, 'phone')
  const { scroll, client } = (await page.evaluate(
    '({ scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth })',
  )) as { scroll: number; client: number }
  assert.ok(scroll <= client, `the page is ${scroll} wide on a screen of ${client}`)
  assert.equal(wrong, [])
})

inChromium("Stately's viewer is fed once it is there, and missed when it is not", async (rig) => {
  const { page, house, at, inspection } = await openPage(rig, 'operator')
  await page.route('https://stately.ai/**', (route) =>
    route.fulfill({ contentType: 'text/html', body: VIEWER }),
  )
  await page.goto(`http://${at}/inspector/stately`)
  await eventually(() => (inspection.counts().viewers === 1 ? true : undefined))
  const visitor = house.visitor()
  const viewer = await eventually(() => page.frames().find((frame) => frame.url().includes('stately.ai')))
  const heard = () => viewer.evaluate('heard') as Promise<{ type: string; name?: string; event?: unknown }[]>
  await eventually(async () =>
    (await heard()).some(({ type, name }) => type === '@xstate.actor' && name === visitor.id)
      ? true
      : undefined,
  )
  await visitor.press('1')
  const pressed = await eventually(async () =>
    (await heard()).find(({ event }) => (event as { type?: string })?.type === 'visitor.key.pressed'),
  )
  assert.equal(pressed.event, { type: 'visitor.key.pressed', key: '•••' })
  assert.is(await page.locator('#note').isVisible(), false)
  visitor.hangUp()
  await house.ending(visitor.id)

  await page.unroute('https://stately.ai/**')
  await page.route('https://stately.ai/**', (route) => route.abort())
  await page.goto(`http://${at}/inspector/stately`)
  await page.getByText('it needs the internet').waitFor()
})

inChromium('a key that may only read cannot send events, and sees that texts are hidden', async (rig) => {
  const { page, house, wrong } = await openPage(rig, 'reader')
  const visitor = house.visitor()
  await page.locator(`a[href="#/live/${visitor.id}"]`).click()
  await page.locator('.chart[data-machine=call] .state-attending.lit').waitFor()
  assert.is(await page.locator('form.send select').count(), 0)
  await page.getByRole('tab', { name: 'Context' }).click()
  await page.getByText('your key may only read').waitFor()
  visitor.hangUp()
  await house.ending(visitor.id)
  assert.equal(wrong, [])
})

test.run()
