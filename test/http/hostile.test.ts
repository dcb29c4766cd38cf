import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { ERRORS, fail } from '../../src/platform/errors.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { examples, furnish } from '../rig/http-fixtures.ts'
import { ADMIN_KEY, type Answer, asker, openSite, refused } from '../rig/http-rig.ts'
import { openWhole } from '../rig/inspector-rig.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('http: hostile')

interface Operation {
  parameters?: { in: string; name: string }[]
}

/** In a path or a query, as it is sent. */
const UNSTORABLE_IN_URL = ['%00', 'a%00b', '%ED%A0%80']
const STRANGE_IN_URL = ['99999999999999999999', '-1', '1e309', '%F0%9F%98%80', "'", '9'.repeat(64)]
const UNSTORABLE = ['a\0b', '\ud800', 'x\udc00']
const STRANGE = [1e308, 2 ** 53, -1, 0.5, null, true, '', [], {}, '+275760-09-13T00:00:00Z']
/** Words of Postgres and of its driver. */
const POSTGRES =
  /syntax for type|out of range for|byte sequence|relation|constraint|column|duplicate key|sqlstate|invalid input syntax/i

function coded(name: string, { status, body, text }: Answer): void {
  if (status < 400) return
  assert.ok(Object.hasOwn(ERRORS, body?.error?.code), `${name}: ${status} ${text.slice(0, 300)}`)
  assert.ok(status < 500 || status === 503, `${name}: ${status} ${text.slice(0, 300)}`)
  assert.not.match(text, POSTGRES, name)
}

/** `body` with each of its values, however deep, replaced by `value`, one at a time. */
function replaced(body: unknown, value: unknown): unknown[] {
  if (typeof body !== 'object' || body === null) return [value]
  const entries = Object.entries(body)
  const inner = entries.flatMap(([key, old]) =>
    replaced(old, value).map((next) =>
      Array.isArray(body) ? body.with(Number(key), next) : { ...body, [key]: next },
    ),
  )
  return [...inner, value]
}

async function openFurnished(rig: Rig) {
  const site = await openWhole(rig)
  const its = await furnish(site, 'default')
  const { body: document } = await site.ask('/openapi.json')
  const requests = Object.entries(examples(its, 'default')).map(([name, { path, body }]) => {
    const [method, pattern] = name.split(' ') as [string, string]
    const operation: Operation = document.paths[pattern][method]
    return { name, method: method.toUpperCase(), pattern, path, body, operation }
  })
  return { site, requests }
}

test('a NUL or half of a character in path, query or body is refused with a code on every route', async (rig) => {
  const { site, requests } = await openFurnished(rig)
  for (const { name, method, pattern, path, body, operation } of requests) {
    const sent = { method, ...(body !== undefined && { body }) }
    for (const text of UNSTORABLE_IN_URL) {
      if (pattern.includes('{'))
        refused(await site.ask(pattern.replaceAll(/\{\w+\}/g, text), sent), 400, 'BODY_INVALID')
      for (const { in: place, name: parameter } of operation.parameters ?? []) {
        if (place !== 'query') continue
        const url = `${path}${path.includes('?') ? '&' : '?'}${parameter}=${text}`
        refused(await site.ask(url, sent), 400, 'BODY_INVALID')
      }
    }
    if (typeof body !== 'object' || body === null || Object.keys(body).length === 0) continue
    for (const text of UNSTORABLE) {
      for (const wrong of replaced(body, text)) {
        const answer = await site.ask(path, { method, body: JSON.stringify(wrong) })
        const code = name.includes('import') ? 'DIRECTORY_INVALID' : 'BODY_INVALID'
        refused(answer, 400, code)
      }
      const named = await site.ask(path, { method, body: JSON.stringify({ ...body, [text]: 1 }) })
      assert.is(named.status, 400, `${name}: ${named.text}`)
    }
  }
  refused(await site.ask('/%00'), 400, 'BODY_INVALID')
  const deep = await site.ask('/api/units', { body: `${'['.repeat(30_000)}"\\u0000"${']'.repeat(30_000)}` })
  refused(deep, 400, 'BODY_INVALID')
})

test('huge numbers and wrong types are never answered in Postgres words, nor as our failure', async (rig) => {
  const { site, requests } = await openFurnished(rig)
  for (const { name, method, pattern, path, body, operation } of requests) {
    const sent = { method, ...(body !== undefined && { body }) }
    for (const text of STRANGE_IN_URL) {
      if (pattern.includes('{')) coded(name, await site.ask(pattern.replaceAll(/\{\w+\}/g, text), sent))
      for (const { in: place, name: parameter } of operation.parameters ?? []) {
        // a stream is answered for as long as its reader stays
        if (place !== 'query' || method !== 'GET') continue
        const url = `${path}${path.includes('?') ? '&' : '?'}${parameter}=${text}`
        coded(`${name} ${parameter}=${text}`, await site.ask(url, sent))
      }
    }
    if (body === undefined) continue
    for (const value of STRANGE)
      for (const wrong of replaced(body, value))
        coded(
          `${name} ${JSON.stringify(wrong)}`,
          await site.ask(path, { method, body: JSON.stringify(wrong) }),
        )
  }
})

test('ten megabytes are refused by every route that takes a body', async (rig) => {
  const { site, requests } = await openFurnished(rig)
  const large = JSON.stringify({ x: 'x'.repeat(10_000_000) })
  for (const { name, method, path, body } of requests) {
    if (body === undefined) continue
    const { status, text } = await site.ask(path, { method, body: large })
    assert.is(status, 413, `${name}: ${text}`)
    assert.match(text, 'BODY_TOO_LARGE')
  }
})

test('an error of Postgres keeps its code and says nothing of server, tables or values', async (rig) => {
  for (const error of [
    fail('DATABASE_UNREACHABLE', { reason: 'login of "secret" refused', host: 'db.internal' }),
    fail('DATABASE_QUERY', { reason: 'relation "secret" does not exist', state: '42P01', table: 'secret' }),
  ]) {
    const away = async (): Promise<never> => {
      throw error
    }
    const { port } = await openSite(rig, {
      database: { query: away, transaction: away } as unknown as Database,
    })
    const answer = await asker(port, ADMIN_KEY)('/api/tenants')
    refused(answer, error.status, error.code)
    assert.not.match(answer.text, /secret|db\.internal|42P01/)
    assert.equal(answer.body.error.details, {})
  }
})

test('headers and bodies that arrive too slowly end the request', async (rig) => {
  const { port } = await openSite(rig, { requestMs: 200 })
  for (const start of [
    'GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ',
    `POST /api/keys HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${ADMIN_KEY}\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n`,
  ]) {
    const socket = connect(port, '127.0.0.1')
    rig.defer(() => socket.destroy())
    socket.on('error', () => {})
    socket.write(start)
    const drip = setInterval(() => socket.write('a'), 20)
    rig.defer(() => clearInterval(drip))
    let text = ''
    socket.setEncoding('utf8').on('data', (part) => {
      text += part
    })
    await new Promise((resolve) => socket.once('close', resolve))
    clearInterval(drip)
    assert.match(text, /^HTTP\/1\.1 400 [\s\S]*REQUEST_MALFORMED/)
  }
})

test.run()
