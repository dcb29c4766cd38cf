import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { createKey } from '../../src/http/sql/keys.ts'
import { findMessage } from '../../src/outbound/index.ts'
import { startPeer } from '../rig/channels-peer.ts'
import { asker } from '../rig/http-rig.ts'
import { logIn, snapshot, visit, withChromium } from '../rig/page-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('inspector: deliveries in the page')
const inChromium = withChromium(test)

/** A service whose webhooks are refused until `accept`, and a message that has died of it. */
async function openFailing(rig: Rig) {
  let status = 422
  const peer = await startPeer(rig, (_, response) => response.writeHead(status).end())
  const house = await openService(rig, { settings: { EGRESS_ALLOW: '127.0.0.0/8' }, mayFail: true })
  const { endpoint } = await post<{ endpoint: { id: string } }>(house, '/api/endpoints', { url: peer.url })
  const body = { type: 'parcel.arrived', timestamp: new Date().toISOString(), data: {} }
  const { id } = await post<{ id: string }>(house, '/api/messages', {
    channel: 'webhook',
    to: endpoint.id,
    body,
    maxRetries: 0,
  })
  await hasDied(house, id)
  const accept = () => {
    status = 204
  }
  return { house, id, accept }
}

async function hasDied({ service }: House, id: string): Promise<void> {
  await eventually(async () => {
    const message = await findMessage(service.database, id)
    return message?.status === 'failed' || undefined
  })
}

const redrive = (house: House, id: string) => post(house, '/api/queue/dead/redrive', { ids: [id] })

async function post<Answer>(house: House, path: string, body: unknown): Promise<Answer> {
  const answer = await asker(house.service.ports.api, house.key)(path, { body })
  assert.ok(answer.status < 300, answer.text)
  return answer.body
}

/** Nothing of a chart has to be scrolled to. */
const IS_WHOLE = (place: unknown) => {
  const { scrollWidth, clientWidth, scrollHeight, clientHeight } = place as Record<string, number>
  return scrollWidth! <= clientWidth! && scrollHeight! <= clientHeight!
}

inChromium('a delivery is looked at while it fails, is redriven and arrives', async (rig) => {
  const { house, id, accept } = await openFailing(rig)
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, house.key)
  await page.getByRole('link', { name: 'Queue' }).click()
  await page.locator(`[data-message="${id}"]`).click()
  const link = page.getByRole('dialog').getByRole('link', { name: 'Open in the inspector' })
  await link.waitFor()
  await snapshot(page, 'message')
  await link.click()
  const chart = page.locator('.chart[data-machine=delivery]')
  await chart.locator('.state-failed.lit').waitFor()
  await page.locator('.actors').getByText('live', { exact: true }).waitFor()
  await page.locator('.events').getByText('DELIVERY_STATUS 422').waitFor()
  await snapshot(page, 'delivery')
  assert.ok(await chart.evaluate(IS_WHOLE), 'the chart does not fit')

  // in a window of its own it is larger, and goes on
  await page.getByRole('button', { name: 'Enlarge' }).press('Enter')
  const large = page.getByRole('dialog', { name: 'Chart delivery' })
  await large.locator('.state-failed.lit').waitFor()
  await page.setViewportSize({ width: 1900, height: 1200 })
  assert.ok(await large.locator('.chart').evaluate(IS_WHOLE))
  await page.keyboard.press('Escape')
  // it is hidden before its drawing is gone
  await page.locator('.chart-dialog .chart').waitFor({ state: 'detached' })
  await page.setViewportSize({ width: 1440, height: 900 })

  // who looks at an earlier step is left there when it goes on
  const slider = page.getByRole('slider')
  await slider.focus()
  await page.keyboard.press('Home')
  await chart.locator('.state-pending.lit').waitFor()
  await redrive(house, id)
  await page.locator('.steps').getByText('1 / 6').waitFor()
  assert.is(await chart.getAttribute('data-state'), 'pending')
  await page.getByRole('button', { name: 'Step on' }).click()
  await chart.locator('.state-processing.lit').waitFor()

  // who looks at the latest follows
  await page.getByRole('button', { name: 'Last step' }).click()
  await chart.locator('.state-failed.lit').waitFor()
  accept()
  await redrive(house, id)
  await chart.locator('.state-sent.lit').waitFor()
  assert.is(await page.locator('.events [aria-current=step]').innerText(), '9 · message.accepted · 3')
  await page.getByRole('button', { name: '7 · message.redriven' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('The exact moment was not recorded').waitFor()

  await page.emulateMedia({ colorScheme: 'dark' })
  await snapshot(page, 'delivery-dark')
  await page.getByRole('button', { name: 'Português' }).click()
  await page.getByText('O momento exato não foi registrado').waitFor()
  await page.setViewportSize({ width: 390, height: 844 })
  await snapshot(page, 'delivery-phone')
  assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'it is too wide')
  assert.equal(complaints, [])
})

inChromium(
  'a delivery is found by its call or by its id, and redriven where it is looked at',
  async (rig) => {
    const { house, id, accept } = await openFailing(rig)
    const here = await visit(rig, house)
    const { page, complaints } = here
    await logIn(here, house.key)
    const visitor = house.visitor()
    await page.goto(`${new URL(page.url()).origin}/inspector#/live/${visitor.id}`)
    await page.getByRole('link', { name: /^webhook/ }).click()
    const chart = page.locator('.chart[data-machine=delivery]')
    await chart.locator('.lit').waitFor()
    await page.getByRole('link', { name: 'Its call' }).click()
    await page.locator('.chart[data-machine=call] .state-attending.lit').waitFor()
    visitor.hangUp()
    await house.ending(visitor.id)

    const field = page.getByLabel('Delivery (id of the message)')
    const description = () => field.getAttribute('aria-describedby')
    assert.is(await description(), null, 'nothing is wrong yet')
    await field.fill('nonsense')
    await page.keyboard.press('Enter')
    await page.getByText('This is not the id of a message.').waitFor()
    assert.is(await page.locator(`#${await description()}`).getAttribute('role'), 'alert')
    await field.fill(randomUUID())
    await page.keyboard.press('Enter')
    await page.getByText('There is no message with this id.').waitFor()
    assert.is(await page.getByText('This is not the id of a message.').isVisible(), false)
    assert.is(await description(), null)
    await field.fill(` ${id.toUpperCase()} `)
    await page.keyboard.press('Enter')
    await chart.locator('.state-failed.lit').waitFor()
    accept()
    await page.getByRole('button', { name: 'Redrive' }).click()
    await chart.locator('.state-sent.lit').waitFor()
    assert.equal(complaints, [])
  },
)

inChromium(
  'of a long delivery the latest steps are shown, and who may only read is told what is hidden here',
  async (rig) => {
    const { house, id } = await openFailing(rig)
    const { database } = house.service
    // its endpoint was paused for a long time
    await database.query(
      `insert into message_attempts (message_id, number, started_at, ended_at, node, outcome)
     select $1, number, now(), now(), 'far', 'released' from generate_series(2, 900) number`,
      [id],
    )
    await database.query(
      `update messages set status = 'pending', attempts = 900, attempts_before = 900 where id = $1`,
      [id],
    )
    const { plain } = await createKey(database, { tenantId: 'default', name: 'reader', scopes: ['read'] })
    const here = await visit(rig, house)
    const { page, complaints } = here
    await logIn(here, plain)
    await page.goto(`${new URL(page.url()).origin}/inspector#/delivery/${id}`)
    await page.getByText('The latest 500 steps only.').waitFor()
    await page.getByText('are hidden here: the inspector shows them only with the scope operate').waitFor()
    const shown = page.locator('.events [aria-current=step]')
    assert.is(await shown.innerText(), '500 · message.released · 900')
    const slider = page.getByRole('slider')
    await slider.focus()
    await page.keyboard.press('Home')
    await page.locator('.steps').getByText('1 / 500').waitFor()
    assert.is(await shown.innerText(), '1 · message.taken · 651')
    await page.getByRole('button', { name: 'Português' }).click()
    await page.getByText('ficam ocultos aqui').waitFor()
    assert.equal(complaints, [])
  },
)

test.run()
