import { createServer } from 'node:net'
import * as assert from 'uvu/assert'
import { createEgressGuard } from '../../src/platform/http-client/egress-guard.ts'
import { refusalOf, retryAfter } from '../../src/platform/http-client/undelivered.ts'
import { openClient, startPeer, undeliveredBy } from '../rig/channels-peer.ts'
import { deadPort } from '../rig/ports.ts'
import { suite } from '../rig/rig.ts'

const test = suite('channels: egress')

const METADATA = 'http://169.254.169.254/latest/meta-data/'

test('a request arrives as it was sent, and the connection is used again', async (rig) => {
  const peer = await startPeer(rig, (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'retry-after': '7' }).end('{"ok":true}')
  })
  const http = openClient(rig)
  for (const body of ['one', 'two', 'three', 'four', 'five', 'six']) {
    const answer = await http.post(`${peer.url}/a?b=c`, { body, headers: { 'x-mine': 'yes' } })
    assert.is(answer.status, 200)
    assert.is(answer.body, '{"ok":true}')
    assert.is(answer.retryAfterMs, 7000)
  }
  assert.equal(
    peer.received
      .slice(0, 2)
      .map(({ method, path, body, headers }) => [method, path, body, headers['x-mine']]),
    [
      ['POST', '/a?b=c', 'one', 'yes'],
      ['POST', '/a?b=c', 'two', 'yes'],
    ],
  )
  // the second may come before the first connection is known to be free
  assert.ok(peer.connections() <= 2, `${peer.connections()} connections`)
})

test('addresses that are not public are refused, however they are written', () => {
  const { allows } = createEgressGuard({ allow: [] })
  for (const address of [
    '127.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '168.63.129.16',
    '169.254.169.254',
    '100.64.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
    '2001:0:53aa::1',
    'fe80::1',
    'fe80::1%lo',
    'fec0::1',
    'fd00:ec2::254',
    'ff02::1',
    '2001:db8::1',
    'no address',
  ]) {
    assert.not.ok(allows(address), address)
  }
  for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8']) assert.ok(allows(address), address)
})

test('EGRESS_ALLOW opens what it names and nothing beside it', () => {
  const { allows } = createEgressGuard({ allow: ['192.168.7.0/24', '10.0.0.5', 'fd12::/64'] })
  for (const address of ['192.168.7.9', '10.0.0.5', '::ffff:192.168.7.9', 'fd12::1'])
    assert.ok(allows(address), address)
  for (const address of ['192.168.8.9', '10.0.0.6', 'fd13::1', '127.0.0.1'])
    assert.not.ok(allows(address), address)
  assert.throws(() => createEgressGuard({ allow: ['10.0.0.0/40'] }), /problem/)
})

test('hosts that are written as an address are refused in every spelling', async (rig) => {
  const peer = await startPeer(rig)
  const http = openClient(rig, { allow: [] })
  for (const host of [
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ]) {
    const error = await undeliveredBy(http.post(`http://${host}:${peer.port}/`))
    assert.is(error.code, 'EGRESS_REFUSED', host)
    assert.ok(error.final)
    assert.not.ok(error.uncertain)
  }
  assert.is(peer.connections(), 0)
})

test('a name is refused by the address it resolves to, and connects to the address that was checked', async (rig) => {
  const peer = await startPeer(rig)
  const names = {
    'inside.example': '127.0.0.1',
    'both.example': ['10.9.9.9', '127.0.0.1'],
    'rebinds.example': '127.0.0.1',
  }
  const strict = openClient(rig, { allow: [], names })
  for (const host of ['inside.example', 'both.example']) {
    assert.is((await undeliveredBy(strict.post(`http://${host}:${peer.port}/`))).code, 'EGRESS_REFUSED')
  }
  assert.is(peer.connections(), 0)
  // 10.9.9.9 is dropped; the other address may be reached
  const http = openClient(rig, { names })
  assert.is((await http.post(`http://both.example:${peer.port}/`)).status, 204)
  // resolved once: there is no second answer that could differ from the checked one
  let asked = 0
  const guard = createEgressGuard({
    allow: ['127.0.0.1'],
    resolve: (_, options, callback) => {
      asked++
      const address = asked === 1 ? '127.0.0.1' : '10.0.0.1'
      if (options.all) callback(null, [{ address, family: 4 }])
      else callback(null, address, 4)
    },
  })
  const { createHttpClient } = await import('../../src/platform/http-client/client.ts')
  const once = createHttpClient({ allow: [], guard })
  rig.defer(() => once.close())
  assert.is((await once.post(`http://rebinds.example:${peer.port}/`)).status, 204)
  assert.is(asked, 1)
})

test('redirects keep method and body, and are checked one by one', async (rig) => {
  const goal = await startPeer(rig, (_, response) => response.writeHead(200).end('there'))
  const places: Record<string, string> = {
    '/there': `${goal.url}/end`,
    '/metadata': METADATA,
    '/name': `http://inside.example:${goal.port}/`,
    '/loop': '/loop',
    '/file': 'file:///etc/passwd',
    '/login': 'http://user:word@127.0.0.1/',
  }
  const peer = await startPeer(rig, ({ path }, response) => {
    response.writeHead(path === '/see' ? 303 : 307, { location: places[path] ?? '/' }).end()
  })
  const http = openClient(rig, { allow: ['127.0.0.1'], names: { 'inside.example': '10.0.0.1' } })
  const answer = await http.post(`${peer.url}/there`, {
    body: 'all of it',
    headers: { authorization: 'word', 'x-key': 'word', 'webhook-id': 'msg_1' },
    secrets: ['X-Key'],
  })
  assert.is(answer.body, 'there')
  const [arrived] = goal.received
  assert.equal([arrived!.method, arrived!.body], ['POST', 'all of it'])
  assert.equal([arrived!.headers.authorization, arrived!.headers['x-key']], [undefined, undefined])
  assert.is(arrived!.headers['webhook-id'], 'msg_1')
  for (const [path, code] of [
    ['/metadata', 'EGRESS_REFUSED'],
    ['/name', 'EGRESS_REFUSED'],
    ['/loop', 'DELIVERY_REDIRECT'],
    ['/see', 'DELIVERY_REDIRECT'],
    ['/file', 'EGRESS_URL'],
    ['/login', 'EGRESS_URL'],
  ] as const) {
    const error = await undeliveredBy(http.post(`${peer.url}${path}`))
    assert.is(error.code, code, path)
    assert.ok(error.final, path)
  }
  assert.is(peer.received.filter(({ path }) => path === '/loop').length, 4)
})

test("the operator's own URL may lead anywhere, a redirect from it may not", async (rig) => {
  const peer = await startPeer(rig, ({ path }, response) => {
    if (path === '/away') response.writeHead(302, { location: '/' }).end()
    else response.writeHead(204).end()
  })
  const http = openClient(rig, { allow: [] })
  assert.is((await http.post(`${peer.url}/`, { trusted: true })).status, 204)
  assert.is((await undeliveredBy(http.post(`${peer.url}/away`, { trusted: true }))).code, 'EGRESS_REFUSED')
})

test('a peer that says nothing, or one byte at a time, is a timeout that may have arrived', async (rig) => {
  const peer = await startPeer(rig, ({ path }, response) => {
    if (path === '/hang') return
    response.writeHead(200)
    const drip = setInterval(() => response.write('x'), 20)
    response.once('close', () => clearInterval(drip))
  })
  const http = openClient(rig)
  for (const path of ['/hang', '/drip']) {
    const error = await undeliveredBy(http.post(`${peer.url}${path}`, { timeoutMs: 150 }))
    assert.is(error.code, 'DELIVERY_TIMEOUT')
    assert.ok(error.uncertain && !error.final)
  }
})

test('a worker that ends gives the try up at once', async (rig) => {
  const peer = await startPeer(rig, () => ending.abort())
  const ending = new AbortController()
  const error = await undeliveredBy(openClient(rig).post(peer.url, { signal: ending.signal }))
  assert.is(error.code, 'DELIVERY_CANCELLED')
  assert.ok(error.uncertain)
  assert.is(
    (await undeliveredBy(openClient(rig).post(peer.url, { signal: ending.signal }))).code,
    'DELIVERY_CANCELLED',
  )
})

test('an answer without end is cut', async (rig) => {
  let written = 0
  const closed: Promise<void>[] = []
  const peer = await startPeer(rig, (_, response) => {
    response.writeHead(200, { 'content-length': String(1024 ** 3) })
    const part = Buffer.alloc(64 * 1024)
    const more = () => {
      while (!response.destroyed) {
        written += part.length
        if (!response.write(part)) return void response.once('drain', more)
      }
    }
    closed.push(new Promise((resolve) => response.once('close', () => resolve())))
    more()
  })
  const http = openClient(rig)
  const error = await undeliveredBy(http.post(peer.url))
  assert.is(error.code, 'DELIVERY_TOO_LARGE')
  const answer = await http.post(peer.url, { wants: 'status' })
  assert.equal([answer.status, answer.whole, answer.body], [200, false, ''])
  await Promise.all(closed)
  assert.ok(written < 64 * 1024 ** 2, `${written} bytes were written`)
})

test('each way of failing has its code', async (rig) => {
  const self = await startPeer(rig, undefined, { secure: true })
  const plain = await startPeer(rig)
  const resets = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
  await new Promise<void>((resolve) => resets.listen(0, '127.0.0.1', resolve))
  rig.defer(() => new Promise((resolve) => resets.close(resolve)))
  const { port } = resets.address() as { port: number }
  const dead = await deadPort()
  const http = openClient(rig, { names: {} })
  for (const [url, code, uncertain] of [
    [`${self.url}/`, 'DELIVERY_TLS', false],
    [`https://127.0.0.1:${plain.port}/`, 'DELIVERY_TLS', false],
    ['http://nowhere.example/', 'DELIVERY_DNS', false],
    [`http://127.0.0.1:${port}/`, 'DELIVERY_RESET', true],
    [`http://127.0.0.1:${dead}/`, 'DELIVERY_RESET', false],
  ] as const) {
    const error = await undeliveredBy(http.post(url))
    assert.equal([error.code, error.uncertain, error.final], [code, uncertain, false], url)
  }
  assert.is(self.received.length, 0)
  for (const url of ['ftp://127.0.0.1/', 'nonsense', 'http://user:word@127.0.0.1/']) {
    assert.is((await undeliveredBy(http.post(url))).code, 'EGRESS_URL')
  }
})

test('statuses: 4xx is final but for those that pass, 5xx is tried again', () => {
  const of = (status: number) => {
    const error = refusalOf('host', { status })
    return error && [error.final, error.gone]
  }
  for (const status of [200, 202, 204, 299]) assert.is(of(status), undefined)
  for (const status of [400, 401, 404, 413, 422, 304]) assert.equal(of(status), [true, false], String(status))
  for (const status of [408, 425, 429, 500, 502, 503, 504])
    assert.equal(of(status), [false, false], String(status))
  assert.equal(of(410), [true, true])
  assert.is(refusalOf('host', { status: 503, retryAfterMs: 5000 })!.retryAfterMs, 5000)
})

test('Retry-After is read in seconds and as a date', () => {
  const now = Date.UTC(2026, 0, 5, 12, 0, 0)
  assert.is(retryAfter('120', now), 120_000)
  assert.is(retryAfter('Mon, 05 Jan 2026 12:01:30 GMT', now), 90_000)
  assert.is(retryAfter('Mon, 05 Jan 2026 11:00:00 GMT', now), 0)
  assert.is(retryAfter('99999999999', now), 86_400_000)
  assert.is(retryAfter('soon', now), undefined)
  assert.is(retryAfter(undefined, now), undefined)
})

test.run()
