import { request } from 'node:http'
import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { listKeys, revokeKey } from '../../src/http/sql/keys.ts'
import { fail } from '../../src/platform/errors.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { ADMIN_KEY, type Answer, asker, openSite, refused } from '../rig/http-rig.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('http: keys and sessions')

test('each scope opens its own routes and those below it', async (rig) => {
  const { as, ask } = await openSite(rig)
  const read = await as('default', 'read')
  const operate = await as('default', 'operate')
  const admin = await as('default', 'admin')
  const table = [
    { path: '/api/calls', method: 'GET', body: undefined, lowest: 0 },
    { path: '/api/refresh', method: 'POST', body: {}, lowest: 1 },
    { path: '/api/keys', method: 'GET', body: undefined, lowest: 2 },
  ]
  for (const { path, method, body, lowest } of table) {
    for (const [held, { ask }] of [read, operate, admin].entries()) {
      const answer = await ask(path, { method, ...(body && { body }) })
      if (held < lowest) refused(answer, 403, 'KEY_SCOPE')
      else assert.is(answer.status, 200, `${path} with scope ${held}: ${answer.text}`)
    }
    refused(await ask(path, { method, key: null }), 401, 'KEY_MISSING')
    refused(await ask(path, { method, key: 'ptr_nonsense' }), 401, 'KEY_INVALID')
    assert.is((await ask(path, { method, ...(body && { body }) })).status, 200)
  }
  refused(await admin.ask('/metrics'), 403, 'KEY_TENANT')
  assert.is((await ask('/metrics')).text, 'up 1\n')
  refused(await ask('/metrics', { key: null }), 401, 'KEY_MISSING')
})

test('a header that is no bearer key is a missing one, whatever it holds', async (rig) => {
  const { ask } = await openSite(rig)
  for (const authorization of [
    'Basic YTpi',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    `Bearer ${'x'.repeat(201)}`,
  ]) {
    refused(await ask('/api/calls', { key: null, headers: { authorization } }), 401, 'KEY_MISSING')
  }
  // the header is what counts: a cookie does not mend it
  const cookie = `porteiro_session=${ADMIN_KEY}`
  refused(
    await ask('/api/calls', { key: null, headers: { authorization: 'Basic YTpi', cookie } }),
    401,
    'KEY_MISSING',
  )
})

test('a revoked key opens nothing, by header or cookie, and its last use is noted', async (rig) => {
  const { as, ask, database } = await openSite(rig)
  const key = await as('default', 'read')
  const cookie = `porteiro_session=${key.plain}`
  assert.is((await key.ask('/api/calls')).status, 200)
  assert.is((await ask('/api/calls', { key: null, headers: { cookie } })).status, 200)
  await eventually(async () => {
    const row = (await listKeys(database)).find(({ id }) => id === key.id)
    return row?.lastUsedAt ?? undefined
  })
  assert.is(await revokeKey(database, key.id), true)
  refused(await key.ask('/api/calls'), 401, 'KEY_INVALID')
  const stale = await ask('/api/calls', { key: null, headers: { cookie } })
  refused(stale, 401, 'KEY_INVALID')
  assert.match(String(stale.headers['set-cookie']), /porteiro_session=;.*Expires=Thu, 01 Jan 1970/)
})

test('keys are created, listed and revoked over the API, and shown once', async (rig) => {
  const { ask, as, port } = await openSite(rig)
  const made = await ask('/api/keys', {
    body: { name: 'Prometheus', scopes: ['read', 'read'], tenant: null },
  })
  assert.is(made.status, 201)
  assert.match(made.body.key, /^ptr_[\w-]{43}$/)
  assert.equal([made.body.tenantId, made.body.scopes], [null, ['read']])
  const theirs = asker(port, made.body.key)
  assert.is((await theirs('/metrics')).status, 200)
  const listed = await ask('/api/keys')
  assert.not.match(listed.text, new RegExp(made.body.key))
  assert.ok(listed.body.items.some((row: { id: string }) => row.id === made.body.id))

  const admin = await as('other', 'admin')
  refused(
    await admin.ask('/api/keys', { body: { name: 'x', scopes: ['read'], tenant: null } }),
    403,
    'KEY_TENANT',
  )
  refused(
    await admin.ask('/api/keys', { body: { name: 'x', scopes: ['read'], tenant: 'default' } }),
    404,
    'TENANT_UNKNOWN',
  )
  const own = await admin.ask('/api/keys', { body: { name: 'x', scopes: ['operate'] } })
  assert.equal([own.status, own.body.tenantId], [201, 'other'])
  refused(await admin.ask(`/api/keys/${made.body.id}`, { method: 'DELETE' }), 404, 'KEY_UNKNOWN')
  assert.equal(
    (await admin.ask('/api/keys')).body.items.every((row: { tenantId: string }) => row.tenantId === 'other'),
    true,
  )
  refused(await ask('/api/keys', { body: { name: 'x', scopes: [] } }), 400, 'BODY_INVALID')
  refused(await ask('/api/keys', { body: { name: 'x', scopes: ['root'] } }), 400, 'BODY_INVALID')
  refused(
    await ask('/api/keys', { body: { name: 'x', scopes: ['read'], tenant: 'nobody' } }),
    404,
    'TENANT_UNKNOWN',
  )
  refused(await ask('/api/keys/7', { method: 'DELETE' }), 400, 'BODY_INVALID')
  assert.is((await ask(`/api/keys/${made.body.id}`, { method: 'DELETE' })).status, 204)
  refused(await ask(`/api/keys/${made.body.id}`, { method: 'DELETE' }), 404, 'KEY_UNKNOWN')
  refused(await theirs('/metrics'), 401, 'KEY_INVALID')
})

const cookieOf = (answer: Answer) => String(answer.headers['set-cookie'])

test('a login makes a cookie that no script reads, and a change needs its token', async (rig) => {
  const { ask, as, commands } = await openSite(rig)
  const { plain } = await as(null, 'operate')
  refused(await ask('/api/session', { key: null, body: { key: 'wrong' } }), 401, 'KEY_INVALID')
  refused(await ask('/api/session', { key: null, body: {} }), 400, 'BODY_INVALID')
  const login = await ask('/api/session', { key: null, body: { key: plain } })
  assert.is(login.status, 200)
  assert.equal([login.body.tenantId, login.body.scopes], [null, ['operate']])
  for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/'])
    assert.ok(cookieOf(login).includes(part), part)
  assert.not.ok(cookieOf(login).includes('Secure'))
  assert.not.match(login.text, new RegExp(plain))

  const cookie = cookieOf(login).split(';')[0]!
  const { csrf } = login.body
  const by = (headers: Record<string, string>, method = 'POST', body: unknown = hangup) =>
    ask('/api/hangup', { key: null, method, body, headers: { cookie, ...headers } })
  const hangup = { call_id: crypto.randomUUID(), role: 'visitor' }
  refused(await by({}), 403, 'CSRF_REFUSED')
  refused(await by({ 'x-csrf-token': `${csrf}x` }), 403, 'CSRF_REFUSED')
  refused(await by({ 'x-csrf-token': '' }), 403, 'CSRF_REFUSED')
  assert.is(commands.length, 0)
  assert.is((await by({ 'x-csrf-token': csrf })).status, 200)
  assert.is(commands.length, 1)

  const again = await ask('/api/session', { key: null, headers: { cookie } })
  assert.is(again.body.csrf, csrf)
  refused(await ask('/api/session', { key: null }), 401, 'KEY_MISSING')
  refused(
    await ask('/api/session', { key: null, method: 'DELETE', headers: { cookie } }),
    403,
    'CSRF_REFUSED',
  )
  const logout = await ask('/api/session', {
    key: null,
    method: 'DELETE',
    headers: { cookie, 'x-csrf-token': csrf },
  })
  assert.equal([logout.status, logout.text], [204, ''])
  assert.match(cookieOf(logout), /porteiro_session=;.*Expires=Thu, 01 Jan 1970/)
  // the session ended on the server: whoever kept the cookie has nothing
  refused(await ask('/api/session', { key: null, headers: { cookie } }), 401, 'KEY_INVALID')
  refused(await by({ 'x-csrf-token': csrf }), 401, 'KEY_INVALID')
})

test('the cookie of a session is no key, and is worth nothing in another place', async (rig) => {
  const { ask, as } = await openSite(rig)
  const { id, plain } = await as('default', 'operate')
  const login = await ask('/api/session', { key: null, body: { key: plain } })
  const cookie = cookieOf(login).split(';')[0]!
  const value = cookie.split('=')[1]!
  assert.not.match(cookie, new RegExp(plain))
  refused(await ask('/api/calls', { key: value }), 401, 'KEY_INVALID')
  refused(await ask('/api/session', { key: null, body: { key: value } }), 401, 'KEY_INVALID')
  assert.is((await ask('/api/calls', { key: null, headers: { cookie } })).status, 200)
  assert.is((await ask(`/api/keys/${id}`, { method: 'DELETE' })).status, 204)
  refused(await ask('/api/calls', { key: null, headers: { cookie } }), 401, 'KEY_INVALID')
})

test('a session of API_KEY ends when API_KEY is changed', async (rig) => {
  const { ask, database } = await openSite(rig)
  const login = await ask('/api/session', { key: null, body: { key: ADMIN_KEY } })
  const headers = { cookie: cookieOf(login).split(';')[0]! }
  assert.is((await ask('/api/session', { key: null, headers })).body.name, 'API_KEY')
  const changed = await openSite(rig, { furnished: database, adminKey: 'another-key-of-the-configuration' })
  refused(await changed.ask('/api/session', { key: null, headers }), 401, 'KEY_INVALID')
})

test('forged cookies open nothing', async (rig) => {
  const { ask } = await openSite(rig)
  for (const value of [
    '',
    '1',
    'null',
    'true',
    '%00',
    '%',
    'a'.repeat(300),
    `${ADMIN_KEY}x`,
    '{"scopes":["admin"]}',
  ]) {
    const { status } = await ask('/api/calls', {
      key: null,
      headers: { cookie: `porteiro_session=${value}` },
    })
    assert.is(status, 401, value)
  }
  // the right value under another name, and behind a wrong one
  refused(
    await ask('/api/calls', { key: null, headers: { cookie: `session=${ADMIN_KEY}` } }),
    401,
    'KEY_MISSING',
  )
})

test('behind a trusted proxy the cookie is for https only, and addresses are distinguished', async (rig) => {
  const { ask } = await openSite(rig, { trustProxy: ['127.0.0.0/8'] })
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' }
  const login = await ask('/api/session', { key: null, body: { key: ADMIN_KEY }, headers })
  assert.ok(cookieOf(login).includes('Secure'))
  let guess = 0
  const wrong = (from: string) =>
    ask('/api/calls', { key: `ptr_wrong${guess++}`, headers: { 'x-forwarded-for': from } })
  let last = await wrong('203.0.113.9')
  for (let at = 0; at < 25; at++) last = await wrong('203.0.113.9')
  refused(last, 429, 'AUTH_RATE_LIMITED')
  refused(await wrong('203.0.113.10'), 401, 'KEY_INVALID')
})

test('wrong keys are bounded by address, many at once too; a key that was right goes on', async (rig) => {
  const { ask, as } = await openSite(rig)
  const known = await as('default', 'read')
  assert.is((await known.ask('/api/calls')).status, 200)
  const tries = await Promise.all(
    Array.from({ length: 60 }, (_, at) => ask('/api/calls', { key: `ptr_wrong${at}` })),
  )
  const statuses = tries.map(({ status }) => status)
  assert.is(statuses.filter((status) => status === 401).length, 20)
  assert.is(statuses.filter((status) => status === 429).length, 40)
  const limited = tries.find(({ status }) => status === 429)!
  refused(limited, 429, 'AUTH_RATE_LIMITED')
  const wait = Number(limited.headers['retry-after'])
  assert.ok(wait > 0 && wait <= 60, `retry-after ${wait}`)
  // without X-Forwarded-For being trusted, another name changes nothing
  const headers = { 'x-forwarded-for': '203.0.113.1' }
  refused(await ask('/api/calls', { key: 'ptr_another', headers }), 429, 'AUTH_RATE_LIMITED')
  refused(await ask('/api/session', { key: null, body: { key: 'ptr_another' } }), 429, 'AUTH_RATE_LIMITED')
  assert.is((await known.ask('/api/calls')).status, 200)
  refused(await ask('/api/calls', { key: null }), 401, 'KEY_MISSING')
})

test('a program that goes on with an old key locks nobody out', async (rig) => {
  const { ask, as } = await openSite(rig)
  for (let at = 0; at < 60; at++) refused(await ask('/api/calls', { key: 'ptr_old' }), 401, 'KEY_INVALID')
  assert.is((await (await as('default', 'read')).ask('/api/calls')).status, 200)
})

test('many requests with one right key at once are one check', async (rig) => {
  const { as } = await openSite(rig)
  const { ask } = await as('default', 'read')
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask('/api/tenants')))
  assert.equal([...new Set(answers.map(({ status }) => status))], [200])
})

test('while the database is away nobody learns where it is, and the key of the configuration still counts', async (rig) => {
  const away = async (): Promise<never> => {
    throw fail('DATABASE_UNREACHABLE', { reason: 'connect ECONNREFUSED', host: 'db.internal', port: 5432 })
  }
  const database = { query: away, transaction: away } as unknown as Database
  const { port } = await openSite(rig, { database })
  const ask = asker(port, null)
  for (let at = 0; at < 30; at++) {
    const answer = await ask('/api/calls', { key: `ptr_any${at}` })
    refused(answer, 503, 'AUTH_UNAVAILABLE')
    assert.not.match(answer.text, /db\.internal|5432|ECONN/)
    assert.equal(answer.body.error.details, {})
  }
  assert.is((await ask('/api/status', { key: ADMIN_KEY })).status, 200)
  const known = await ask('/api/tenants', { key: ADMIN_KEY })
  refused(known, 503, 'DATABASE_UNREACHABLE')
})

test('every answer has its security headers and the id of its request', async (rig) => {
  const { ask } = await openSite(rig)
  const ids = new Set<unknown>()
  for (const path of ['/api/calls', '/healthz', '/nothing', '/openapi.json', '/api/%ff']) {
    const { headers } = await ask(path)
    assert.match(String(headers['content-security-policy']), /default-src 'none'/)
    assert.is(headers['x-content-type-options'], 'nosniff')
    assert.is(headers['x-frame-options'], 'SAMEORIGIN')
    assert.is(headers['referrer-policy'], 'no-referrer')
    assert.is(headers['cache-control'], 'no-store', path)
    assert.is(headers['server'] ?? headers['x-powered-by'], undefined)
    ids.add(headers['x-request-id'])
  }
  assert.is(ids.size, 5)
})

test('paths that try to leave are unknown ones', async (rig) => {
  const { ask } = await openSite(rig)
  for (const path of [
    '/../package.json',
    '/docs/static/../../package.json',
    '/docs/static/..%2f..%2fpackage.json',
    '/docs/static/%2e%2e/%2e%2e/package.json',
    '/api/calls/..%2f..%2fkeys',
    '/openapi.json/..',
    '//etc/passwd',
    '/docs/static/..\\..\\package.json',
    '/%00',
  ]) {
    const { status, text } = await ask(path)
    assert.ok(status === 400 || status === 404, `${path} gave ${status}`)
    assert.not.match(text, /"dependencies"|root:/, path)
  }
})

/** Asks for a WebSocket; resolves with the status of the answer. */
function upgrade(port: number, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({
      port,
      host: '127.0.0.1',
      path: '/api/socket',
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    })
    sent.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy()
      resolve(statusCode!)
    })
    sent.on('response', (response) => {
      response.resume().once('end', () => resolve(response.statusCode!))
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('a WebSocket by cookie is opened from our own origin only', async (rig) => {
  const { port } = await openSite(rig, {
    extras: [
      async (app) =>
        app.get(
          '/api/socket',
          { websocket: true, config: { scope: 'read' }, schema: { hide: true } },
          (socket) => socket.close(1000),
        ),
    ],
  })
  const cookie = `porteiro_session=${ADMIN_KEY}`
  assert.is(await upgrade(port, { cookie, origin: `http://127.0.0.1:${port}` }), 101)
  for (const origin of ['http://evil.example', `http://127.0.0.1:${port + 1}`, 'null', '']) {
    assert.is(await upgrade(port, { cookie, origin }), 403, origin)
  }
  assert.is(await upgrade(port, { cookie }), 403)
  assert.is(await upgrade(port, {}), 401)
  assert.is(await upgrade(port, { authorization: `Bearer ${ADMIN_KEY}` }), 101)
})

test('a request that is not HTTP gets an error in the usual form, and its connection ends', async (rig) => {
  const { port } = await openSite(rig)
  for (const garbage of [
    '\0\x01\x02\r\n\r\n',
    'GET\r\n\r\n',
    `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`,
  ]) {
    const socket = connect(port, '127.0.0.1')
    rig.defer(() => socket.destroy())
    socket.on('error', () => {})
    socket.write(garbage)
    let text = ''
    socket.setEncoding('utf8').on('data', (part) => {
      text += part
    })
    await new Promise((resolve) => socket.once('close', resolve))
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.is(JSON.parse(text.split('\r\n\r\n')[1]!).error.code, 'REQUEST_MALFORMED')
  }
})

test.run()
