import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import * as assert from 'uvu/assert'
import { writeExtension } from '../../src/directory/sql/extensions.ts'
import { createTenant } from '../../src/directory/sql/tenants.ts'
import {
  addGateCommand,
  deleteGate,
  listGates,
  noteGateCommand,
  saveGate,
} from '../../src/gates/sql/gates.ts'
import { createKey } from '../../src/http/sql/keys.ts'
import { logIn, snapshot, type Visit, visit, withChromium } from '../rig/page-rig.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('page gates')
const inChromium = withChromium(test)
/** One without a gate. */
const houseOfAll = test.share((rig) => openService(rig))

/** The directory with its gates read. */
async function openDirectory(here: Visit, house: House, key = house.key) {
  await logIn(here, key)
  await here.page.goto(`http://127.0.0.1:${house.service.ports.api}/#/directory`)
  await here.page.locator('#commands-title').waitFor()
  return here.page.getByRole('dialog')
}

/** A controller, and what it was told. */
async function openController(rig: Rig) {
  const told: { type: string; data: { gate: string } }[] = []
  let status = 204
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      told.push(JSON.parse(Buffer.concat(parts).toString()))
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.defer(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/open`,
    told,
    answer: (code: number) => {
      status = code
    },
  }
}

/** A command of the past. Resolves with its id. */
async function addCommand(house: House, agoMs: number, callId: string = randomUUID()) {
  const id = randomUUID()
  const decidedAt = new Date(Date.now() - agoMs)
  await addGateCommand(house.service.database, {
    id,
    callId,
    tenantId: 'default',
    gateId: 'default',
    unitNumber: '101',
    by: 'resident',
    via: 'key',
    decidedAt,
    expiresAt: new Date(decidedAt.getTime() + 30_000),
  })
  return id
}

inChromium('a gate is made, its secret shown once, tried, changed and deleted', async (rig) => {
  const controller = await openController(rig)
  const house = await openService(rig, { settings: { EGRESS_ALLOW: '127.0.0.0/8' } })
  const { database } = house.service
  const here = await visit(rig, house)
  const { page } = here
  const dialog = await openDirectory(here, house)
  await page.getByText('No gate', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'New gate' }).click()
  assert.is(await dialog.getByLabel('Extension (default: all others)').inputValue(), 'default')
  await dialog.getByLabel('URL').fill(controller.url)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.locator('.secret', { hasText: /^whsec_/ }).waitFor()
  const secret = await page.locator('.secret').innerText()
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await page.locator('.secret').waitFor({ state: 'detached' })
  const row = page.locator('[data-gate="default"]')
  await row.getByText(controller.url).waitFor()
  await row.getByText('enabled', { exact: true }).waitFor()

  await row.click()
  await dialog.getByRole('button', { name: 'Test' }).click()
  await page.getByText('the gate really opens').waitFor()
  await page.getByRole('button', { name: 'Open', exact: true }).click()
  await dialog.locator('[data-status="sent"]').waitFor()
  await dialog.getByText('gate.open').waitFor()
  assert.equal(
    controller.told.map(({ type, data }) => [type, data.gate]),
    [['gate.open', 'default']],
  )
  await dialog.getByRole('button', { name: 'Close' }).click()

  await row.click()
  assert.not.match(await dialog.innerText(), /whsec_/)
  await dialog.getByRole('button', { name: 'Rotate secret' }).click()
  await page.getByRole('button', { name: 'Rotate', exact: true }).click()
  await page.locator('.secret', { hasNotText: secret }).waitFor()
  await row.click()
  await dialog.getByLabel('Gets the command').uncheck()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row.getByText('disabled', { exact: true }).waitFor()
  await row.click()
  assert.is(await dialog.getByRole('button', { name: 'Test' }).count(), 0, 'one that is off opens nothing')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await page.getByText('It no longer gets the command to open.').waitFor()
  await page.getByRole('button', { name: 'Delete', exact: true }).last().click()
  await page.getByText('No gate', { exact: true }).waitFor()
  assert.equal(await listGates(database, 'default'), [])
  assert.equal(here.complaints, [])
})

inChromium(
  'what the service does not take is marked at its field, and no gate is written over',
  async (rig) => {
    const house = await openService(rig)
    const { database } = house.service
    await writeExtension(database, {
      ...{ id: 'portao-social', ramal_ia: '1001', ramal_retorno: '1002', ip_servidor: '127.0.0.1' },
      ...{ porta_ia: 18_380, porta_retorno: 18_381, condominio_id: 'default' },
    })
    await saveGate(database, 'default', 'default', { kind: 'webhook', url: 'https://gate.example/a' })
    const here = await visit(rig, house, { locale: 'pt-BR' })
    const { page } = here
    const dialog = await openDirectory(here, house)
    await page.getByRole('button', { name: 'Novo portão' }).click()
    await dialog.locator('form').evaluate((form) => void Object.assign(form, { noValidate: true }))
    const save = dialog.getByRole('button', { name: 'Salvar' })
    const id = dialog.getByLabel('Ramal (default: todos os outros)')
    // a gate belongs to an entrance that has none: no other name would ever open
    assert.equal(await id.locator('option').allInnerTexts(), ['', 'portao-social'])
    await id.selectOption('portao-social')
    await dialog.getByLabel('URL').fill('ftp://gate.example/')
    await save.click()
    await dialog.getByText('sem usuário nem senha').waitFor()
    await dialog.getByLabel('O comando vai').selectOption('amqp')
    await dialog.getByLabel('Exchange').fill('portões')
    await dialog.getByLabel('Chave de roteamento').fill('abrir')
    await save.click()
    await dialog.getByText('sem espaço nem acento').waitFor()
    assert.is(await dialog.locator('[aria-invalid="true"]').count(), 1)
    await dialog.getByLabel('Exchange').fill('gates')
    await save.click()
    await page.locator('[data-gate="portao-social"]', { hasText: 'gates → abrir' }).waitFor()
    assert.equal(
      (await listGates(database, 'default')).map(({ id: name, url, exchange }) => [name, url ?? exchange]),
      [
        ['default', 'https://gate.example/a'],
        ['portao-social', 'gates'],
      ],
    )
    assert.match(await page.locator('.secret').innerText(), /^whsec_/, 'commands over the broker are signed')
    assert.equal(here.complaints, [])
  },
)

for (const [name, look] of Object.entries({
  'wide, dark': { dark: true, width: 1440, height: 900 },
  'narrow, light': { width: 390, height: 844 },
}))
  inChromium(`the last commands tell what became of each: ${name}`, async (rig) => {
    // the command that is over is reported, as an error
    const house = await openService(rig, { mayFail: true })
    const { database } = house.service
    await saveGate(database, 'default', 'default', { kind: 'webhook', url: 'https://gate.example/open' })
    const lost = await addCommand(house, 3_600_000)
    await noteGateCommand(database, lost, 'failed', { attempt: 1, code: 'DELIVERY_STATUS', status: 503 })
    const opened = await addCommand(house, 60_000)
    await noteGateCommand(database, opened, 'acknowledged', { status: 204 }, 'acknowledged')
    const here = await visit(rig, house, { ...look, locale: 'pt-BR' })
    const { page } = here
    const dialog = await openDirectory(here, house)
    const row = (id: string) => page.locator(`[data-command="${id}"]`)
    await row(opened).getByText('confirmado').waitFor()
    await row(lost).getByText('não chegou').waitFor()
    assert.is(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)
    await snapshot(page, `gates ${name}`)
    await row(lost).click()
    await dialog.getByText('morador · tecla').waitFor()
    await dialog.getByText('DELIVERY_STATUS').waitFor()
    await snapshot(page, `gate command ${name}`)
    await dialog.getByRole('button', { name: 'Fechar' }).click()
    await page.locator('[data-gate="default"]').click()
    await dialog.getByLabel('URL').waitFor()
    await snapshot(page, `gate ${name}`)
    assert.equal(here.complaints, [])
  })

inChromium("a key sees its tenant's gates only, and does what its scope allows", async (rig) => {
  const house = await openService(rig)
  const { database } = house.service
  await createTenant(database, { id: 'south', name: 'South Tower' })
  await saveGate(database, 'default', 'default', { kind: 'webhook', url: 'https://gate.example/main' })
  await saveGate(database, 'south', 'default', { kind: 'amqp', exchange: 'gates', routingKey: 'south' })
  const keyOf = async (...scopes: ('read' | 'operate' | 'admin')[]) =>
    (await createKey(database, { tenantId: 'south', name: scopes.join('-'), scopes })).plain
  const reader = await visit(rig, house)
  const dialog = await openDirectory(reader, house, await keyOf('read'))
  await reader.page.locator('[data-gate="default"]', { hasText: 'gates → south' }).click()
  await dialog.getByLabel('Exchange').waitFor()
  assert.not(await dialog.getByLabel('Exchange').isEnabled())
  assert.is(await dialog.getByRole('button', { name: /Save|Delete|Rotate|Try/ }).count(), 0)
  assert.is(await reader.page.getByRole('button', { name: 'New gate' }).count(), 0)
  assert.is(await reader.page.getByText('gate.example').count(), 0)

  const admin = await visit(rig, house)
  const its = await openDirectory(admin, house, await keyOf('admin'))
  await admin.page.locator('[data-gate="default"]', { hasText: 'gates → south' }).click()
  await its.getByLabel('Exchange').waitFor()
  assert.not(await its.getByLabel('Exchange').isEnabled(), 'exchanges are for keys of all tenants')
  await its.getByRole('button', { name: 'Cancel' }).click()
  await admin.page.getByRole('button', { name: 'New gate' }).click()
  assert.not(await its.getByLabel('The command goes').isEnabled())
  assert.equal([...reader.complaints, ...admin.complaints], [])
})

/** A visitor who was let in by the API. */
async function letIn(house: House): Promise<string> {
  const visitor = await house.rung()
  await authorise(house, visitor.id)
  return visitor.id
}

async function authorise(house: House, id: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${house.service.ports.api}/api/calls/${id}/decision`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ verdict: 'authorized' }),
  })
  assert.ok(response.ok, await response.text())
  await house.ending(id)
}

inChromium('a call shows the result of its command to open, with a link to the message', async (rig) => {
  const controller = await openController(rig)
  const house = await openService(rig, { settings: { EGRESS_ALLOW: '127.0.0.0/8' }, mayFail: true })
  const { database, ports } = house.service
  const here = await visit(rig, house, { locale: 'pt-BR' })
  const { page } = here
  const head = page.locator('.call-head')
  const open = (id: string) => page.goto(`http://127.0.0.1:${ports.api}/#/calls/${id}`)
  await logIn(here, house.key)

  const untold = await letIn(house)
  await open(untold)
  await head.getByText('Nenhum portão recebeu o comando').waitFor()
  await head.getByRole('link', { name: 'Ver os portões' }).waitFor()
  assert.is(await head.locator('[data-opening] .mark.bad').count(), 0, 'this tenant opens by hand')

  await saveGate(database, 'default', 'x', { kind: 'webhook', url: controller.url })
  const unopened = await house.rung()
  await open(unopened.id)
  await head.getByText('Autorizar não abre nenhum portão').waitFor()
  await authorise(house, unopened.id)
  await head.locator('[data-opening] .mark.bad', { hasText: 'Nenhum portão recebeu o comando' }).waitFor()
  await deleteGate(database, 'default', 'x')

  await saveGate(database, 'default', 'default', { kind: 'webhook', url: controller.url })
  const told = await letIn(house)
  await open(told)
  await head.getByText('Portão: confirmado').waitFor()

  // 4xx is the gate's refusal, and not tried again
  controller.answer(403)
  const refused = await letIn(house)
  await open(refused)
  await head.getByText('Portão: recusado pelo portão').waitFor()
  await head.getByText('respondeu com o status 403').waitFor()
  await snapshot(page, 'call with a gate that refused')
  await head.getByRole('link', { name: 'Ver a mensagem' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.locator('[data-status="failed"]').waitFor()
  assert.match(page.url(), /#\/queue\/[0-9a-f-]{36}$/)
  await dialog.getByRole('link', { name: refused }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.goBack()
  await dialog.locator('[data-status="failed"]').waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  assert.match(page.url(), /#\/queue$/)
  // the message that was closed is not what lies before
  await page.goBack()
  await head.getByText('Portão: recusado pelo portão').waitFor()

  // the gate answers over AMQP with a word of its own
  await database.query("update gate_commands set status = 'refused' where for_call = $1", [told])
  await open(told)
  await head.getByText('Portão: recusado').waitFor()

  controller.answer(503)
  const waiting = await letIn(house)
  await open(waiting)
  // a machine that is slow here sees its time over already: 30 s after the decision
  await head
    .getByText(/Portão: (a tentativa \d+ falhou; haverá outra|o comando não chegou a tempo)/)
    .waitFor()
  controller.answer(204)
  // and one that was slow until here, before its next try
  await head.getByText(/Portão: (confirmado|o comando não chegou a tempo)/).waitFor()
  assert.equal(here.complaints, [])
})

for (const [name, offMs] of Object.entries({ behind: -600_000, ahead: 600_000 }))
  inChromium(`a call tells of its command though the browser's clock is 10 minutes ${name}`, async (rig) => {
    const house = houseOfAll()
    const here = await visit(rig, house)
    const { page } = here
    await page.addInitScript(`{ const now = Date.now; Date.now = () => now() + ${offMs} }`)
    await page.reload()
    await logIn(here, house.key)
    const id = await letIn(house)
    await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/calls/${id}`)
    const opening = page.locator('.call-head [data-opening]')
    await opening.getByText('No gate got the command').waitFor()
    const command = await addCommand(house, 0, id)
    await noteGateCommand(house.service.database, command, 'acknowledged', { status: 204 }, 'acknowledged')
    await opening.and(page.locator('[data-opening="acknowledged"]')).waitFor()
    assert.equal(here.complaints, [])
  })

inChromium('another message does not show the facts of the one before', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house)
  const { page } = here
  const queue = `http://127.0.0.1:${house.service.ports.api}/#/queue`
  const message = (id: string) => ({
    message: {
      id,
      channel: 'webhook',
      to: 'hook',
      status: 'sent',
      priority: 5,
      attempts: 1,
      maxRetries: 0,
      createdAt: '2026-11-21T15:00:00Z',
    },
    attempts: [],
  })
  await page.route('**/api/messages/first', (route) => route.fulfill({ json: message('first') }))
  // it is not answered
  await page.route('**/api/messages/second', () => {})
  await logIn(here, house.key)
  await page.goto(`${queue}/first`)
  const facts = page.getByRole('dialog').locator('[data-status]')
  await facts.waitFor()
  await page.goto(`${queue}/second`)
  await facts.waitFor({ state: 'detached' })
  await page.getByRole('dialog').waitFor()
  assert.equal(here.complaints, [])
})

test('a key of a tenant asks for the command of its own call only', async (rig) => {
  const house = await openService(rig)
  const { database, ports } = house.service
  await createTenant(database, { id: 'south', name: 'South Tower' })
  const foreign = await createKey(database, { tenantId: 'south', name: 'south', scopes: ['read'] })
  await saveGate(database, 'default', 'default', { kind: 'webhook', url: 'https://gate.example/open' })
  const one = randomUUID()
  await addCommand(house, 60_000, one)
  await addCommand(house, 30_000)
  const ask = async (key: string, query: string) => {
    const response = await fetch(`http://127.0.0.1:${ports.api}/api/gates/commands?${query}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const { items } = (await response.json()) as { items: { callId: string }[] }
    return items.map(({ callId }) => callId)
  }
  assert.equal(await ask(house.key, `call=${one}`), [one])
  assert.equal(await ask(house.key, `call=${randomUUID()}`), [])
  assert.is((await ask(house.key, '')).length, 2)
  assert.equal(await ask(foreign.plain, `call=${one}`), [])
})

test.run()
