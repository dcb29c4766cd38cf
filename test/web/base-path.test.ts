import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as assert from 'uvu/assert'
import { logIn, openPage, withChromium } from '../rig/page-rig.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('base path', { timeout: 300_000 })
const inChromium = withChromium(test)

const BASE = '/portaria/norte'
const houseOfAll = test.share((rig) => openService(rig, { settings: { BASE_PATH: BASE } }))

/**
 * A reverse proxy that serves the service at BASE; resolves with its origin, and the paths outside of BASE that were asked
 * for, which it answers with 404.
 */
async function openProxy(rig: Rig, port: number, { strips }: { strips: boolean }) {
  const strays: string[] = []
  const pathOf = (url = '') => {
    if (url !== BASE && !url.startsWith(`${BASE}/`)) return void strays.push(url)
    return strips ? url.slice(BASE.length) || '/' : url
  }
  const pass = ({ method, headers }: IncomingMessage, path: string) =>
    request({ host: '127.0.0.1', port, method, path, headers, agent: false })
  const server = createServer((asked, reply) => {
    const path = pathOf(asked.url)
    if (path === undefined) return void reply.writeHead(404).end()
    // as nginx does where it strips a location
    if (strips && asked.url === BASE) return void reply.writeHead(301, { location: `${BASE}/` }).end()
    const passed = pass(asked, path)
    passed.on('response', (answer) => {
      reply.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(reply)
    })
    passed.on('error', () => reply.destroy())
    reply.on('close', () => passed.destroy())
    asked.pipe(passed)
  })
  server.on('upgrade', (asked, socket) => {
    const path = pathOf(asked.url)
    if (path === undefined) return void socket.destroy()
    const passed = pass(asked, path)
    passed.on('upgrade', ({ rawHeaders }, other) => {
      const lines = rawHeaders.map((text, index) => text + (index % 2 ? '\r\n' : ': '))
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`)
      socket.pipe(other).pipe(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => other.destroy())
      other.on('error', () => socket.destroy())
      rig.defer(() => socket.destroy())
    })
    passed.on('error', () => socket.destroy())
    passed.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  rig.defer(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, strays }
}

for (const strips of [false, true]) {
  const proxy = strips ? 'strips the prefix' : 'passes the prefix on'
  inChromium(`page, events, telephone, inspector and API work behind a proxy that ${proxy}`, async (rig) => {
    const house = houseOfAll()
    const { origin, strays } = await openProxy(rig, house.service.ports.api!, { strips })
    const here = await openPage(rig, `${origin}${BASE}`)
    const { page, context, complaints } = here
    assert.is(page.url(), `${origin}${BASE}/`)
    await logIn(here, house.key)
    const [cookie] = await context.cookies(`${origin}${BASE}/`)
    assert.is(cookie!.path, `${BASE}/`)
    assert.equal(await context.cookies(origin), [], 'of this prefix only')

    await context.grantPermissions(['microphone'])
    await page.getByRole('link', { name: 'Phone', exact: true }).click()
    const phone = page.locator('[data-phone="visitor"]')
    await phone.locator('[data-action="dial"]').click()
    await phone.locator('[data-key="1"]:enabled').waitFor()
    const href = await phone.locator('a[href^="#/calls/"]').getAttribute('href')
    await page.reload()
    assert.is((await house.ending(href!.slice('#/calls/'.length))).outcome, 'abandoned')

    await page.getByRole('link', { name: 'Calls', exact: true }).click()
    const visitor = house.visitor()
    await page.locator(`.live [data-call="${visitor.id}"]`).click()
    await page.locator('.chart .state-attending.lit').waitFor()
    visitor.hangUp()
    await house.ending(visitor.id)
    await page.getByRole('link', { name: 'Inspector' }).first().click()
    await page.waitForURL((url) => url.pathname === `${BASE}/inspector`)
    // who says nothing is let go soon, so the next one calls when the page is there
    const watched = house.visitor()
    await page.locator(`a[href="#/live/${watched.id}"]`).click()
    await page.locator('.chart[data-machine=call] .state-attending.lit').waitFor()
    watched.hangUp()
    await house.ending(watched.id)

    await page.goto(`${origin}${BASE}/docs`)
    await page.locator('.info .title', { hasText: 'Porteiro' }).waitFor()
    await page.locator('.servers option', { hasText: BASE }).waitFor({ state: 'attached' })
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(origin + path, {
        redirect: 'manual',
        signal: rig.signal,
        headers: { authorization: `Bearer ${house.key}` },
        ...init,
      })
    const moved = await ask(`${BASE}/docs/static/index.html`)
    assert.is(moved.headers.get('location'), `${BASE}/docs/`)
    const { servers } = (await (await ask(`${BASE}/openapi.json`)).json()) as { servers: unknown }
    assert.equal(servers, [{ url: BASE }])
    const ticket = (await (await ask(`${BASE}/api/inspector/tickets`, jsonOf(house.key))).json()) as {
      url: string
    }
    assert.ok(ticket.url.startsWith(`${BASE}/inspector/stately?ticket=`))
    assert.is((await ask(`${BASE}/api/calls/${visitor.id}`)).status, 200)
    assert.is((await ask(`${BASE}x/api/calls`)).status, 404)
    assert.equal(
      strays.filter((path) => path !== `${BASE}x/api/calls`),
      [],
      'nothing was asked for outside of the prefix',
    )
    assert.equal(complaints, [])
  })
}

const jsonOf = (key: string) => ({
  method: 'POST',
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  body: '{}',
})

test.run()
