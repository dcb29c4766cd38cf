import { validate } from '@readme/openapi-parser'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import * as assert from 'uvu/assert'
import { examples, furnish } from '../rig/http-fixtures.ts'
import { type Answer, openSite } from '../rig/http-rig.ts'
import { openWhole } from '../rig/inspector-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('http: openapi')

interface Operation {
  security?: unknown[]
  parameters?: { in: string; name: string }[]
  responses: Record<string, { content?: Record<string, unknown> }>
}

/** Streams have no example: their test is http-events. */
const STREAMS = ['get /api/events']

const operationsOf = (document: { paths: Record<string, Record<string, Operation>> }) =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method} ${path}`,
      path,
      method,
      operation,
    })),
  )

test('the document is valid, says who may, and names every parameter', async (rig) => {
  const { ask } = await openWhole(rig)
  const { status, body } = await ask('/openapi.json', { key: null })
  assert.is(status, 200)
  assert.equal(await validate(structuredClone(body)), { valid: true, warnings: [], specification: 'OpenAPI' })
  for (const { name, path, operation } of operationsOf(body)) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
    const named = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
    assert.equal(named.map((parameter) => parameter.name).sort(), inPath.sort(), name)
    if (path.startsWith('/api/') && name !== 'post /api/session') {
      assert.equal(
        operation.security,
        [{ key: [] }, { session: [] }],
        `${name} does not say that it needs a key`,
      )
    }
  }
  const docs = await ask('/docs/', { key: null })
  assert.ok([200, 302].includes(docs.status))
  const page = await ask('/docs/static/index.html', { key: null })
  for (const answer of [docs, page]) {
    const policy = String(answer.headers['content-security-policy'])
    assert.match(policy, /script-src 'self'(;|$)/)
  }
})

test('every route of the document is answered as the document says', async (rig) => {
  const site = await openWhole(rig)
  const its = await furnish(site, 'default')
  const { body: document } = await site.ask('/openapi.json')
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'document')

  const check = (name: string, path: string, method: string, { status, headers, body, text }: Answer) => {
    const responses = document.paths[path][method].responses
    const entry = responses[status] ? String(status) : `${String(status)[0]}XX`
    const response = responses[entry]
    assert.ok(response, `${name} gave ${status}, which is not in the document: ${text.slice(0, 300)}`)
    if (!response.content) return
    const type = String(headers['content-type']).split(';')[0]!
    assert.ok(response.content[type] ?? response.content['*/*'], `${name} gave ${type}`)
    if (type !== 'application/json' || response.content[type].schema?.type === 'string') return
    const pointer = ['paths', path, method, 'responses', entry, 'content', type, 'schema']
    const reference = pointer
      .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/')
    const isValid = ajv.compile({ $ref: `document#/${reference}` })
    assert.ok(isValid(body), `${name}: ${ajv.errorsText(isValid.errors)} in ${text.slice(0, 500)}`)
  }

  const all = examples(its, 'default')
  const operations = operationsOf(document)
  assert.equal(
    Object.keys(all).concat(STREAMS).sort(),
    operations.map(({ name }) => name).sort(),
    'each route has its example, and each example its route',
  )
  // in the order of the examples: what is deleted is asked for before
  for (const [name, { path: filled, body, status = 200 }] of Object.entries(all)) {
    const { path, method } = operations.find((operation) => operation.name === name)!
    const answer = await site.ask(filled, {
      method: method.toUpperCase(),
      ...(body !== undefined && { body }),
    })
    assert.is(answer.status, status, `${name}: ${answer.text.slice(0, 500)}`)
    check(name, path, method, answer)
    // and once as an error
    const wrong = await site.ask(filled.replaceAll(/[0-9a-f-]{36}|\d+$/g, '!'), {
      method: method.toUpperCase(),
      ...(method !== 'get' && { body: '{' }),
    })
    check(name, path, method, wrong)
  }
})

test('bodies that are none, too large or of another type are refused on every route that takes one', async (rig) => {
  const site = await openSite(rig)
  const its = await furnish(site, 'default')
  for (const [name, { path, body }] of Object.entries(examples(its, 'default'))) {
    if (body === undefined || /refresh|retry|cancel|inspector/.test(name)) continue
    const method = name.split(' ')[0]!.toUpperCase()
    const huge = await site.ask(path, { method, body: Buffer.alloc(6 * 1024 * 1024, 0x20) })
    assert.equal([huge.status, huge.body.error.code], [413, 'BODY_TOO_LARGE'], name)
    const typed = await site.ask(path, { method, body: 'a=b', headers: { 'content-type': 'text/xml' } })
    assert.equal([typed.status, typed.body.error.code], [415, 'BODY_TYPE'], name)
    // an empty list is an empty directory in the older form
    const forms = ['null', '7', '{', '', '[]'].slice(0, name.includes('import') ? 4 : 5)
    for (const wrong of forms) {
      const { status, body: said } = await site.ask(path, { method, body: wrong })
      assert.ok(status === 400, `${name} with ${wrong}: ${status} ${JSON.stringify(said)}`)
    }
  }
})

test.run()
