import { createServer } from 'node:http'
import * as assert from 'uvu/assert'
import { isSignedByMeta } from '../../src/inbound/index.ts'
import { saveInstance } from '../../src/outbound/index.ts'
import { createEndpoint } from '../../src/outbound/sql/endpoints.ts'
import { startPeer } from '../rig/channels-peer.ts'
import { logIn, snapshot, type Visit, visit, withChromium } from '../rig/page-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('page controls')
const inChromium = withChromium(test)
const houseOfAll = test.share((rig) => openService(rig))

const goTo = ({ page }: Visit, house: House, view: string) =>
  page.goto(`http://127.0.0.1:${house.service.ports.api}/#/${view}`)

/** What lies outside of its panel, though nothing scrolls there. */
const CUT = `
  [...document.querySelectorAll('section[aria-labelledby="extensions-title"] td, section[aria-labelledby="extensions-title"] button')]
    .filter((part) => part.getBoundingClientRect().right > innerWidth)
    .map((part) => part.textContent.trim())
`

/** Rows and cells that are none once their display is another. */
const WITHOUT_ROLE = `
  document.querySelectorAll('.stacking:not([role]), .stacking :is(thead, tbody, tr, th, td):not([role])').length
`

/** The least contrast of a tab's name: where the shade of those that are cut is darkest. */
const CONTRAST = `(() => {
  const tabs = document.querySelector('.tabs')
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const luminance = (...colors) => {
    for (const color of colors) {
      canvas.fillStyle = color
      canvas.fillRect(0, 0, 1, 1)
    }
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)]
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const surface = getComputedStyle(tabs.closest('.panel')).backgroundColor
  const [shade] = getComputedStyle(tabs).backgroundImage.match(/color\\(srgb [^)]+\\)/)
  const behind = luminance(surface, shade)
  const name = luminance(getComputedStyle(tabs.querySelector('[aria-selected="false"]')).color)
  return (Math.max(name, behind) + 0.05) / (Math.min(name, behind) + 0.05)
})()`

inChromium("the phone's keys have the focus once the call stands, and its button after it", async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  await goTo(here, house, 'phone')
  const visitor = page.locator('[data-phone="visitor"]')
  await visitor.locator('[data-action="dial"]').focus()
  await page.keyboard.press('Enter')
  await visitor.locator('[data-key="1"]:focus').waitFor()
  await page.keyboard.press('1')
  await visitor.locator('.dialled', { hasText: '1' }).waitFor()
  const href = await visitor.locator('a[href^="#/calls/"]').getAttribute('href')
  const id = href!.slice('#/calls/'.length)
  await house.noted(id, 'started')
  await visitor.locator('[data-action="hangup"]').focus()
  await page.keyboard.press('Enter')
  await visitor.locator('[data-action="dial"]:focus').waitFor()
  await house.ending(id)
  assert.equal(here.complaints, [])
})

inChromium("the resident's phone answers only what is there to be answered", async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house, { locale: 'pt-BR' })
  const { page } = here
  await logIn(here, house.key)
  await goTo(here, house, 'phone')
  const resident = page.locator('[data-phone="resident"]')
  const answer = resident.locator('[data-action="dial"]')
  await resident.getByText('Quando alguém chamar do portão, atenda aqui.').waitFor()
  assert.not(await answer.isEnabled())
  const hint = await answer.getAttribute('aria-describedby')
  assert.match(await page.locator(`#${hint}`).innerText(), /atenda aqui/)

  const visitor = await house.rung()
  await answer.and(page.locator(':enabled')).waitFor()
  await resident.getByText('Chamada para a unidade 101.').waitFor()
  visitor.hangUp()
  await house.ending(visitor.id)
  await resident.getByText('Quando alguém chamar do portão, atenda aqui.').waitFor()
  assert.not(await answer.isEnabled())
})

inChromium('a question goes with what it was about', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  const visitor = await house.rung()
  const dialog = page.getByRole('dialog')
  await goTo(here, house, `calls/${visitor.id}`)
  await page.getByRole('button', { name: 'Deny' }).click()
  await dialog.getByText('Turn the visitor away?').waitFor()
  await goTo(here, house, 'queue')
  await page.getByRole('heading', { name: 'Message queue' }).waitFor()
  await dialog.waitFor({ state: 'detached' })

  await page.goBack()
  await page.getByRole('button', { name: 'Hang up: Visitor' }).click()
  await dialog.getByText('Hang up: Visitor?').waitFor()
  visitor.hangUp()
  await house.ending(visitor.id)
  await dialog.waitFor({ state: 'detached' })
  assert.equal(here.complaints, [])
})

for (const width of [390, 1440])
  inChromium(`extensions say in words what their figures are, and fit: ${width} px`, async (rig) => {
    const house = houseOfAll()
    const response = await fetch(
      `http://127.0.0.1:${house.service.ports.api}/api/extensions/portao-de-servico-dos-fundos`,
      {
        method: 'PUT',
        headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          ramal_ia: '9001',
          ramal_retorno: '9002',
          ip_servidor: '192.168.100.200',
          porta_ia: 19001,
          porta_retorno: 19002,
        }),
      },
    )
    assert.ok(response.ok, await response.text())
    const here = await visit(rig, house, { width, height: 844, locale: 'pt-BR' })
    const { page } = here
    await logIn(here, house.key)
    await goTo(here, house, 'directory')
    const row = page.locator('[data-extension="portao-de-servico-dos-fundos"]')
    await row.getByText('192.168.100.200').waitFor()
    const panel = page.getByRole('region', { name: 'Ramais das entradas' })
    assert.is(await panel.getByText(/ramal_|porta_|ip_serv/).count(), 0)
    const labels = await row
      .locator('td[data-label]')
      .evaluateAll((cells: { dataset: Record<string, string> }[]) =>
        cells.map(({ dataset }) => dataset['label']),
      )
    assert.equal(labels, [
      'Ramal',
      'Ramal do visitante',
      'Ramal do morador',
      'Servidor',
      'Porta do visitante',
      'Porta do morador',
      'Estado',
    ])
    assert.equal(await page.evaluate(CUT), [])
    assert.is(await page.evaluate(WITHOUT_ROLE), 0)
    assert.is(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)
    await panel.getByRole('button', { name: 'Editar' }).click()
    await page.getByRole('dialog').getByLabel('Porta do morador').waitFor()
    assert.equal(here.complaints, [])
  })

inChromium('a list without messages takes no more room than what it says', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house, { height: 1200 })
  const { page } = here
  await logIn(here, house.key)
  await goTo(here, house, 'queue')
  await page.getByText('Nothing has failed').waitFor()
  const height = await page.evaluate(`document.querySelector('.tall .list').clientHeight`)
  assert.ok((height as number) < 200, `${height} px`)
})

inChromium('where there are more machines than fit, the one that is chosen is seen whole', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house, { width: 390, height: 844 })
  const { page } = here
  await logIn(here, house.key)
  const visitor = await house.rung()
  await goTo(here, house, `calls/${visitor.id}`)
  await page.getByRole('tab', { name: /Visitor's line/ }).waitFor()
  await page.getByRole('tab', { name: /^Call/ }).focus()
  await page.keyboard.press('ArrowLeft')
  await page.locator('[role="tab"][aria-selected="true"]').filter({ hasNotText: 'reaching' }).waitFor()
  const hidden = `(() => {
    const row = document.querySelector('.tabs').getBoundingClientRect()
    const tab = document.querySelector('.tabs [aria-selected="true"]').getBoundingClientRect()
    return Math.max(row.left - tab.left, tab.right - row.right)
  })()`
  // the names of states may still change
  await eventually(async () => ((await page.evaluate(hidden)) as number) <= 1 || undefined)
  await snapshot(page, 'tabs at their end')
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const contrast = (await page.evaluate(CONTRAST)) as number
    assert.ok(contrast >= 4.5, `${colorScheme}: ${contrast.toFixed(2)}`)
  }
  visitor.hangUp()
  await house.ending(visitor.id)
})

/** An endpoint, and what it was told. */
async function openReceiver(rig: Rig) {
  const told: { type: string; data: object }[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      told.push(JSON.parse(Buffer.concat(parts).toString()))
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.defer(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/hook`, told }
}

inChromium('an endpoint gets a test event, and the page shows its result', async (rig) => {
  const receiver = await openReceiver(rig)
  const house = await openService(rig, { settings: { EGRESS_ALLOW: '127.0.0.0/8' } })
  const { database } = house.service
  // it wants no other event, and gets the test all the same
  await createEndpoint(database, 'default', { url: receiver.url, events: ['call.ended'] })
  const off = await createEndpoint(database, 'default', { url: 'https://off.example/', enabled: false })
  const here = await visit(rig, house, { width: 390, height: 844 })
  const { page } = here
  await logIn(here, house.key)
  await goTo(here, house, 'endpoints')
  const row = page.locator(`tr`, { hasText: receiver.url })
  await row.getByRole('button', { name: 'Send a test' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Send', exact: true }).click()
  const message = page.getByRole('dialog')
  await message.locator('[data-status="sent"]').waitFor()
  await message.getByText('porteiro.test').waitFor()
  assert.equal(
    receiver.told.map(({ type, data }) => [type, data]),
    [['porteiro.test', { by: 'API_KEY' }]],
  )
  await message.getByRole('button', { name: 'Close' }).click()
  await message.waitFor({ state: 'detached' })
  const other = page.locator('tr', { hasText: off.endpoint.url })
  await other.waitFor()
  assert.is(await page.evaluate(WITHOUT_ROLE), 0)
  assert.is(await other.getByRole('button', { name: 'Send a test' }).count(), 0)
  assert.is(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)
  await snapshot(page, 'endpoints narrow')
  assert.equal(here.complaints, [])
})

inChromium(
  'an endpoint for the form of the Cloud API is made on the page, and gets statuses in it',
  async (rig) => {
    const peer = await startPeer(rig, ({ path }, response) =>
      path === '/hook'
        ? response.writeHead(204).end()
        : response.writeHead(200).end(JSON.stringify({ messages: [{ id: 'UNO.1' }] })),
    )
    const house = await openService(rig, { settings: { EGRESS_ALLOW: '127.0.0.0/8' } })
    await saveInstance(house.service.database, 'default', {
      id: 'main',
      channel: 'unoapi',
      settings: { url: `${peer.url}/v15.0`, phoneId: '5511900000000' },
      secrets: { token: 'T' },
    })
    const here = await visit(rig, house)
    const { page } = here
    await logIn(here, house.key)
    await goTo(here, house, 'endpoints')
    await page.locator('#endpoint-url').fill(`${peer.url}/hook`)
    await page.getByLabel('call.ended').check()
    await page.getByLabel('message.sent').check()
    await page.getByLabel("In the form of WhatsApp's Cloud API").check()
    const offered = await page.locator('fieldset code').allInnerTexts()
    assert.ok(offered.length > 1 && offered.every((name) => name.startsWith('message.')), offered.join())
    assert.ok(await page.getByLabel('message.sent').isChecked())
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    const secret = await page.locator('.secret').innerText()
    const row = page.getByRole('row', { name: peer.url })
    await row.getByText('form of the Cloud API').waitFor()
    await row.getByText('message.sent', { exact: true }).waitFor()
    assert.is(await page.getByLabel("In the form of WhatsApp's Cloud API").isChecked(), false)
    await snapshot(page, 'endpoint in the form of the Cloud API')

    const sent = await fetch(`http://127.0.0.1:${house.service.ports.api}/v15.0/5511900000000/messages`, {
      method: 'POST',
      headers: { authorization: house.key, 'content-type': 'application/json' },
      body: JSON.stringify({ to: '5511987654321', type: 'text', text: { body: 'oi' } }),
    })
    const { messages } = (await sent.json()) as { messages: { id: string }[] }
    const hook = (await peer.count(2)).find(({ path }) => path === '/hook')!
    const { object, entry } = JSON.parse(hook.body)
    const [status] = entry[0].changes[0].value.statuses
    assert.equal(
      [object, status.id, status.status, status.recipient_id],
      ['whatsapp_business_account', messages[0]!.id, 'sent', '5511987654321'],
    )
    assert.ok(isSignedByMeta(Buffer.from(hook.body), String(hook.headers['x-hub-signature-256']), secret))
    assert.equal(here.complaints, [])
  },
)

test.run()
