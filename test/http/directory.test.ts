import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import { writeBatch } from '../../src/calls/index.ts'
import numbers from '../directory/numbers.json' with { type: 'json' }
import { furnish } from '../rig/http-fixtures.ts'
import { openSite, refused } from '../rig/http-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('http: directory and lists')

const EXAMPLE = fileURLToPath(new URL('../../examples/condominium.json', import.meta.url))
const items = (answer: { body: { items: { number: string }[] } }) =>
  answer.body.items.map(({ number }) => number)

test('a unit is written with its residents, in their order, who stay who they are', async (rig) => {
  const { ask } = await openSite(rig)
  const residents = [
    { name: 'Ana', phone: '+55 11 98765-4321' },
    { name: 'Zé', phone: 'sip:101@pbx', whatsapp: '5511987654321', notify: false },
  ]
  const made = await ask('/api/units', { body: { number: 101, block: 'B', residents } })
  assert.is(made.status, 201)
  const { id } = made.body
  assert.equal(
    [made.body.number, made.body.label, made.body.block, made.body.plan],
    ['101', '101', 'B', null],
  )
  assert.equal(
    made.body.residents.map(({ id: _, ...one }: { id: string }) => one),
    [
      { name: 'Ana', phone: '+5511987654321', whatsapp: null, notify: true },
      { name: 'Zé', phone: 'sip:101@pbx', whatsapp: '+5511987654321', notify: false },
    ],
  )
  const [ana, ze] = made.body.residents
  const plan = [{ kind: 'call', attempts: 1 }, { kind: 'operator' }]
  const changed = await ask(`/api/units/${id}`, {
    method: 'PUT',
    body: {
      number: '0101',
      label: 'cento e um',
      plan,
      residents: [ze, { name: 'Eva' }, { ...ana, name: 'Ana Maria' }],
    },
  })
  assert.is(changed.status, 200)
  assert.equal(
    [changed.body.number, changed.body.label, changed.body.plan, changed.body.block],
    ['0101', 'cento e um', plan, null],
  )
  assert.equal(
    changed.body.residents.map(({ name }: { name: string }) => name),
    ['Zé', 'Eva', 'Ana Maria'],
  )
  assert.equal([changed.body.residents[0].id, changed.body.residents[2].id], [ze.id, ana.id])
  assert.equal((await ask(`/api/units/${id}`)).body, changed.body)

  refused(await ask('/api/units', { body: { number: '0101', residents: [] } }), 409, 'UNIT_TAKEN')
  refused(
    await ask('/api/units?tenant=nobody', { body: { number: '1', residents: [] } }),
    404,
    'TENANT_UNKNOWN',
  )
  const wrong = await ask('/api/units', { body: { number: '1/2', residents: [{ phone: 'x' }], plan: [] } })
  refused(wrong, 400, 'BODY_INVALID')
  assert.is(wrong.body.error.details.problems.length, 4)
  refused(await ask('/api/units/999'), 404, 'UNIT_UNKNOWN')
  refused(await ask('/api/units/x'), 400, 'BODY_INVALID')
  refused(await ask(`/api/units/${'9'.repeat(30)}`), 400, 'BODY_INVALID')
  assert.is((await ask(`/api/units/${id}`, { method: 'DELETE' })).status, 204)
  refused(await ask(`/api/units/${id}`), 404, 'UNIT_UNKNOWN')
})

test('units come in pages in the order of their numbers, and are found by what people know', async (rig) => {
  const { ask } = await openSite(rig)
  const units = ['10', '9', '101', 'A', '2'].map((number) => ({
    number,
    residents: [{ name: number === '9' ? 'João da Silva' : 'Ana', phone: '1' }],
  }))
  assert.is((await ask('/api/directory/import', { body: { units } })).status, 200)
  const seen: string[] = []
  let cursor = ''
  do {
    const page = await ask(`/api/units?limit=2${cursor && `&cursor=${cursor}`}`)
    assert.ok(page.body.items.length <= 2)
    seen.push(...items(page))
    cursor = page.body.next ?? ''
  } while (cursor)
  assert.equal(seen, ['2', '9', '10', '101', 'A'])
  assert.equal(items(await ask('/api/units?search=10')), ['10', '101'])
  assert.equal(items(await ask('/api/units?search=SILVA')), ['9'])
  assert.equal(items(await ask(`/api/units?search=${encodeURIComponent("%' or 1=1 --")}`)), [])
  for (const wrong of [
    'x',
    'bnVsbA',
    Buffer.from('["x"]').toString('base64url'),
    Buffer.from('[1,2]').toString('base64url'),
  ]) {
    refused(await ask(`/api/units?cursor=${wrong}`), 400, 'CURSOR_INVALID')
  }
  for (const wrong of ['0', '201', 'x', '-1'])
    refused(await ask(`/api/units?limit=${wrong}`), 400, 'BODY_INVALID')
})

test('a directory goes out as a file and comes in again as it was', async (rig) => {
  const { ask, as } = await openSite(rig)
  const file = await readFile(EXAMPLE)
  const { status, body } = await ask('/api/directory/import?tenant=default', { body: file })
  assert.is(status, 200)
  assert.equal([body.tenant, body.removed], ['default', 0])
  assert.ok(body.units > 0 && body.added === body.units)
  const exported = await ask('/api/directory/export')
  const again = await ask('/api/directory/import?replace=true', { body: exported.body })
  assert.equal([again.body.added, again.body.changed, again.body.removed], [0, 0, 0])
  assert.equal((await ask('/api/directory/export')).body, exported.body)
  const replaced = await ask('/api/directory/import?replace=true', {
    body: { units: [{ number: '1', residents: [] }] },
  })
  assert.equal([replaced.body.added, replaced.body.removed], [1, body.units])

  const wrong = await ask('/api/directory/import', {
    body: { units: [{ number: '1' }, { number: '!', residents: [] }] },
  })
  refused(wrong, 400, 'DIRECTORY_INVALID')
  assert.is(wrong.body.error.details.problems.length, 2)
  refused(await ask('/api/directory/import', { body: '{"units": [' }), 400, 'DIRECTORY_INVALID')
  refused(await ask('/api/directory/export?tenant=nobody'), 404, 'TENANT_UNKNOWN')
  const operate = await as('default', 'operate')
  refused(await operate.ask('/api/directory/import', { body: file }), 403, 'KEY_SCOPE')
})

test('rules are written for a unit or for all, in the words of the directory file', async (rig) => {
  const { ask } = await openSite(rig)
  await ask('/api/units', { body: { number: '101', residents: [] } })
  const until = '2030-01-01T00:00:00.000Z'
  const block = await ask('/api/blocked', { body: { name: 'fulano', unit: '0101', reason: 'x', until } })
  assert.equal([block.status, block.body.unit, block.body.phone, block.body.until], [201, '101', null, until])
  const changed = await ask(`/api/blocked/${block.body.id}`, { method: 'PUT', body: { phone: '+55 11*' } })
  assert.equal(
    [changed.body.unit, changed.body.phone, changed.body.name, changed.body.until],
    [null, '+5511*', null, null],
  )
  refused(await ask('/api/blocked', { body: {} }), 400, 'BODY_INVALID')
  refused(await ask('/api/blocked', { body: { name: 'x', colour: 'red' } }), 400, 'BODY_INVALID')
  refused(await ask('/api/blocked', { body: { name: 'x', unit: '999' } }), 404, 'UNIT_UNKNOWN')
  const window = {
    weekdays: [7, 1, 1],
    from: '22:00',
    to: '06:00',
    timezone: 'America/Sao_Paulo',
    intent: 'delivery',
  }
  const made = await ask('/api/windows', { body: window })
  assert.equal(
    [made.body.weekdays, made.body.from, made.body.to, made.body.intent, made.body.unit],
    [[1, 7], '22:00', '06:00', 'delivery', null],
  )
  refused(await ask('/api/windows', { body: { ...window, timezone: 'Mars' } }), 400, 'BODY_INVALID')
  refused(await ask('/api/windows', { body: { ...window, weekdays: [] } }), 400, 'BODY_INVALID')
  refused(await ask(`/api/windows/${block.body.id}9`, { method: 'PUT', body: window }), 404, 'RULE_UNKNOWN')
  assert.is((await ask('/api/windows')).body.items.length, 1)
  assert.is((await ask(`/api/windows/${made.body.id}`, { method: 'DELETE' })).status, 204)
  refused(await ask(`/api/windows/${made.body.id}`, { method: 'DELETE' }), 404, 'RULE_UNKNOWN')
  const { body } = await ask('/api/directory/export')
  assert.equal(body.tenant.blocked, [{ phone: '+5511*' }])
})

test('messages and endpoints that can never work are refused at once', async (rig) => {
  const site = await openSite(rig)
  const { ask } = site
  const its = await furnish(site, 'default')
  const wrong = await ask('/api/messages', {
    body: { channel: 'webhook', to: its.endpoint, priority: 11, body: { type: 'A b', data: 1 } },
  })
  refused(wrong, 400, 'MESSAGE_INVALID')
  assert.equal(wrong.body.error.details.problems, [
    'priority: must be at most 10',
    'body.type: must be a name such as call.ended',
    'body.timestamp: is missing',
    'body.data: must be an object',
  ])
  const typeless = await ask('/api/messages', {
    body: { channel: 'twilio', to: '(51) 98765-4321', body: {} },
  })
  assert.equal(typeless.body.error.details.problems, ['body.type: must be one of text, buttons'])
  const nobody = await ask('/api/messages', { body: { channel: 'whatsapp', to: '98765-4321', body: {} } })
  refused(nobody, 400, 'MESSAGE_INVALID')
  assert.match(nobody.body.error.details.problems.join(), /^to: must be a valid number of BR/)
  const event = { type: 'call.ended', timestamp: new Date().toISOString(), data: {} }
  const webhook = (to: string) => ask('/api/messages', { body: { channel: 'webhook', to, body: event } })
  assert.is((await webhook(its.endpoint)).status, 202)
  refused(await webhook('nope'), 404, 'ENDPOINT_UNKNOWN')
  refused(await webhook('environment'), 404, 'ENDPOINT_UNKNOWN')
  const text = { channel: 'twilio', to: '+5511987654321', body: { type: 'text', text: 'oi' } }
  refused(await ask('/api/messages', { body: text }), 404, 'INSTANCE_UNKNOWN')

  const events = await ask('/api/endpoints', {
    body: { url: 'https://example.org/', events: ['call.endet'] },
  })
  refused(events, 400, 'BODY_INVALID')
  assert.match(events.text, /call\.started, call\.decided, call\.ended/)
  for (const host of ['127.0.0.1', '2130706433', '[::1]', '169.254.169.254']) {
    const answer = await ask('/api/endpoints', { body: { url: `http://${host}:1/` } })
    refused(answer, 400, 'EGRESS_REFUSED')
    assert.not.match(answer.body.error.message, /leads to/)
    refused(
      await ask(`/api/endpoints/${its.endpoint}`, { method: 'PATCH', body: { url: `http://${host}/` } }),
      400,
      'EGRESS_REFUSED',
    )
  }
})

test('a number may be in several blocks; what is for one of them names its block', async (rig) => {
  const { ask } = await openSite(rig)
  const make = (body: object) => ask('/api/units', { body: { number: '101', residents: [], ...body } })
  const first = await make({})
  assert.equal(
    [first.status, first.body.number, first.body.block, first.body.tower],
    [201, '101', null, null],
  )
  refused(await make({}), 409, 'UNIT_TAKEN')
  assert.is((await make({ block: '2', tower: 'Norte' })).status, 201)
  const third = await make({ block: '2' })
  assert.equal([third.status, third.body.number, third.body.block], [201, '101', '2'])
  refused(await make({ block: ' 2 ' }), 409, 'UNIT_TAKEN')
  const listed = async () =>
    (await ask('/api/units')).body.items.map(({ number, block, tower }: Record<string, unknown>) => [
      number,
      block,
      tower,
    ])
  assert.equal(await listed(), [
    ['101', null, null],
    ['101', '2', null],
    ['101', '2', 'Norte'],
  ])
  refused(await ask('/api/blocked', { body: { name: 'x', unit: '101' } }), 409, 'UNIT_AMBIGUOUS')
  refused(await ask('/api/blocked', { body: { name: 'x', unit: '101', block: '9' } }), 404, 'UNIT_UNKNOWN')
  const rule = await ask('/api/blocked', { body: { name: 'x', unit: '101', tower: 'Norte' } })
  assert.equal([rule.body.unit, rule.body.block, rule.body.tower], ['101', '2', 'Norte'])
  const path = `/api/units/${third.body.id}`
  const moved = await ask(path, { method: 'PUT', body: { number: '102', residents: [] } })
  assert.equal([moved.body.number, moved.body.block], ['102', null])
  refused(
    await ask(path, { method: 'PUT', body: { number: '101', block: '2', tower: 'norte', residents: [] } }),
    409,
    'UNIT_TAKEN',
  )
  assert.is((await ask(path, { method: 'DELETE' })).status, 204)
})

test('the numbers of residents are read as the country of the tenant writes them', async (rig) => {
  const { ask } = await openSite(rig)
  const written = (...residents: object[]) =>
    ask('/api/units', { body: { number: String(100 + residents.length), residents } })
  const { status, body } = await written(
    { name: 'Ana', whatsapp: '(51) 98765-4321', phone: '' },
    { name: 'Bia', whatsapp: '' },
  )
  assert.is(status, 201)
  assert.equal(
    body.residents.map(({ phone, whatsapp, held }: Record<string, unknown>) => [phone, whatsapp, held]),
    [
      [null, '+5551987654321', undefined],
      [null, null, undefined],
    ],
  )
  const wrong = await written(
    { name: 'Ana', whatsapp: '+5511987654321' },
    { name: 'Bia' },
    { name: 'Caio', whatsapp: '98765-4321' },
  )
  refused(wrong, 400, 'BODY_INVALID')
  assert.match(
    wrong.body.error.details.problems.join(),
    /^residents\/2\/whatsapp: must be a valid number of BR/,
  )

  await ask('/api/tenants/default', { method: 'PATCH', body: { country: 'PT' } })
  const other = await written({ name: 'Eva', whatsapp: '912 345 678' })
  assert.is(other.body.residents[0].whatsapp, '+351912345678')
  refused(
    await ask('/api/tenants/default', { method: 'PATCH', body: { country: 'XX' } }),
    400,
    'BODY_INVALID',
  )

  // a file that names no country is read as the tenant's
  const units = [{ number: '300', residents: [{ name: 'Rui', whatsapp: '00351 912 345 678' }] }]
  await ask('/api/directory/import', { body: { units } })
  const exported = await ask('/api/directory/export')
  assert.is(exported.body.tenant.country, 'PT')
  assert.is(exported.body.units.at(-1).residents[0].whatsapp, '+351912345678')
})

test('each form of a number, in a file and in a unit: kept as it was meant, or refused with its line and what is wrong', async (rig) => {
  const { ask } = await openSite(rig)
  const residents = numbers.forms.map(({ written }) => ({ name: 'Ana', whatsapp: written }))
  const wrong = numbers.forms.flatMap(({ kept }, at) => (kept === null ? [at] : []))
  const right = numbers.forms.flatMap(({ kept }, at) => (kept === null ? [] : [at]))
  const fileOf = (those: number[]) => {
    const lines = those.map((at) => `{"number": "${at}", "residents": [${JSON.stringify(residents[at])}]}`)
    return Buffer.from(`{"units": [\n${lines.join(',\n')}\n]}`)
  }
  const refusedFile = await ask('/api/directory/import', { body: fileOf([...numbers.forms.keys()]) })
  refused(refusedFile, 400, 'DIRECTORY_INVALID')
  const { problems } = refusedFile.body.error.details
  assert.is(problems.length, wrong.length, problems.join('\n'))
  for (const [index, at] of wrong.entries())
    assert.match(
      problems[index],
      new RegExp(
        `^units\\[${at}\\]\\.residents\\[0\\]\\.whatsapp: must be a valid number of BR.* \\(line ${at + 2}\\)$`,
      ),
    )
  assert.equal((await ask('/api/units')).body.items, [], 'nothing is loaded if anything is wrong')

  assert.is((await ask('/api/directory/import', { body: fileOf(right) })).status, 200)
  const { units } = (await ask('/api/directory/export')).body
  const keptOf = (number: number) =>
    units.find((unit: { number: string }) => unit.number === String(number)).residents[0].whatsapp ?? 'absent'
  assert.equal(
    right.map(keptOf),
    right.map((at) => numbers.forms[at]!.kept),
  )

  const unit = await ask('/api/units', { body: { number: '900', residents: [] } })
  for (const change of [
    ask('/api/units', { body: { number: '901', residents } }),
    ask(`/api/units/${unit.body.id}`, { method: 'PUT', body: { number: '900', residents } }),
  ]) {
    const answer = await change
    refused(answer, 400, 'BODY_INVALID')
    assert.equal(
      answer.body.error.details.problems.map(
        (problem: string) => problem.split(': must be a valid number of BR')[0],
      ),
      wrong.map((at) => `residents/${at}/whatsapp`),
    )
  }
  assert.equal((await ask(`/api/units/${unit.body.id}`)).body.residents, [])
})

test('a foreign number with a national twin is held until it is confirmed', async (rig) => {
  const { ask, as } = await openSite(rig)
  const body = { number: '101', residents: [{ name: 'Ana', whatsapp: '+51 987 654 321' }] }
  const made = await ask('/api/units', { body })
  assert.is(made.body.residents[0].held, true)
  const remarks = async () => (await ask('/api/status')).body.remarks
  assert.equal(
    (await remarks()).filter(({ code }: { code: string }) => code === 'numbers.held'),
    [{ code: 'numbers.held', count: 1 }],
  )
  const [held] = (await ask('/api/held-numbers')).body.items
  assert.equal(
    [held.unit, held.residentName, held.number, held.twin],
    ['101', 'Ana', '+51987654321', '+5551987654321'],
  )
  assert.equal((await (await as('other', 'read')).ask('/api/held-numbers')).body.items, [])
  // a unit may be written back as it was read
  const again = await ask(`/api/units/${made.body.id}`, {
    method: 'PUT',
    body: { ...body, residents: made.body.residents },
  })
  assert.is(again.body.residents[0].held, true)
  refused(await ask('/api/held-numbers', { body: { number: '51987654321' } }), 400, 'BODY_INVALID')
  assert.is((await ask('/api/held-numbers', { body: { number: '+51987654321' } })).status, 204)
  assert.is((await ask(`/api/units/${made.body.id}`)).body.residents[0].held, undefined)
  assert.equal((await ask('/api/held-numbers')).body.items, [])
})

test('no gate can be enabled while simulated residents let everybody in', async (rig) => {
  const { ask } = await openSite(rig, { simulates: true })
  const gate = { kind: 'webhook', url: 'https://gate.example/open' }
  refused(await ask('/api/gates/default', { method: 'PUT', body: gate }), 409, 'LOOPBACK_GATE')
  const kept = await ask('/api/gates/default', { method: 'PUT', body: { ...gate, enabled: false } })
  assert.equal([kept.status, kept.body.gate.enabled], [200, false])
})

test('a window that ends when it begins is refused with a code, and a stored one is remarked on', async (rig) => {
  const { ask, database } = await openSite(rig)
  const window = { weekdays: [1], from: '08:00', to: '18:00', timezone: 'UTC' }
  const empty = { ...window, to: '08:00' }
  refused(await ask('/api/windows', { body: empty }), 400, 'WINDOW_EMPTY')
  const { body: made } = await ask('/api/windows', { body: { ...window, intent: 'delivery' } })
  refused(await ask(`/api/windows/${made.id}`, { method: 'PUT', body: empty }), 400, 'WINDOW_EMPTY')
  const remarks = async () =>
    (await ask('/api/status')).body.remarks.filter(({ code }: { code: string }) =>
      code.startsWith('windows.'),
    )
  assert.equal(await remarks(), [{ code: 'windows.untrusted', count: 1 }])
  // as a version before stored it
  await database.query('update auto_open_windows set closes = opens')
  assert.equal(await remarks(), [{ code: 'windows.empty', count: 1 }])
})

test('tenants are made, changed and deleted by a key of all of them', async (rig) => {
  const { ask, as } = await openSite(rig)
  const made = await ask('/api/tenants', { body: { id: 'vila', name: 'Vila', plan: [{ kind: 'operator' }] } })
  assert.equal(made.body, {
    id: 'vila',
    name: 'Vila',
    locale: null,
    country: 'BR',
    bargeIn: false,
    notifyUnreached: false,
    opensBy: 'key-and-voice',
    trustsIntent: false,
    answerCheck: 'natural',
    leaveMessage: false,
    afterTalk: 'end',
    freeWebhooks: 'off',
    plan: [{ kind: 'operator' }],
    listening: {},
    texts: {},
    planUnreadable: false,
  })
  refused(await ask('/api/tenants', { body: { id: 'vila', name: 'Again' } }), 409, 'TENANT_TAKEN')
  refused(await ask('/api/tenants', { body: { id: '../x', name: 'x' } }), 400, 'BODY_INVALID')
  for (const wrong of [
    { opensBy: 'voice' },
    { answerCheck: 'voice' },
    { leaveMessage: 'yes' },
    { afterTalk: 'more' },
  ])
    refused(await ask('/api/tenants', { body: { id: 'x', name: 'x', ...wrong } }), 400, 'BODY_INVALID')
  const admin = await as('vila', 'admin')
  const own = await admin.ask('/api/tenants/vila', {
    method: 'PATCH',
    body: {
      locale: 'en',
      country: 'PT',
      bargeIn: true,
      notifyUnreached: true,
      opensBy: 'key',
      trustsIntent: true,
      answerCheck: 'key',
      leaveMessage: true,
      afterTalk: 'next',
      plan: null,
    },
  })
  assert.equal(own.body, {
    id: 'vila',
    name: 'Vila',
    locale: 'en',
    country: 'PT',
    bargeIn: true,
    notifyUnreached: true,
    opensBy: 'key',
    trustsIntent: true,
    answerCheck: 'key',
    leaveMessage: true,
    afterTalk: 'next',
    freeWebhooks: 'off',
    plan: null,
    listening: {},
    texts: {},
    planUnreadable: false,
  })
  const kept = await admin.ask('/api/tenants/vila', { method: 'PATCH', body: { name: 'Vila Nova' } })
  assert.equal(kept.body, {
    id: 'vila',
    name: 'Vila Nova',
    locale: 'en',
    country: 'PT',
    bargeIn: true,
    notifyUnreached: true,
    opensBy: 'key',
    trustsIntent: true,
    answerCheck: 'key',
    leaveMessage: true,
    afterTalk: 'next',
    freeWebhooks: 'off',
    plan: null,
    listening: {},
    texts: {},
    planUnreadable: false,
  })
  assert.equal((await admin.ask('/api/tenants')).body.items.length, 1)
  refused(await admin.ask('/api/tenants/vila', { method: 'DELETE' }), 403, 'KEY_TENANT')
  refused(await ask('/api/tenants/default', { method: 'DELETE' }), 409, 'TENANT_MAIN')
  assert.is((await ask('/api/tenants/vila', { method: 'DELETE' })).status, 204)
  refused(await ask('/api/tenants/vila'), 404, 'TENANT_UNKNOWN')
  // its keys are gone with it
  refused(await admin.ask('/api/tenants'), 401, 'KEY_INVALID')
})

test('calls come in pages, the newest first, each once even where they began at the same moment', async (rig) => {
  const { ask, database } = await openSite(rig)
  const startedAt = new Date()
  const calls = Array.from({ length: 25 }, (_, at) => ({
    id: crypto.randomUUID(),
    tenantId: at % 5 === 0 ? 'other' : 'default',
    nodeId: 'a',
    gate: null,
    unitId: null,
    unitNumber: at < 3 ? '7' : '8',
    state: at < 10 ? 'reaching.searching' : 'ended',
    startedAt: at < 20 ? startedAt : new Date(startedAt.getTime() + at),
    endedAt: at < 10 ? null : startedAt,
    outcome: at < 10 ? null : at < 15 ? ('denied' as const) : ('authorized' as const),
    reason: null,
    decision: at < 10 ? null : { verdict: 'denied', by: 'resident', via: 'key', at: 1 },
    durations: null,
  }))
  await writeBatch(database, { calls, events: [] })
  const all = async (query: string) => {
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await ask(`/api/calls?limit=4${query}${cursor && `&cursor=${cursor}`}`)
      seen.push(...body.items.map(({ id }: { id: string }) => id))
      cursor = body.next ?? ''
    } while (cursor)
    assert.is(new Set(seen).size, seen.length)
    return seen
  }
  assert.is((await all('')).length, 25)
  assert.equal(
    (await all('')).slice(0, 5),
    calls
      .slice(20)
      .map(({ id }) => id)
      .toReversed(),
  )
  const counts = {
    'state=live': 10,
    'state=ended': 15,
    'state=reaching': 10,
    'outcome=denied': 5,
    'unit=7': 3,
    'tenant=other': 5,
  }
  for (const [query, count] of Object.entries(counts))
    assert.is((await all(`&${query}`)).length, count, query)
  refused(await ask('/api/calls?outcome=happy'), 400, 'BODY_INVALID')
  refused(await ask('/api/calls?state=a;b'), 400, 'BODY_INVALID')
  const { body } = await ask('/api/calls?state=ended&limit=1')
  assert.equal(body.items[0].decision, { verdict: 'denied', by: 'resident', via: 'key', at: 1 })
})

test('a live call that is on another node brings the states that its journal told', async (rig) => {
  const site = await openSite(rig)
  const { call } = await furnish(site, 'default')
  const { body } = await site.ask('/api/calls?state=live')
  assert.equal(
    body.items.map(({ id, snapshot }: { id: string; snapshot: unknown }) => [id, snapshot]),
    [[call, { state: 'reaching.searching', legs: ['visitor'], children: {} }]],
  )
})

test.run()
