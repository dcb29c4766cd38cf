import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { type CallRow, writeBatch } from '../../src/calls/sql/calls.ts'
import { createKey } from '../../src/http/sql/keys.ts'
import { SAMPLE_RATE } from '../../src/platform/audio.ts'
import { logIn, picture, visit, withChromium } from '../rig/page-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'
import { type House, openService } from '../rig/service-rig.ts'

const test = suite('page')
/** What its microphone hears, over and over. */
const SPOKEN = fileURLToPath(new URL('../../prompts/pt-BR/sample-resident-talk.wav', import.meta.url))
const inChromium = withChromium(test, { microphone: SPOKEN })
/** For tests that leave nothing behind in it. */
const houseOfAll = test.share((rig) => openService(rig))

/** Those of the README; every view is looked at all the same. */
const PICTURES = new Set([
  'wide-light-call',
  'wide-light-queue',
  'wide-dark-call',
  'wide-dark-health',
  'narrow-light-calls',
  'narrow-light-phone',
  'narrow-dark-call',
])

/** Keeps every state that the chart of the call shows, in order. */
const WATCH_CHART = `
  window.shown = []
  new MutationObserver(() => {
    const chart = document.querySelector('.chart[data-machine="call"]')
    const lit = [...(chart?.querySelectorAll('.state.lit') ?? [])].map((node) =>
      [...node.classList].find((name) => name.startsWith('state-')))
    const now = lit.at(-1)
    if (now && window.shown.at(-1) !== now) window.shown.push(now)
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] })
`

/** What of the head is over something else of it, cut, or out of the page. */
const OVERLAPS = `
  (() => {
    const parts = [...document.querySelectorAll('.top .brand, .top nav a, .top .wellness, .top .tool')]
    const boxes = parts.map((part) => ({ name: part.textContent.trim(), ...part.getBoundingClientRect().toJSON() }))
    const found = boxes.filter(({ left, right }) => left < 0 || right > innerWidth).map(({ name }) => name + ' is out')
    for (const part of parts)
      if (part.matches('nav a') && part.scrollWidth > part.clientWidth + 1) found.push(part.textContent.trim() + ' is cut')
    boxes.forEach((one, index) => {
      for (const other of boxes.slice(index + 1))
        if (one.left < other.right - 0.5 && other.left < one.right - 0.5 && one.top < other.bottom - 0.5 && other.top < one.bottom - 0.5)
          found.push(one.name + ' over ' + other.name)
    })
    return found
  })()
`

inChromium('a call arrives, its chart lights up, it is decided here, and its end is seen', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, house.key)
  await page.getByText('Nobody at the gate').waitFor()

  const visitor = house.visitor()
  const row = page.locator(`.live [data-call="${visitor.id}"]`)
  await row.getByText('Attending the visitor').waitFor()
  await page.evaluate(WATCH_CHART)
  await row.click()
  await page.locator('.chart[data-machine="call"] .state-attending.lit').waitFor()
  hurry(rig, house, visitor.id, (keys) => visitor.press(keys))
  await visitor.press('101#')
  await page.locator('.chart .state-reaching-searching.lit').waitFor()
  await page.getByRole('heading', { name: 'Unit 101' }).waitFor()
  await page.locator('kbd', { hasText: '#' }).first().waitFor()

  await page.getByRole('tab', { name: /Visitor's line/ }).click()
  await page.locator('.chart[data-machine="leg"] .state-connected.lit').waitFor()
  await page.getByRole('tab', { name: /^Call/ }).click()
  await page.locator('.chart .state-reaching-searching.lit').waitFor()

  // the meters move while somebody speaks
  void visitor.say(tone(3))
  await page.locator('.call-legs li.on [role="meter"]:not([aria-valuenow="0"])').waitFor()

  await page.getByRole('button', { name: 'Authorise' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Authorise' }).click()
  const { by } = await visitor.ended
  assert.is(by, 'server-hangup')
  assert.is((await house.ending(visitor.id)).outcome, 'authorized')
  await page.locator('.call-head', { hasText: 'Authorised' }).waitFor()
  await page.locator('.chart .state-ended.lit').waitFor()
  await page.locator(`.recent [data-call="${visitor.id}"]`, { hasText: 'Authorised' }).waitFor()
  const shown = (await page.evaluate('window.shown')) as string[]
  assert.is(shown[0], 'state-attending')
  const searching = shown.findIndex((name) => name.startsWith('state-reaching-searching'))
  assert.ok(searching > 0, shown.join())
  assert.ok(shown.findIndex((name) => name.startsWith('state-concluding')) > searching, shown.join())
  assert.is(shown.at(-1), 'state-ended')
  const [decision] = await house.service.database.query<{ decision: { via: string } }>(
    'select decision from calls where id = $1',
    [visitor.id],
  )
  assert.is(decision!.decision.via, 'api')
  assert.equal(complaints, [])
})

inChromium('a leg is hung up here, after a question', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house, { locale: 'pt-BR' })
  const { page } = here
  await logIn(here, house.key)
  const visitor = house.visitor()
  await page.locator(`.live [data-call="${visitor.id}"]`).click()
  const button = page.getByRole('button', { name: 'Desligar: Visitante' })
  await button.click()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  assert.is(house.service.calls?.find(visitor.id)?.legs.size, 1, 'whoever goes back has done nothing')
  await button.click()
  await page.getByRole('dialog').getByRole('button', { name: 'Desligar' }).click()
  assert.is((await visitor.ended).by, 'server-hangup')
  await page.locator('.call-head', { hasText: 'Visitante saiu' }).waitFor()
})

inChromium('a whole call is made with the phones of the page', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house)
  const { page, context, complaints } = here
  await context.grantPermissions(['microphone'])
  await logIn(here, house.key)
  await page.getByRole('link', { name: 'Phone', exact: true }).click()
  const visitor = page.locator('[data-phone="visitor"]')
  const resident = page.locator('[data-phone="resident"]')
  const press = async (phone: typeof visitor, keys: string) => {
    for (const key of keys) await phone.locator(`[data-key="${key}"]`).click()
  }
  await page.evaluate(`
    window.heard = { visitor: 0, resident: 0 }
    new MutationObserver(() => {
      for (const role of ['visitor', 'resident']) {
        const meters = document.querySelectorAll('[data-phone="' + role + '"] [role=meter]')
        window.heard[role] = Math.max(window.heard[role], Number(meters[1]?.getAttribute('aria-valuenow') ?? 0))
      }
    }).observe(document.body, { subtree: true, attributes: true })
  `)
  await visitor.locator('[data-action="dial"]').click()
  await visitor.locator('[data-key="1"]:enabled').waitFor()
  const href = await visitor.locator('a[href^="#/calls/"]').getAttribute('href')
  const id = href!.slice('#/calls/'.length)
  // the line stands before it is known whose call it is
  await house.noted(id, 'started')
  let recording = false
  const off = house.service.journal.subscribe(({ callId, kind, leg, data }) => {
    if (callId !== id) return
    const { actor, state } = data as { actor: string; state: string }
    if (kind === 'state') recording = actor === 'question' && state === 'recording'
    // questions are cut short, and answers as soon as the microphone was heard
    const goes = /^question asking|^call announcing/.test(`${actor} ${state}`)
    if (goes || (recording && kind === 'speech.started' && leg === 'visitor')) void press(visitor, '#')
  })
  rig.defer(off)
  await press(visitor, '101#')
  await resident.locator('[data-action="dial"]:enabled').waitFor()
  await house.noted(id, 'resident.wanted')
  await resident.locator('[data-action="dial"]').click()
  await house.noted(id, 'state', { actor: 'call', state: 'reaching.answered.consulting' })
  await picture(page, 'phone')
  await press(resident, '1')
  await visitor.getByText('Porteiro hung up.').waitFor()
  await resident.getByText('Porteiro hung up.').waitFor()
  assert.is((await house.ending(id)).outcome, 'authorized')
  const recorded = house.events.filter(({ callId, kind }) => callId === id && kind === 'recorded')
  assert.ok(
    recorded.some(({ data }) => (data as { heard: boolean }).heard),
    'nothing that the microphone heard came to the call',
  )
  const heard = (await page.evaluate('window.heard')) as Record<string, number>
  assert.ok(heard['visitor']! > 0 && heard['resident']! > 0, `nothing was heard: ${JSON.stringify(heard)}`)
  assert.equal(complaints, [])

  // what was recorded can be played from the call's own page
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/calls/${id}`)
  const audio = page.locator('.recordings audio').first()
  await audio.waitFor()
  const playable = await audio.evaluate(
    (element: {
      load(): void
      addEventListener(type: string, listener: (event: { type: string }) => void): void
    }) =>
      new Promise((resolve) => {
        for (const type of ['canplay', 'error'])
          element.addEventListener(type, (event) => resolve(event.type))
        element.load()
      }),
  )
  assert.is(playable, 'canplay')
})

inChromium('a dead letter is read with its trace, redriven, and gone', async (rig) => {
  const peer = await openPeer(rig)
  const house = await openService(rig, { settings: { EGRESS_ALLOW: '127.0.0.0/8' }, mayFail: true })
  const endpoint = await ask<{ endpoint: { id: string } }>(house, '/api/endpoints', { url: peer.url })
  const { id } = await ask<{ id: string }>(house, '/api/messages', {
    channel: 'webhook',
    to: endpoint.endpoint.id,
    body: { type: 'call.ended', timestamp: new Date().toISOString(), data: {} },
    maxRetries: 0,
  })
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, house.key)
  await page.getByRole('link', { name: 'Queue' }).click()
  const row = page.locator(`[data-message="${id}"]`)
  await row.getByText('call.ended').waitFor()
  await row.click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('422').first().waitFor()
  await dialog.getByText('DELIVERY_STATUS').first().waitFor()
  await picture(page, 'dead-letter')
  peer.accept()
  await dialog.getByRole('button', { name: 'Redrive' }).click()
  await dialog.locator('[data-status="sent"]').waitFor()
  await dialog.getByRole('button', { name: 'Close' }).click()
  await page.getByText('Nothing has failed').waitFor()
  assert.equal(complaints, [])
})

inChromium('markup in names and in what was understood is shown as text', async (rig) => {
  const house = houseOfAll()
  const evil = '<img src=x onerror="window.pwned=1">'
  const { database, calls } = house.service
  await database.query('update residents set name = $1 where name = $2', [evil, 'João Pedro Oliveira'])
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, house.key)
  const visitor = house.visitor()
  await house.noted(visitor.id, 'started')
  calls!
    .find(visitor.id)!
    .note('understood', 'visitor', { unit: evil, intent: '"><script>window.pwned=1</script>' })
  calls!.find(visitor.id)!.note(evil, null, { [evil]: evil })
  await page.locator(`.live [data-call="${visitor.id}"]`).click()
  await page.locator('.turn .text', { hasText: evil }).waitFor()
  await page.getByRole('button', { name: /^Journal/ }).click()
  await page.locator('.journal-row b', { hasText: evil }).waitFor()
  await page.getByRole('link', { name: 'Directory' }).click()
  await page.locator('[data-unit="102"]', { hasText: evil }).click()
  assert.is(await page.getByRole('dialog').getByLabel('Name', { exact: true }).inputValue(), evil)
  assert.is(await page.evaluate('window.pwned'), undefined)
  assert.is(await page.locator('img[src="x"]').count(), 0)
  assert.equal(complaints, [])
  visitor.hangUp()
  await house.ending(visitor.id)
})

inChromium('keys and endpoints are made here, and each secret is shown once', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, house.key)
  await page.getByRole('link', { name: 'Keys' }).click()
  await page.locator('#key-name').fill('night shift')
  await page.locator('#key-scope').selectOption('operate')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  const made = await page.locator('.secret').innerText()
  assert.match(made, /^ptr_/)
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await page.locator('.secret').waitFor({ state: 'detached' })
  await page
    .getByRole('row', { name: /night shift/ })
    .getByRole('button', { name: 'Revoke' })
    .click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
  await page.getByRole('row', { name: /night shift.*revoked/ }).waitFor()

  await page.getByRole('link', { name: 'Endpoints' }).click()
  await page.locator('#endpoint-url').fill('https://hooks.example/porteiro')
  await page.getByLabel('call.ended').check()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  const first = await page.locator('.secret').innerText()
  assert.match(first, /^whsec_/)
  const row = page.getByRole('row', { name: /hooks\.example/ })
  await row.getByText('call.ended').waitFor()
  await row.getByRole('button', { name: 'Rotate secret' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click()
  await page.locator('.secret', { hasNotText: first }).waitFor()
  await row.getByRole('button', { name: 'Disable' }).click()
  await row.getByRole('button', { name: 'Enable' }).waitFor()
  await row.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('No endpoint', { exact: true }).waitFor()
  assert.equal(complaints, [])
})

inChromium(
  'a key that may only look is offered nothing else, and told nothing of other tenants',
  async (rig) => {
    const house = houseOfAll()
    const key = await createKey(house.service.database, {
      tenantId: 'default',
      name: 'guard',
      scopes: ['read'],
    })
    const here = await visit(rig, house)
    const { page, complaints } = here
    await logIn(here, key.plain)
    const visitor = house.visitor()
    await page.locator(`.live [data-call="${visitor.id}"]`).click()
    await page.locator('.chart .state-attending.lit').waitFor()
    assert.is(await page.getByRole('button', { name: /Authorise|Deny|Hang up|Say/ }).count(), 0)
    await page.getByRole('link', { name: 'Phone', exact: true }).click()
    await page.getByText('It needs a key with the scope operate.').waitFor()
    await page.getByRole('link', { name: 'Keys' }).click()
    await page.getByText('For administrators only').waitFor()
    await page.getByRole('link', { name: 'Directory' }).click()
    await page.locator('[data-unit="101"]').waitFor()
    assert.is(await page.getByRole('button', { name: /New|Import|Delete/ }).count(), 0)
    await page.getByRole('link', { name: 'Health' }).click()
    await page.getByRole('heading', { name: 'Service' }).waitFor()
    assert.is(
      await page.getByRole('heading', { name: 'Postgres' }).count(),
      0,
      'what it was not told is not shown',
    )
    assert.equal(complaints, [])
    visitor.hangUp()
    await house.ending(visitor.id)
  },
)

inChromium('a key that does not open says so, and a session that ends leads to the login', async (rig) => {
  const house = houseOfAll()
  const here = await visit(rig, house)
  const { page } = here
  await page.locator('#key').fill('wrong')
  await page.keyboard.press('Enter')
  await page.getByText('This key does not exist or has been revoked.').waitFor()
  await page.locator('#key').fill('')
  await logIn(here, house.key)
  await page.reload()
  await page.locator('nav').waitFor()
  await here.context.clearCookies()
  // whichever asks first: this view, or the page by itself, which may lead to the login before the click
  await page.evaluate(`location.hash = '#/keys'`)
  await page.locator('#key').waitFor()
})

inChromium(
  'keyboard alone reaches a call and hangs it up; both languages and all colours can be had',
  async (rig) => {
    const house = houseOfAll()
    const here = await visit(rig, house)
    const { page } = here
    await logIn(here, house.key)
    const visitor = house.visitor()
    await page.locator(`.live [data-call="${visitor.id}"]`).waitFor()
    await tabTo(page, `[data-call="${visitor.id}"]`)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'No unit yet' }).waitFor()
    await tabTo(page, '.call-legs button')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Enter')
    assert.is((await visitor.ended).by, 'server-hangup')

    await page.getByRole('button', { name: 'Português' }).click()
    await page.getByRole('link', { name: 'Chamadas' }).first().waitFor()
    assert.is(await page.locator('html').getAttribute('lang'), 'pt-BR')
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const light = await ground()
    await page.getByRole('button', { name: /^Tema/ }).click()
    await page.getByRole('button', { name: /^Tema: claro/ }).click()
    await page.locator('html[data-theme="dark"]').waitFor()
    assert.is.not(await ground(), light)
    await page.reload()
    await page.locator('html[data-theme="dark"][lang="pt-BR"]').waitFor()
  },
)

inChromium('thousands of calls are a few rows, and one that arrives moves nothing', async (rig) => {
  const house = await openService(rig)
  await writeBatch(house.service.database, {
    calls: Array.from({ length: 3000 }, (_, index) => endedCall(index)),
    events: [],
  })
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  const rows = page.locator('.recent [data-row]')
  await rows.first().waitFor()
  const first = house.visitor()
  await page.locator(`.live [data-call="${first.id}"]`).waitFor()
  await page.evaluate(`
    window.shift = 0
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shift += entry.value
    }).observe({ type: 'layout-shift' })
  `)
  const second = house.visitor()
  await page.locator(`.live [data-call="${second.id}"]`).waitFor()
  // the end of the list asks for the part before it, several times over
  const height = () => page.evaluate(`document.querySelector('.recent .list').scrollHeight`)
  for (let part = 0; part < 4; part++) {
    const known = await height()
    await page.evaluate(`document.querySelector('.recent .list').scrollTo(0, ${known})`)
    await eventually(async () => ((await height()) !== known ? true : undefined))
  }
  assert.ok((await rows.count()) < 60, `${await rows.count()} rows`)
  // a clock that becomes one digit wider scores 0.0001; a row that pushes others scores a hundred times that
  assert.ok((await page.evaluate<number>('window.shift')) < 0.001)
  for (const { id, hangUp } of [first, second]) {
    hangUp()
    await house.ending(id)
  }
})

inChromium('every view fits, wide and narrow, light and dark', async (rig) => {
  const house = await openService(rig, { settings: { CLICKTOCALL_RING_SECONDS: '120' } })
  const over = await house.rung({ unit: '203' })
  over.hangUp()
  await house.ending(over.id)
  const live = await house.rung()
  const address = `http://127.0.0.1:${house.service.ports.api}/`
  for (const [size, look] of Object.entries({
    wide: { width: 1440, height: 900 },
    narrow: { width: 390, height: 844 },
  })) {
    const here = await visit(rig, house, { ...look, locale: 'pt-BR' })
    const { page, context, complaints } = here
    await logIn(here, house.key)
    for (const [view, seen] of Object.entries({
      calls: `.live [data-call="${live.id}"] .unit:text-is("101")`,
      [`calls/${live.id}`]: '.chart .state-reaching-searching.lit',
      queue: '.tiles',
      directory: '[data-unit="101"]',
      endpoints: 'form',
      keys: '.empty',
      health: '.facts-list',
      phone: '.keypad',
    })) {
      await page.goto(`${address}#/${view}`)
      await page.locator(seen).first().waitFor()
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        const wider = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
        const name = `${size}-${colorScheme}`
        assert.ok((wider as number) <= 0, `${view} is ${wider} px too wide, ${name}`)
        const shot = `${name}-${view.includes('/') ? 'call' : view}`
        if (PICTURES.has(shot)) await picture(page, shot)
      }
    }
    assert.equal(complaints, [], size)
    await context.close()
  }
  live.hangUp()
  await house.ending(live.id)
})

inChromium('the head of the page holds at every width, with a message that failed', async (rig) => {
  const peer = await openPeer(rig)
  const house = await openService(rig, { settings: { EGRESS_ALLOW: '127.0.0.0/8' }, mayFail: true })
  const { endpoint } = await ask<{ endpoint: { id: string } }>(house, '/api/endpoints', { url: peer.url })
  await ask(house, '/api/messages', {
    channel: 'webhook',
    to: endpoint.id,
    body: { type: 'call.ended', timestamp: new Date().toISOString(), data: {} },
    maxRetries: 0,
  })
  const { database } = house.service
  await eventually(async () => {
    const failed = await database.query("select 1 from messages where status = 'failed'")
    return failed.length > 0 || undefined
  })
  for (const locale of ['pt-BR', 'en-US'] as const) {
    const here = await visit(rig, house, { width: 1280, locale })
    const { page, context } = here
    await logIn(here, house.key)
    const words = locale === 'en-US' ? 'Some messages have failed' : 'Há mensagens que falharam'
    await page.locator(`.wellness.warn[title="${words}"]`).waitFor()
    assert.is(await page.getByText(words).count(), 1, 'it is said once')
    for (const width of [390, 481, 600, 861, 1024, 1180, 1181, 1280, 1300, 1301, 1366, 1440, 1539, 1540]) {
      await page.setViewportSize({ width, height: 900 })
      assert.equal(await page.evaluate(OVERLAPS), [], `${width} px, ${locale}`)
    }
    await context.close()
  }
})

/** So many seconds of 400 Hz at 8 kHz, near -15 dBFS. */
function tone(seconds: number): Buffer {
  const pcm = Buffer.alloc(seconds * SAMPLE_RATE * 2)
  for (let at = 0; at < pcm.length / 2; at++)
    pcm.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 400 * at) / SAMPLE_RATE)), at * 2)
  return pcm
}

/** Goes on with # wherever the visitor is asked, as soon as they are. */
function hurry(rig: Rig, house: House, id: string, press: (keys: string) => unknown): void {
  const off = house.service.journal.subscribe(({ callId, kind, data }) => {
    const { actor, state } = data as { actor: string; state: string }
    if (callId !== id || kind !== 'state') return
    if (/^question (asking|recording)|^call announcing/.test(`${actor} ${state}`)) void press('#')
  })
  rig.defer(off)
}

async function tabTo(
  page: { keyboard: { press(key: string): Promise<void> }; evaluate(script: string): Promise<unknown> },
  selector: string,
) {
  for (let step = 0; step < 60; step++) {
    if (await page.evaluate(`document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab never reaches ${selector}`)
}

/** An endpoint that refuses until it is told to accept. */
async function openPeer(rig: Rig) {
  let status = 422
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(status).end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.defer(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/hook`,
    accept: () => {
      status = 200
    },
  }
}

async function ask<Answer>(house: House, path: string, body: unknown): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${house.service.ports.api}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as Answer
  assert.ok(response.ok, JSON.stringify(answer))
  return answer
}

function endedCall(index: number): CallRow {
  const startedAt = new Date(Date.now() - (index + 1) * 60_000)
  return {
    id: randomUUID(),
    tenantId: 'default',
    nodeId: 'test',
    gate: null,
    unitId: null,
    unitNumber: '101',
    state: 'ended',
    startedAt,
    endedAt: new Date(startedAt.getTime() + 30_000),
    outcome: 'unanswered',
    reason: 'nobody',
    decision: null,
    durations: null,
  }
}

test.run()
