import type { Locator } from 'playwright-core'
import * as assert from 'uvu/assert'
import { logIn, type Visit, visit, withChromium } from '../rig/page-rig.ts'
import { suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('page forms')
const inChromium = withChromium(test)

async function openDirectory(here: Visit, house: House): Promise<Locator> {
  await logIn(here, house.key)
  await here.page.goto(`http://127.0.0.1:${house.service.ports.api}/#/directory`)
  return here.page.getByRole('dialog')
}

/** The browser would keep back what only the service is to refuse here. */
async function unchecked(dialog: Locator): Promise<void> {
  await dialog.locator('form').evaluate((form) => void Object.assign(form, { noValidate: true }))
}

inChromium('a mark of the service stays at its field, and goes with what is changed there', async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house)
  const dialog = await openDirectory(here, house)
  await here.page.locator('[data-unit="101"]').click()
  await unchecked(dialog)
  const step = (number: number) => dialog.locator('.step').nth(number - 1)
  const save = dialog.getByRole('button', { name: 'Save' })
  const wrong = () =>
    dialog
      .locator('[aria-invalid="true"]')
      .evaluateAll((fields) => fields.map((field) => (field as unknown as { value: string }).value))
  const phones = dialog.getByLabel('Extension or phone')
  await phones.nth(0).fill('a 1')
  await phones.nth(1).fill('a 2')
  await dialog.getByRole('radio', { name: 'Its own plan' }).check()
  await dialog.getByRole('button', { name: 'Add a step' }).click()
  await step(1).getByLabel('Rings (seconds)').fill('3')
  await step(1).getByLabel('Times').fill('99')
  await step(2).getByLabel('Times').fill('77')
  await save.click()
  await step(2).getByText('1 to 20 times.').waitFor()
  assert.equal(await wrong(), ['a 1', 'a 2', '3', '99', '77'])

  await step(1).getByLabel('Times').fill('98')
  assert.equal(await wrong(), ['a 1', 'a 2', '3', '77'], 'only the mark of what was changed')
  await dialog.getByRole('button', { name: 'Add a step' }).click()
  await dialog.getByRole('button', { name: 'Add a resident' }).click()
  assert.equal(await wrong(), ['a 1', 'a 2', '3', '77'], 'nothing has moved')
  await dialog.getByRole('button', { name: 'Later: step 1' }).click()
  assert.equal(await wrong(), ['a 1', 'a 2'], 'its places have moved')
  await phones.nth(1).fill('345')
  assert.equal(await wrong(), ['a 1'])
  await dialog
    .getByRole('button', { name: /^Later: / })
    .first()
    .click()
  assert.equal(await wrong(), [])
  assert.equal(here.complaints, [])
})

inChromium("a step of a tenant's plan takes no mark of another one along", async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house)
  const dialog = await openDirectory(here, house)
  await here.page.locator('[data-tenant="default"]').click()
  await unchecked(dialog)
  const name = dialog.getByLabel('Name')
  await name.fill('  ')
  await dialog.getByRole('radio', { name: 'Its own plan' }).check()
  await dialog.getByRole('button', { name: 'Add a step' }).click()
  await dialog.getByLabel('Times').first().fill('99')
  const marks = dialog.locator('.wrong')
  for (const move of ['Later: step 1', 'Remove: step 2']) {
    await dialog.getByRole('button', { name: 'Save' }).click()
    await marks.nth(1).waitFor()
    assert.equal(await marks.allInnerTexts(), ['Enter the name.', '1 to 20 times.'])
    await dialog.getByRole('button', { name: move }).click()
    assert.equal(await marks.allInnerTexts(), ['Enter the name.'])
  }
  await name.fill('House')
  assert.is(await marks.count(), 0)
  assert.equal(here.complaints, [])
})

inChromium('a plan that cannot be read is said to be there, and is kept', async (rig) => {
  const house = await openService(rig)
  const { database } = house.service
  const foreign = JSON.stringify([{ kind: 'pigeon' }])
  await database.query(
    `update tenants set settings = settings || jsonb_build_object('plan', $1::jsonb) where id = 'default'`,
    [foreign],
  )
  await database.query(`update units set plan = $1 where tenant_id = 'default' and number = '101'`, [foreign])
  const stored = async () => {
    const [row] = await database.query<{ tenant: unknown; unit: unknown }>(
      `select settings -> 'plan' as tenant, plan as unit from tenants t join units u on u.tenant_id = t.id
       where t.id = 'default' and number = '101'`,
    )
    return [JSON.stringify(row!.tenant), JSON.stringify(row!.unit)]
  }
  const [kept] = await stored()
  const here = await visit(rig, house)
  const { page } = here
  const dialog = await openDirectory(here, house)
  const tenant = page.locator('[data-tenant="default"]')
  const note = dialog.getByText('The stored plan can be neither read nor edited here')
  await tenant.getByText('plan not readable').waitFor()
  await tenant.click()
  await note.waitFor()
  assert.is(await dialog.getByRole('radio', { checked: true }).count(), 0)
  await dialog.getByLabel('Name').fill('New House')
  const sent = page.waitForRequest((request) => request.method() === 'PATCH')
  await dialog.getByRole('button', { name: 'Save' }).click()
  assert.equal((await sent).postDataJSON(), { name: 'New House' })
  await tenant.getByText('New House').waitFor()

  await page.locator('[data-unit="101"]').click()
  await note.waitFor()
  await dialog.getByLabel('Name, as it is spoken').fill('Penthouse')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  assert.equal(await stored(), [kept, kept])

  await tenant.click()
  await dialog.getByRole('radio', { name: "Same as the service's" }).check()
  await note.waitFor({ state: 'detached' })
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  assert.equal(await stored(), ['null', kept])
  assert.equal(here.complaints, [])
})

inChromium('what the service lacks and does not take is said in Portuguese', async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house, { locale: 'pt-BR' })
  const { page } = here
  const dialog = await openDirectory(here, house)
  await page.locator('[data-unit="101"]').click()
  await unchecked(dialog)
  await dialog.getByLabel('Número, como é digitado').fill('1/2')
  await dialog.getByLabel('Nome', { exact: true }).first().fill(' ')
  await dialog.getByRole('button', { name: 'Salvar' }).click()
  await dialog.getByText('Informe o nome.').waitFor()
  assert.equal(await dialog.locator('.wrong').allInnerTexts(), [
    'De 1 a 16 algarismos ou letras.',
    'Informe o nome.',
  ])
  await page.keyboard.press('Escape')

  const lacks = ['not running', 'database away', 'broker connecting', 'broker recovering']
  await page.route('**/readyz', (route) => route.fulfill({ json: { ready: false, lacks } }))
  await page.route('**/api/status', async (route) => {
    const answer = await (await route.fetch()).json()
    const seenAt = new Date().toISOString()
    const nodes = lacks.map((lack, index) => ({
      ...{ node: `far-${index}`, roles: ['worker'], seenAt, isThis: false, status: 'running', lacks: [lack] },
    }))
    await route.fulfill({
      json: { ...answer, nodes: [...answer.nodes, ...nodes], broker: { state: 'connecting', losses: 0 } },
    })
  })
  await page.getByRole('link', { name: 'Saúde' }).click()
  await page.getByRole('button', { name: 'Atualizar' }).click()
  const said = [
    'não está no ar',
    'banco de dados sem resposta',
    'RabbitMQ conectando',
    'RabbitMQ reconectando',
  ]
  const listed = page.locator('.problems .mark')
  await listed.first().waitFor()
  assert.equal(await listed.allInnerTexts(), said)
  for (const [index, words] of said.entries())
    await page
      .locator('.panel', { hasText: `Processo far-${index}` })
      .getByText(words)
      .waitFor()
  const text = await page.locator('body').innerText()
  assert.not.match(text, /not running|away|broker|connecting|recovering/)
  assert.equal(here.complaints, [])
})

test.run()
