import * as assert from 'uvu/assert'
import { createTenant, listTenants } from '../../src/directory/sql/tenants.ts'
import { createKey } from '../../src/http/sql/keys.ts'
import { logIn, visit, withChromium } from '../rig/page-rig.ts'
import { suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('page directory')
const inChromium = withChromium(test)

inChromium(
  'the directory is edited and imported here, and a file with problems changes nothing',
  async (rig) => {
    const house = await openService(rig)
    const here = await visit(rig, house)
    const { page, complaints } = here
    await logIn(here, house.key)
    await page.getByRole('link', { name: 'Directory' }).click()
    await page.locator('[data-unit="101"]').click()
    const dialog = page.getByRole('dialog')
    const residents = dialog.getByLabel('Name', { exact: true })
    await residents.first().fill('Maria da Silva')
    await dialog.getByRole('button', { name: 'Add a resident' }).click()
    await residents.nth(2).fill('Ana')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page
      .locator('[data-unit="101"]', { hasText: 'Maria da Silva, José Carlos da Silva, Ana' })
      .waitFor()

    await page.getByRole('button', { name: 'New unit' }).click()
    await dialog.getByLabel('Number, as it is dialled').fill('101')
    await dialog.getByLabel('Block').fill('a')
    await residents.fill('Nobody')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.locator('.toast.bad').waitFor()
    await dialog.getByLabel('Number, as it is dialled').fill('909')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.locator('[data-unit="909"]').waitFor()
    await page.locator('#search').fill('conceicao')
    await page.locator('[data-unit="203"]').waitFor()
    await page.locator('[data-unit="101"]').waitFor({ state: 'detached' })
    await page.locator('#search').fill('')

    const file = (units: unknown) => ({
      name: 'units.json',
      mimeType: 'application/json',
      buffer: Buffer.from(JSON.stringify({ units })),
    })
    const good = { number: '707', residents: [{ name: 'Rosa' }] }
    await page.locator('input[type="file"]').setInputFiles(file([good, { number: 'x y', residents: [] }]))
    await dialog.getByText('Nothing was imported').waitFor()
    await dialog.getByRole('button', { name: 'Close' }).click()
    assert.is(await page.locator('[data-unit="707"]').count(), 0)
    await page.locator('input[type="file"]').setInputFiles(file([good]))
    await page.locator('[data-unit="707"]', { hasText: 'Rosa' }).waitFor()

    const blocked = page.getByRole('region', { name: 'Blocked visitors' })
    await blocked.getByLabel('Name').fill('Fulano de Tal')
    await blocked.getByRole('button', { name: 'Block', exact: true }).click()
    await blocked.getByRole('listitem').filter({ hasText: 'Fulano de Tal' }).waitFor()
    const windows = page.getByRole('region', { name: 'Free entry' })
    await windows.getByLabel('Unit').fill('707')
    await windows.getByLabel(/^Time zone \(now \d\d:\d\d\)/).selectOption('America/Sao_Paulo')
    await windows.getByRole('button', { name: 'Allow' }).click()
    const window = windows
      .getByRole('listitem')
      .filter({ hasText: /08:00–18:00.*time in America\/Sao_Paulo/s })
    await window.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await windows.getByText('The resident is always asked.').waitFor()

    await page.getByRole('button', { name: 'New extension' }).click()
    for (const [name, value] of Object.entries({
      id: 'garage',
      ramal_ia: '9001',
      ramal_retorno: '9002',
      porta_ia: '1',
      porta_retorno: '1',
    }))
      await dialog.getByLabel(new RegExp(` ${name}$`)).fill(value)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.locator('.toast.bad', { hasText: 'must differ' }).waitFor()
    await dialog.getByLabel('porta_retorno').fill('2')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('cell', { name: 'garage' }).waitFor()
    assert.equal(complaints, [])
  },
)

/** A unit as it is in the database. */
async function unitIn(house: House, number: string) {
  const [unit] = await house.service.database.query<{ plan: unknown; label: string }>(
    "select plan, label from units where tenant_id = 'default' and number = $1",
    [number],
  )
  return unit!
}

inChromium('how a unit is reached is edited by keyboard, step by step, and can be undone', async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house, { width: 390, height: 844 })
  const { page, complaints } = here
  await logIn(here, house.key)
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/directory`)
  await page.locator('[data-unit="101"]').click()
  const dialog = page.getByRole('dialog')
  const wider = () =>
    page.evaluate(
      'document.querySelector("dialog").scrollWidth - document.querySelector("dialog").clientWidth',
    )
  const step = (number: number) => dialog.getByRole('listitem').nth(number - 1)
  assert.ok(await dialog.getByRole('radio', { name: "Same as the tenant's" }).isChecked())
  await dialog.getByRole('radio', { name: "Same as the tenant's" }).press('ArrowDown')
  assert.ok(await dialog.getByRole('radio', { name: 'Its own plan' }).isChecked())
  await step(1).getByLabel('Rings (seconds)').fill('20')
  await step(1).getByLabel('Times').fill('2')
  await step(1).getByLabel('How').selectOption({ label: 'all at once' })
  await dialog.getByRole('button', { name: 'Add a step' }).press('Enter')
  await step(2).getByLabel('Times').fill('5')
  await step(2).getByRole('combobox').first().selectOption({ label: 'Ask by WhatsApp' })
  await step(2).getByLabel('Waits (seconds)').fill('45')
  assert.is(await step(2).getByLabel('Times').count(), 0, 'it is asked once')
  await dialog.getByRole('button', { name: 'Add a step' }).press('Enter')
  await step(3).getByRole('combobox').first().selectOption({ label: 'Call the operator' })
  await dialog.getByRole('button', { name: 'Earlier: step 3' }).press('Enter')
  assert.is(await wider(), 0, 'the dialog fits')
  await dialog.getByRole('button', { name: 'Save' }).press('Enter')
  await dialog.waitFor({ state: 'detached' })
  assert.equal((await unitIn(house, '101')).plan, [
    { kind: 'call', attempts: 2, ringSeconds: 20, strategy: 'together' },
    { kind: 'operator' },
    { kind: 'whatsapp', ringSeconds: 45 },
  ])

  await page.locator('[data-unit="101"]').click()
  assert.is(await step(1).getByLabel('Times').inputValue(), '2')
  await dialog.getByRole('button', { name: 'Remove: step 3' }).press('Enter')
  assert.is(await dialog.getByRole('listitem').count(), 2)
  await step(1).getByLabel('Rings (seconds)').fill('3')
  await dialog.getByRole('button', { name: 'Save' }).click()
  assert.is(await page.locator('input:invalid').inputValue(), '3', 'the browser says so at the field')
  await step(1).getByLabel('Rings (seconds)').fill('')
  await dialog.getByRole('radio', { name: "Same as the tenant's" }).check()
  await dialog.getByRole('radio', { name: 'Its own plan' }).check()
  assert.is(await step(1).getByLabel('Times').inputValue(), '2', 'what was written is still there')
  await dialog.getByRole('radio', { name: "Same as the tenant's" }).check()
  await dialog.getByText('Call the residents').waitFor()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  assert.is((await unitIn(house, '101')).plan, null)
  assert.equal(complaints, [])
})

inChromium('what the service does not take is marked at its field, and the dialog stays', async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house, { locale: 'pt-BR' })
  const { page, complaints } = here
  await logIn(here, house.key)
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/directory`)
  await page.locator('[data-unit="101"]').click()
  const dialog = page.getByRole('dialog')
  const whatsapp = dialog.getByLabel('WhatsApp').nth(1)
  await dialog.getByLabel('Nome, como é falado').fill('Cobertura')
  await whatsapp.fill('12')
  await dialog.getByRole('checkbox', { name: 'Pode receber mensagens' }).first().uncheck()
  await dialog.getByRole('button', { name: 'Salvar' }).click()
  await dialog.getByText('Um número com DDD, como (11) 98765-4321').waitFor()
  // told when the focus is there
  await page.locator('.toast.bad:popover-open', { hasText: 'Corrija os campos marcados.' }).waitFor()
  assert.is(await page.evaluate('document.activeElement.value'), '12', 'it has the focus')
  assert.is(await dialog.locator('[aria-invalid="true"]').count(), 1)
  assert.is((await unitIn(house, '101')).label, '101', 'nothing is written')
  await whatsapp.fill('011 98765-4321')
  await dialog.getByRole('button', { name: 'Salvar' }).click()
  await dialog.waitFor({ state: 'detached' })
  assert.is((await unitIn(house, '101')).label, 'Cobertura')
  const people = await house.service.database.query<{ whatsapp: string | null; notify: boolean }>(
    `select whatsapp, notify from residents r join units u on u.id = r.unit_id
     where u.number = '101' order by position`,
  )
  assert.equal(
    people.map(({ notify }) => notify),
    [false, true],
  )
  assert.is(people[1]!.whatsapp, '+5511987654321')
  assert.equal(complaints, [])
})

inChromium('a key of all tenants creates, changes and deletes them', async (rig) => {
  const house = await openService(rig)
  const { database } = house.service
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, house.key)
  await page.getByRole('link', { name: 'Directory' }).click()
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'New tenant' }).click()
  await dialog.getByLabel('Name').fill('South Tower')
  await dialog.getByLabel('Id (does not change)').fill('default')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.locator('.toast.bad', { hasText: 'Tenant "default" already exists.' }).waitFor()
  await dialog.getByLabel('Id (does not change)').fill('south')
  await dialog.getByLabel('Language of the prompts').selectOption('en')
  await dialog.getByRole('radio', { name: 'Its own plan' }).check()
  await dialog.getByLabel('Times').fill('3')
  await dialog.getByLabel('Write to residents').check()
  await dialog.getByLabel('What lets a visitor in').selectOption('key')
  await dialog.getByLabel('An answer proves').selectOption('off')
  await dialog.getByLabel('After a talk').selectOption('next')
  await dialog.getByLabel('Leave a short message').check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  const row = page.locator('[data-tenant="south"]')
  await row.getByText('South Tower').waitFor()
  assert.equal(await listTenants(database, 'south'), [
    {
      id: 'south',
      name: 'South Tower',
      locale: 'en',
      country: 'BR',
      bargeIn: false,
      notifyUnreached: true,
      opensBy: 'key',
      trustsIntent: false,
      answerCheck: 'off',
      leaveMessage: true,
      afterTalk: 'next',
      freeWebhooks: 'off',
      plan: [{ kind: 'call', attempts: 3 }],
      listening: {},
      texts: {},
      planUnreadable: false,
    },
  ])
  assert.is(
    await page.getByRole('combobox', { name: 'Tenant' }).inputValue(),
    'south',
    'its directory is shown',
  )
  await page.getByText('No unit yet').waitFor()
  await page.getByRole('button', { name: 'New unit' }).click()
  await dialog.getByText('Call the residents (3×)').waitFor()
  await page.keyboard.press('Escape')

  await row.click()
  assert.ok(await dialog.getByLabel('Id (does not change)').isDisabled())
  await dialog.getByLabel('Name').fill('South Wing')
  await dialog.getByLabel('Language of the prompts').selectOption('')
  await dialog.getByRole('radio', { name: "Same as the service's" }).check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row.getByText('South Wing').waitFor()
  const [changed] = await listTenants(database, 'south')
  assert.equal([changed!.name, changed!.locale, changed!.plan], ['South Wing', null, null])

  await page.locator('[data-tenant="default"]').click()
  await dialog.getByRole('button', { name: 'Save' }).waitFor()
  assert.is(await dialog.getByRole('button', { name: 'Delete' }).count(), 0, 'the main tenant stays')
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await row.click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await dialog.filter({ hasText: 'Delete South Wing?' }).getByRole('button', { name: 'Delete' }).click()
  await row.waitFor({ state: 'detached' })
  assert.equal(await listTenants(database, 'south'), [])
  await page.locator('[data-unit="101"]').waitFor()
  assert.equal(complaints, [])
})

inChromium('a key of one tenant has that one alone, and changes what it may', async (rig) => {
  const house = await openService(rig)
  const { database } = house.service
  await createTenant(database, { id: 'other', name: 'Other' })
  const key = await createKey(database, { tenantId: 'other', name: 'own', scopes: ['admin'] })
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, key.plain)
  await page.getByRole('link', { name: 'Directory' }).click()
  await page.locator('[data-tenant="other"]').click()
  assert.is(await page.locator('[data-tenant]').count(), 1)
  assert.is(await page.getByRole('button', { name: 'New tenant' }).count(), 0)
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('Our House')
  assert.is(await dialog.getByRole('button', { name: 'Delete' }).count(), 0)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.locator('[data-tenant="other"]', { hasText: 'Our House' }).waitFor()
  assert.equal(
    (await listTenants(database)).map(({ id, name }) => [id, name]).filter(([id]) => id === 'other'),
    [['other', 'Our House']],
  )
  assert.equal(complaints, [])
})

test.run()
