import * as assert from 'uvu/assert'
import { createTenant } from '../../src/directory/sql/tenants.ts'
import { createKey } from '../../src/http/sql/keys.ts'
import { addPause, listPauses } from '../../src/outbound/sql/pauses.ts'
import { logIn, visit, withChromium } from '../rig/page-rig.ts'
import { suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('page pauses')
const inChromium = withChromium(test)

const queueOf = (house: House) => `http://127.0.0.1:${house.service.ports.api}/#/queue`

/** What is paused, and by whom. */
const pausesIn = async ({ service }: House) =>
  (await listPauses(service.database)).map(({ tenantId, byTenant }) => [tenantId, byTenant])

inChromium('messages are paused and resumed, which a word and a shape tell', async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house, { locale: 'pt-BR' })
  const { page } = here
  await logIn(here, house.key)
  await page.goto(queueOf(house))
  const mark = page.locator('#pauses .mark')
  const shape = () => mark.locator('path').getAttribute('d')
  await mark.getByText('Enviando', { exact: true }).waitFor()
  const leaving = await shape()
  await page.getByRole('button', { name: 'Pausar envio' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Pausar envio' }).click()
  await mark.getByText('Envio em pausa').waitFor()
  assert.is.not(await shape(), leaving)
  assert.equal(await pausesIn(house), [[null, false]])
  await page.getByRole('button', { name: 'English' }).click()
  await mark.getByText('Sending paused').waitFor()
  await page.getByRole('button', { name: 'Resume sending' }).click()
  await mark.getByText('Sending', { exact: true }).waitFor()
  assert.equal(await pausesIn(house), [])
  assert.equal(here.complaints, [])
})

inChromium('one tenant is paused, each pause is listed with who and since when, and lifted', async (rig) => {
  const house = await openService(rig)
  const { database } = house.service
  await createTenant(database, { id: 'south', name: 'South Tower' })
  await createTenant(database, { id: 'north', name: 'North Tower' })
  await addPause(database, { tenantId: 'north', byTenant: true, by: 'Ana' })
  const here = await visit(rig, house, { width: 390, height: 844 })
  const { page } = here
  await logIn(here, house.key)
  await page.goto(queueOf(house))
  const mark = page.locator('#pauses .mark')
  const pause = async (whose: string) => {
    await page.locator('#pause-whose').selectOption({ label: whose })
    await page.getByRole('button', { name: 'Pause sending' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Pause sending' }).click()
  }
  const row = (id: string) => page.locator(`[data-pause="${id}"]`)
  await mark.getByText('1 tenant is paused').waitFor()
  await row('north').waitFor()
  assert.match(await row('north').innerText(), /North Tower\s+since .+, by Ana \(by the tenant itself\)/)

  await pause('South Tower')
  await row('south').waitFor()
  await mark.getByText('2 tenants are paused').waitFor()
  assert.match(await row('south').innerText(), /South Tower\s+since \d\d:\d\d:\d\d, by /)
  assert.is(
    await page.locator('#pause-whose option', { hasText: 'South Tower' }).count(),
    0,
    'what is paused is not offered',
  )
  await pause('Everybody')
  await mark.getByText('Sending paused').waitFor()
  assert.equal(await pausesIn(house), [
    [null, false],
    ['north', true],
    ['south', false],
  ])
  assert.is(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)

  await page.getByRole('button', { name: 'Resume sending: North Tower' }).click()
  await row('north').waitFor({ state: 'detached' })
  await page.locator('.toast', { hasText: 'the pause for everybody remains' }).waitFor()
  await page.getByRole('button', { name: 'Resume sending: Everybody' }).click()
  await mark.getByText('1 tenant is paused').waitFor()
  await page.getByRole('button', { name: 'Resume sending: South Tower' }).click()
  await mark.getByText('Sending', { exact: true }).waitFor()
  assert.equal(await pausesIn(house), [])
  assert.equal(here.complaints, [])
})

inChromium('a key of one tenant sees what holds it, and lifts only its own', async (rig) => {
  const house = await openService(rig)
  const { database } = house.service
  await createTenant(database, { id: 'south', name: 'South Tower' })
  await createTenant(database, { id: 'north', name: 'North Tower' })
  const key = await createKey(database, { tenantId: 'south', name: 'desk', scopes: ['operate', 'read'] })
  await addPause(database, { tenantId: null, byTenant: false, by: 'Root' })
  await addPause(database, { tenantId: 'north', byTenant: false, by: 'Root' })
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, key.plain)
  await page.goto(queueOf(house))
  const everybody = page.locator('[data-pause="*"]')
  await everybody.waitFor()
  assert.not.match(await page.locator('#pauses').innerText(), /Root|North/)
  assert.is(await page.getByRole('button', { name: /^Resume sending/ }).count(), 0)
  await page.getByRole('button', { name: 'Pause sending' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Pause sending' }).click()
  await page.locator('[data-pause="south"]', { hasText: 'by desk' }).waitFor()
  assert.is(await page.getByRole('button', { name: 'Pause sending' }).count(), 0)
  await page.getByRole('button', { name: 'Resume sending: South Tower' }).click()
  await page.locator('[data-pause="south"]').waitFor({ state: 'detached' })
  assert.equal(await pausesIn(house), [
    [null, false],
    ['north', false],
  ])
  assert.equal(here.complaints, [])
})

test.run()
