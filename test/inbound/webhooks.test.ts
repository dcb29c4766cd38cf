import { createHmac, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import * as assert from 'uvu/assert'
import { createIntake, type EnqueueJobs, type InboundJob } from '../../src/inbound/intake.ts'
import { isSignedByMeta, isSignedByTwilio } from '../../src/inbound/providers/proof.ts'
import { createOutbound } from '../../src/outbound/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openTestDatabase } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'
import {
  APP_SECRET,
  cloudBody,
  cloudMessage,
  openWebhooks,
  PUBLIC_URL,
  signed,
  TWILIO_TOKEN,
  textMessage,
  UNOAPI_TOKEN,
  VERIFY_TOKEN,
} from './rig.ts'

const test = suite('inbound webhooks')

async function open(rig: Rig, options: { publicUrl?: string | undefined } = {}) {
  const database = await openTestDatabase(rig)
  const jobs: InboundJob[] = []
  const enqueueJobs: EnqueueJobs = async (transaction, added) => {
    // fails where a message of the transaction was there already
    await transaction.query('select')
    jobs.push(...added)
  }
  const webhooks = await openWebhooks(rig, { database, enqueueJobs, ...options })
  const stored = () => database.query('select * from inbound_messages order by received_at, provider_id')
  return { database, jobs, stored, ...webhooks }
}

const META = '/webhooks/whatsapp/meta'

test("Meta's signature is over the raw bytes, with slashes and accents as they came", () => {
  // as Meta sends it: escaped slashes and accents, which JSON.stringify would write otherwise
  const body = Buffer.from('{"text":"Jo\\u00e3o \\/ n\\u00e3o", "é":"à@b"}')
  // printf BODY | openssl dgst -sha256 -hmac 'app secret of Meta'
  const known = createHmac('sha256', APP_SECRET).update(body).digest('hex')
  assert.ok(isSignedByMeta(body, `sha256=${known}`, APP_SECRET))
  assert.ok(isSignedByMeta(body, `sha256=${known.toUpperCase()}`, APP_SECRET))
  const again = Buffer.from(JSON.stringify(JSON.parse(body.toString())))
  assert.not.ok(isSignedByMeta(again, `sha256=${known}`, APP_SECRET))
  assert.not.ok(isSignedByMeta(body, `sha256=${known}`, 'another secret'))
  for (const wrong of [
    undefined,
    '',
    'sha256=',
    known,
    `sha1=${known}`,
    `sha256=${known.slice(2)}`,
    `sha256=${known}00`,
  ])
    assert.not.ok(isSignedByMeta(body, wrong, APP_SECRET), wrong)
  // RFC 4231, test case 2
  assert.ok(
    isSignedByMeta(
      Buffer.from('what do ya want for nothing?'),
      'sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      'Jefe',
    ),
  )
})

test("Meta's challenge is answered only with the right verify token", async (t) => {
  const { origin } = await open(t)
  const verify = async (query: Record<string, string>, path = META) => {
    const response = await fetch(`${origin}${path}?${new URLSearchParams(query)}`)
    return [response.status, await response.text()] as const
  }
  const right = { 'hub.mode': 'subscribe', 'hub.verify_token': VERIFY_TOKEN, 'hub.challenge': '1158201444' }
  assert.equal(await verify(right), [200, '1158201444'])
  assert.is((await verify({ ...right, 'hub.verify_token': 'verify-m' }))[0], 403)
  assert.is((await verify({ ...right, 'hub.mode': 'unsubscribe' }))[0], 400)
  assert.is((await verify({ ...right, 'hub.challenge': '<script>' }))[0], 400)
  assert.is((await verify({ 'hub.mode': 'subscribe', 'hub.challenge': '1' }))[0], 403)
  assert.is((await verify(right, '/webhooks/whatsapp/nobody'))[0], 404)
  assert.is((await verify(right, '/webhooks/whatsapp/bare'))[0], 503)
  assert.is((await verify(right, '/webhooks/whatsapp/uno'))[0], 404, 'an account of another kind')
})

test('a signed post is stored with its job and answered at once', async (t) => {
  const { postCloud, stored, jobs } = await open(t)
  const message = textMessage('não, obrigado/a', { timestamp: '1790000000' })
  assert.equal(
    await postCloud(cloudBody({ messages: [message] })).then(({ status, text }) => [status, text]),
    [200, ''],
  )
  const [row] = await stored()
  assert.is(row!['text'], 'não, obrigado/a')
  assert.is(row!['phone'], '+5511980112211')
  assert.equal(row!['payload'], message)
  assert.equal(jobs, [{ type: 'inbound_message', data: { id: row!['id'], tenantId: 'default' } }])
})

test('50 simultaneous copies of one message are one message and one job in the queue', async (t) => {
  const database = await openTestDatabase(t)
  const outbound = await createOutbound({
    database,
    log: silentLog(),
    node: 'test',
    works: false,
    retryLimit: 5,
    retryDelayMs: 1000,
  })
  t.defer(() => outbound.close())
  // two nodes that get copies of the same posts
  const enqueueJobs: EnqueueJobs = (transaction, jobs) =>
    outbound.queue.enqueue(
      'incoming',
      jobs.map((data) => ({ id: randomUUID(), data })),
      transaction,
    )
  const nodes = [createIntake({ database, enqueueJobs }), createIntake({ database, enqueueJobs })]
  const said = {
    kind: 'text',
    phone: '+5511980112211',
    userId: null,
    text: 'SIM',
    buttonId: null,
    quotedId: null,
    sentAt: null,
    payload: {},
  } as const
  const account = { tenantId: 'default', instanceId: 'meta', channel: 'whatsapp' } as const
  const accepted = await Promise.all(
    Array.from({ length: 50 }, (_, at) =>
      nodes[at % 2]!.accept(account, {
        messages: [
          { ...said, providerId: 'wamid.same' },
          { ...said, providerId: `wamid.other-${at % 5}` },
        ],
        receipts: [],
        ignored: 0,
      }),
    ),
  )
  await Promise.all(nodes.map((node) => node.close()))
  assert.is(
    accepted.reduce((sum, { messages }) => sum + messages, 0),
    6,
  )
  assert.is((await outbound.boss.findJobs('incoming')).length, 6)
  const [count] = await database.query('select count(*)::int as count from inbound_messages')
  assert.equal(count, { count: 6 })
})

test('50 simultaneous posts of one message over HTTP are all answered 200, and make one job', async (t) => {
  const { postCloud, stored, jobs } = await open(t)
  const body = cloudBody({ messages: [textMessage('SIM')] })
  const answers = await Promise.all(Array.from({ length: 50 }, () => postCloud(body)))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.is((await stored()).length, 1)
  assert.is(jobs.length, 1)
})

test('posts and their jobs are stored together or not at all', async (t) => {
  const database = await openTestDatabase(t)
  let broken = true
  const enqueueJobs = async () => {
    if (broken) throw new Error('no queue')
  }
  const { postCloud } = await openWebhooks(t, { database, enqueueJobs })
  const body = cloudBody({ messages: [textMessage('SIM')] })
  assert.is((await postCloud(body)).status, 500)
  assert.equal(await database.query('select id from inbound_messages'), [])
  broken = false
  assert.is((await postCloud(body)).status, 200, 'the provider posts again')
  assert.is((await database.query('select id from inbound_messages')).length, 1)
})

test('posts with a wrong signature are refused, counted, and logged a few times only', async (t) => {
  const { post, stored, jobs, lines } = await open(t)
  const body = JSON.stringify(cloudBody({ messages: [textMessage('SIM')] }))
  const refused = async (
    path: string,
    headers: Record<string, string>,
    wanted: [number, string],
    bytes = body,
  ) => {
    const { status, code } = await post(path, bytes, headers)
    assert.equal([status, code], wanted, path)
  }
  const signature: [number, string] = [401, 'WEBHOOK_SIGNATURE']
  await refused(META, {}, signature)
  await refused(META, signed(body, 'another secret'), signature)
  await refused(META, signed(`${body} `), signature)
  await refused(
    META,
    { ...signed(body), authorization: `Bearer ${VERIFY_TOKEN}`, 'x-hub-signature-256': 'x' },
    signature,
  )
  await refused('/webhooks/whatsapp/nobody', signed(body), [404, 'WEBHOOK_UNKNOWN'])
  await refused('/webhooks/whatsapp/bare', signed(body), [503, 'WEBHOOK_UNREADY'])
  await refused('/webhooks/whatsapp/bare', signed(body, ''), [503, 'WEBHOOK_UNREADY'])
  await refused('/webhooks/unoapi/uno', {}, [403, 'WEBHOOK_TOKEN'])
  await refused('/webhooks/unoapi/uno', { authorization: 'another' }, [403, 'WEBHOOK_TOKEN'])
  await refused('/webhooks/unoapi/meta', { authorization: VERIFY_TOKEN }, [404, 'WEBHOOK_UNKNOWN'])
  await refused('/webhooks/twilio/tw', {}, signature)
  assert.equal(await stored(), [])
  assert.equal(jobs, [])
  const before = lines.length
  for (let n = 0; n < 20; n++) await refused(META, {}, signature)
  assert.ok(lines.length - before <= 5, `${lines.length - before} lines`)
  const told = JSON.stringify(lines)
  for (const secret of [APP_SECRET, VERIFY_TOKEN, UNOAPI_TOKEN, TWILIO_TOKEN, 'SIM', '5511980112211'])
    assert.not.ok(told.includes(secret), secret)
})

test('a body that is too large, no JSON, or nothing of ours is refused or ignored as its provider needs', async (t) => {
  const { post, postCloud, stored, origin } = await open(t)
  const large = JSON.stringify(cloudBody({ messages: [textMessage('x'.repeat(5 * 1024 * 1024))] }))
  assert.equal(await statusOf(`${origin}${META}`, large), 413)
  for (const text of ['', '{', 'not json', '{"object":"whatsapp_business_account",}']) {
    const { status, code } = await post(META, text, signed(text))
    assert.equal([status, code], [400, 'BODY_NOT_JSON'], text)
  }
  for (const value of [
    null,
    [],
    'text',
    {},
    { object: 'page' },
    { object: 'whatsapp_business_account' },
    { object: 'whatsapp_business_account', entry: 'no list' },
    { object: 'whatsapp_business_account', entry: [null, {}, { changes: [] }, { changes: [null, {}] }] },
    cloudBody({}),
    cloudBody({ messages: [], statuses: [], contacts: [], errors: [] }),
    cloudBody({ messages: null, statuses: 'x' }),
    cloudBody({ messages: [null, 3, 'x', { type: 'system', id: 'wamid.s' }] }),
  ])
    assert.is((await postCloud(value)).status, 200, JSON.stringify(value))
  assert.equal(await stored(), [])
  const put = await fetch(`${origin}${META}`, { method: 'PUT', body: '{}' })
  assert.is(put.status, 404)
  await put.body?.cancel()
})

test('one part that cannot be read does not take its neighbours along', async (t) => {
  const { postCloud, stored } = await open(t)
  await postCloud(
    cloudBody({
      messages: [
        null,
        textMessage('SIM', { id: 'wamid.fine', timestamp: 'yesterday', context: 'none' }),
        cloudMessage({ id: 'wamid.nul', text: { body: 'a\0b\ud800c' } }),
        cloudMessage({ id: 'wamid.odd', type: 'unsupported', errors: [{ code: 131051 }] }),
      ],
      statuses: [{ id: 'wamid.x', status: 'warming up' }],
    }),
  )
  const rows = await stored()
  assert.equal(
    rows.map((row) => [row['provider_id'], row['kind'], row['text']]),
    [
      ['wamid.fine', 'text', 'SIM'],
      ['wamid.nul', 'text', 'ab\ufffdc'],
      ['wamid.odd', 'other', null],
    ],
  )
})

test('people are known by number, with or without the ninth digit, or only by an id', async (t) => {
  const { postCloud, stored } = await open(t)
  const people: [Record<string, unknown>, string | null, string | null][] = [
    [{ from: '551180112211' }, '+5511980112211', null],
    [{ from: '5511980112211@s.whatsapp.net' }, '+5511980112211', null],
    [{ from: 5511980112211 }, '+5511980112211', null],
    [{ from: '171829384756@lid' }, null, '171829384756@lid'],
    [{ from: undefined, from_user_id: 'BR.13491208655302741918' }, null, 'BR.13491208655302741918'],
    [{ from: undefined }, null, null],
    [{ from: '14155552671' }, '+14155552671', null],
  ]
  for (const [at, [part]] of people.entries())
    await postCloud(
      cloudBody({ messages: [textMessage('oi', { id: `wamid.${String(at).padStart(3, '0')}`, ...part })] }),
    )
  const rows = (await stored()).toSorted((a, b) =>
    String(a['provider_id']) < String(b['provider_id']) ? -1 : 1,
  )
  assert.equal(
    rows.map((row) => [row['phone'], row['user_id']]),
    people.map(([, phone, user]) => [phone, user]),
  )
})

test('a contact beside a message tells whose number it is; groups, echoes and notices are ignored', async (t) => {
  const { postCloud, stored } = await open(t)
  const contacts = [{ wa_id: '5511980112211', user_id: 'BR.1', profile: { name: 'Ana' } }]
  await postCloud(
    cloudBody({ contacts, messages: [textMessage('SIM', { id: 'wamid.lid', from: '17@lid' })] }),
  )
  await postCloud(
    cloudBody({
      messages: [
        textMessage('SIM', { group_id: 'g' }),
        textMessage('SIM', { from: '120363041234567890@g.us' }),
        textMessage('SIM', { from: '551140000000' }),
      ],
    }),
  )
  const rows = await stored()
  assert.equal(
    rows.map((row) => [row['provider_id'], row['phone'], row['user_id']]),
    [['wamid.lid', '+5511980112211', '17@lid']],
  )
})

test('UnoAPI posts with its token, bare or as Bearer', async (t) => {
  const { post, stored } = await open(t)
  for (const authorization of [UNOAPI_TOKEN, `Bearer ${UNOAPI_TOKEN}`]) {
    const body = JSON.stringify(cloudBody({ messages: [textMessage('SIM', { timestamp: 1790000000 })] }))
    assert.is((await post('/webhooks/unoapi/uno', body, { authorization })).status, 200)
  }
  const rows = await stored()
  assert.equal(
    rows.map((row) => [row['channel'], row['instance_id'], (row['sent_at'] as Date).getTime()]),
    [
      ['unoapi', 'uno', 1790000000_000],
      ['unoapi', 'uno', 1790000000_000],
    ],
  )
})

/** What Twilio's own library signs and accepts. */
interface Vectors {
  token: string
  cases: { name: string; url: string; form: Record<string, unknown>; signature: string; isValid: boolean }[]
}

test("Twilio's signature is judged as its own library judges it", async () => {
  const file = new URL('../fixtures/twilio-signatures.json', import.meta.url)
  const { token, cases }: Vectors = JSON.parse(await readFile(file, 'utf8'))
  for (const { name, signature, isValid, ...signed } of cases)
    assert.is(isSignedByTwilio(signature, { token, ...signed }), isValid, name)
  const [{ url, form }] = cases as [Vectors['cases'][0]]
  assert.not.ok(isSignedByTwilio(undefined, { token, url, form }))
})

test('a post of Twilio is accepted by its signature over the public URL and the form', async (t) => {
  const { post, stored, jobs } = await open(t)
  const form = {
    MessageSid: 'SM1',
    From: 'whatsapp:+551180112211',
    To: 'whatsapp:+14155238886',
    Body: ' Não, não pode entrar & obrigada ',
    NumMedia: '0',
    OriginalRepliedMessageSid: 'SM0',
  }
  const send = (
    url: string,
    signature: string,
    path = '/webhooks/twilio/tw',
    fields: Record<string, string> = form,
  ) =>
    post(path, new URLSearchParams(fields).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': createHmac('sha1', signature)
        .update(
          url +
            Object.keys(fields)
              .sort()
              .flatMap((name) => [name, fields[name]])
              .join(''),
        )
        .digest('base64'),
    })
  const path = '/webhooks/twilio/tw?from=gate'
  const answer = await send(`${PUBLIC_URL}${path}`, TWILIO_TOKEN, path)
  assert.equal([answer.status, answer.text], [200, '<Response/>'])
  assert.match(answer.type!, /^text\/xml/)
  const [row] = await stored()
  assert.equal(
    [row!['phone'], row!['text'], row!['quoted_id'], row!['channel']],
    ['+5511980112211', ' Não, não pode entrar & obrigada ', 'SM0', 'twilio'],
  )
  assert.is(jobs.length, 1)
  assert.is((await send(`${PUBLIC_URL}${path}`, TWILIO_TOKEN, path)).status, 200, 'its one retry')
  assert.is(jobs.length, 1)
  assert.is((await send(`${PUBLIC_URL}/webhooks/twilio/tw`, 'another token')).code, 'WEBHOOK_SIGNATURE')
  assert.is(
    (await send('https://evil.example.com/webhooks/twilio/tw', TWILIO_TOKEN)).code,
    'WEBHOOK_SIGNATURE',
  )

  const status = { MessageSid: 'SM9', MessageStatus: 'undelivered', ErrorCode: '63016' }
  await send(`${PUBLIC_URL}/webhooks/twilio/tw`, TWILIO_TOKEN, '/webhooks/twilio/tw', status)
  await send(`${PUBLIC_URL}/webhooks/twilio/tw`, TWILIO_TOKEN, '/webhooks/twilio/tw', {
    ...status,
    MessageStatus: 'queued',
  })
  assert.equal(jobs.slice(1), [{ type: 'inbound_receipts', data: {} }])
})

test('Twilio lets nobody in where the public URL is not configured', async (t) => {
  const { post } = await open(t, { publicUrl: '' })
  assert.is((await post('/webhooks/twilio/tw', 'MessageSid=SM1', {})).code, 'WEBHOOK_UNREADY')
})

test('browsers must not guess the type of an answer to a post, refused or not', async (t) => {
  const { origin } = await open(t)
  const body = JSON.stringify(cloudBody({ messages: [textMessage('SIM')] }))
  for (const [secret, status] of [
    [APP_SECRET, 200],
    ['another secret', 401],
  ] as const) {
    const answer = await fetch(`${origin}${META}`, { method: 'POST', body, headers: signed(body, secret) })
    await answer.arrayBuffer()
    assert.is(answer.status, status)
    assert.is(answer.headers.get('x-content-type-options'), 'nosniff')
  }
})

/** The status of the answer, also where the server answers before it has read the whole body and cuts it off. */
function statusOf(url: string, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    let status: number | undefined
    const sending = request(url, { method: 'POST', headers: signed(body) }, (response) => {
      status = response.statusCode
      response.resume()
    })
    // writing into a connection that was answered and closed
    sending.on('error', (error) => status === undefined && reject(error))
    sending.on('close', () => resolve(status))
    sending.end(body)
  })
}

test.run()
