import * as assert from 'uvu/assert'
import { saveGate } from '../../src/gates/sql/gates.ts'
import { addMessage } from '../rig/http-rig.ts'
import { logIn, visit, withChromium } from '../rig/page-rig.ts'
import { eventually, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('page health')
const inChromium = withChromium(test)

inChromium('remarks are shown apart from problems, and without either all is well', async (rig) => {
  const house = await openService(rig, { settings: { CLICKTOCALL: 'off' } })
  const { database } = house.service
  await addMessage(database as Parameters<typeof addMessage>[0], {
    tenantId: 'default',
    status: 'retrying',
  })
  await database.query(
    `insert into nodes (instance, node_id, roles, started_at, seen_at)
     values (gen_random_uuid(), 'lost', '{worker}', now() - interval '1 hour', now() - interval '25 seconds')`,
  )
  await saveGate(database, 'default', 'x', { kind: 'webhook', url: 'https://gate.example/x' })
  // a process looks at the others each 5 s
  await eventually(() => {
    const { nodes } = house.service.status() as { nodes?: { isSilent: boolean }[] }
    return nodes?.some(({ isSilent }) => isSilent) ? true : undefined
  })
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  await page.getByRole('link', { name: 'Health' }).click()
  await page.getByRole('heading', { name: 'Answers calls, but no telephone rings' }).waitFor()
  assert.is(await page.getByText('Ready for calls').count(), 0)
  const problems = page.getByRole('region', { name: 'Problems' }).getByRole('listitem')
  await problems.filter({ hasText: 'Gate x of default never opens' }).waitFor()
  assert.is(await page.locator('main h2, .stack h2').first().innerText(), 'Problems')
  const remarks = page.getByRole('region', { name: 'Worth a look' }).getByRole('listitem')
  await remarks.filter({ hasText: '1 message was not sent and is being retried' }).waitFor()
  await problems.filter({ hasText: 'CLICKTOCALL=off: no telephone rings' }).waitFor()
  await remarks.filter({ hasText: 'Nobody has connected yet; only this machine can' }).waitFor()
  await problems.filter({ hasText: 'Process lost has sent no heartbeat since' }).waitFor()
  const lost = page.locator('.panel', { has: page.getByRole('heading', { name: 'Process lost' }) })
  await lost.getByText('Last seen').waitFor()
  await page.locator('.wellness.calm[title="With problems · 5 notes"]').waitFor()

  let told: object[] = [
    { code: 'worker.none', count: 3 },
    { code: 'incoming.grows', came: 3, ended: 0 },
    { code: 'queue.waits', seconds: 90 },
  ]
  await page.route('**/api/status', async (route) => {
    const answer = await (await route.fetch()).json()
    await route.fulfill({ json: { ...answer, remarks: told } })
  })
  await page.getByRole('button', { name: 'Refresh' }).click()
  await problems.filter({ hasText: 'No worker is alive: 3 messages wait' }).waitFor()
  await problems.filter({ hasText: 'in 5 minutes 3 came and 0 were handled' }).waitFor()
  await page.getByRole('link', { name: 'Queue' }).click()
  await problems.filter({ hasText: 'The oldest message in the queue has waited for 90 s' }).waitFor()
  await page.getByRole('link', { name: 'Health' }).click()
  told = []
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.locator('.wellness.ok[title="All is well"]').waitFor()
  await remarks.first().waitFor({ state: 'detached' })
  assert.equal(here.complaints, [])
})

inChromium('a missing ability of the service is shown beside the setting that needs it', async (rig) => {
  const house = await openService(rig)
  const here = await visit(rig, house, { locale: 'pt-BR' })
  const { page } = here
  await logIn(here, house.key)
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/directory`)
  const blocked = page.getByRole('region', { name: 'Visitantes bloqueados' })
  await blocked.getByText('este serviço não o tem (STT)').waitFor()
  await page.locator('[data-unit="101"]').click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: 'Um plano próprio' }).check()
  await dialog.getByRole('button', { name: 'Adicionar passo' }).click()
  const step = (number: number) => dialog.getByRole('listitem').nth(number - 1)
  await step(1)
    .getByRole('combobox', { name: /^Passo 1/ })
    .selectOption('whatsapp')
  await step(1).getByText('Sem conta de WhatsApp: este passo é pulado.').waitFor()
  await step(2)
    .getByRole('combobox', { name: /^Passo 2/ })
    .selectOption('operator')
  await step(2).getByText('Sem OPERATOR_EXTENSION: este passo é pulado.').waitFor()
  await step(2)
    .getByRole('combobox', { name: /^Passo 2/ })
    .selectOption('call')
  assert.is(await step(2).getByRole('note').count(), 0)
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: 'Novo condomínio' }).click()
  await dialog.getByText('De 1 a 64 letras, algarismos, - ou _.').waitFor()
  assert.equal(here.complaints, [])
})

test.run()
