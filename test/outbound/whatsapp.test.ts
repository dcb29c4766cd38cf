import { randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { createTenant } from '../../src/directory/index.ts'
import { createAccounts, type OwnAccounts } from '../../src/outbound/accounts.ts'
import { createTwilioSender } from '../../src/outbound/channels/twilio.ts'
import { createWhatsAppSender, type WhatsAppOptions } from '../../src/outbound/channels/whatsapp.ts'
import { createSenders } from '../../src/outbound/senders.ts'
import {
  deleteInstance,
  findInstanceByHook,
  hookOf,
  listInstances,
  saveInstance,
} from '../../src/outbound/sql/instances.ts'
import { encodeVoice, hasVoiceEncoder } from '../../src/outbound/voice.ts'
import { fail } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { first, messageOf, openClient, startPeer, undeliveredBy } from '../rig/channels-peer.ts'
import { openTestDatabase } from '../rig/database.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('channels: whatsapp and twilio')

const CALL = '6f1f3f0a-9a1e-4a58-9d2e-0a5d5d0b5f11'
const reply = (response: ServerResponse, status: number, body: unknown, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
const sent = (id = 'wamid.1') => ({ messaging_product: 'whatsapp', messages: [{ id }] })
const refused = (code: number, details = 'why') => ({
  error: {
    message: `(#${code}) to +55 11 98765-4321`,
    type: 'OAuthException',
    code,
    error_data: { details },
  },
})

function ownWhatsApp(url: string, facts: Partial<NonNullable<OwnAccounts['whatsapp']>> = {}): OwnAccounts {
  return {
    whatsapp: {
      provider: 'cloud',
      url,
      phoneId: '555',
      token: 'word',
      appSecret: undefined,
      verifyToken: undefined,
      template: undefined,
      questionTemplate: undefined,
      ...facts,
    },
  }
}

function openWhatsApp(
  rig: Rig,
  database: Database,
  own: OwnAccounts,
  options: Partial<WhatsAppOptions> = {},
) {
  return createWhatsAppSender({
    accounts: createAccounts({ database, own }),
    http: openClient(rig, { allow: [] }),
    recording: async () => undefined,
    encode: async () => undefined,
    providerIdOf: async (id) => id,
    log: silentLog(),
    ...options,
  })
}

const TO = '+5511987654321'
const text = (words = 'Olá') =>
  messageOf({ channel: 'whatsapp', to: TO, body: { type: 'text', text: words } })
const question = () =>
  messageOf({
    channel: 'whatsapp',
    to: TO,
    body: {
      type: 'buttons',
      text: 'Deixar entrar?',
      buttons: [
        { id: 'yes:1', title: 'Sim' },
        { id: 'no:1', title: 'Não' },
      ],
    },
  })

test('texts, buttons and templates have the shape of the Cloud API', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, (_, response) => reply(response, 200, sent()))
  const sender = openWhatsApp(rig, database, ownWhatsApp(`${peer.url}/v23.0`))
  assert.equal(await sender.send(text(), first), { providerId: 'wamid.1', status: 200 })
  await sender.send(question(), first)
  await sender.send(
    messageOf({
      channel: 'whatsapp',
      to: TO,
      body: {
        type: 'template',
        name: 'visita',
        language: 'pt_BR',
        parameters: ['João\n\te  Maria'],
        payloads: ['yes:1'],
      },
    }),
    first,
  )
  await sender.send(
    messageOf({ channel: 'whatsapp', to: 'BR.123', body: { type: 'text', text: 'a', replyTo: 'wamid.0' } }),
    first,
  )
  const [first1, second, third, fourth] = peer.received.map(({ body }) => JSON.parse(body))
  assert.is(peer.received[0]!.path, '/v23.0/555/messages')
  assert.is(peer.received[0]!.headers.authorization, 'Bearer word')
  assert.equal(first1, {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    to: '5511987654321',
    type: 'text',
    text: { preview_url: false, body: 'Olá' },
  })
  assert.equal(second.interactive, {
    type: 'button',
    body: { text: 'Deixar entrar?' },
    action: {
      buttons: [
        { type: 'reply', reply: { id: 'yes:1', title: 'Sim' } },
        { type: 'reply', reply: { id: 'no:1', title: 'Não' } },
      ],
    },
  })
  assert.equal(third.template, {
    name: 'visita',
    language: { code: 'pt_BR' },
    components: [
      { type: 'body', parameters: [{ type: 'text', text: 'João e Maria' }] },
      {
        type: 'button',
        sub_type: 'quick_reply',
        index: '0',
        parameters: [{ type: 'payload', payload: 'yes:1' }],
      },
    ],
  })
  assert.equal(
    [fourth.recipient, fourth.to, fourth.context],
    ['BR.123', undefined, { message_id: 'wamid.0' }],
  )
})

test('UnoAPI gets a bare token and numbered lines; its UNO.WARN is a failure', async (rig) => {
  const database = await openTestDatabase(rig)
  const ids = ['7A01', 'UNO.WARN.the number has no WhatsApp']
  const peer = await startPeer(rig, (_, response) => reply(response, 200, sent(ids.shift())))
  const sender = openWhatsApp(
    rig,
    database,
    ownWhatsApp(`${peer.url}/v15.0`, { provider: 'unoapi', phoneId: '5511900' }),
  )
  assert.is((await sender.send(question(), first)).providerId, '7A01')
  const [received] = peer.received
  assert.is(received!.path, '/v15.0/5511900/messages')
  assert.is(received!.headers.authorization, 'word')
  assert.is(JSON.parse(received!.body).text.body, 'Deixar entrar?\n\n1 - Sim\n2 - Não')
  const warned = await undeliveredBy(sender.send(text(), first))
  assert.equal(
    [warned.code, warned.final, warned.uncertain, warned.status],
    ['WHATSAPP_WARNED', false, false, 200],
  )
})

test('each refusal has its class', async (rig) => {
  const database = await openTestDatabase(rig)
  let answer: [number, unknown, object?] = [200, {}]
  const peer = await startPeer(rig, (_, response) => reply(response, ...answer))
  const sender = openWhatsApp(rig, database, ownWhatsApp(peer.url))
  for (const [given, code, final, retryAfterMs] of [
    [[400, refused(130429)], 'WHATSAPP_LIMITED', false, 1000],
    [[400, refused(131056)], 'WHATSAPP_LIMITED', false, 6000],
    [[429, refused(4), { 'retry-after': '90' }], 'WHATSAPP_LIMITED', false, 90_000],
    [[400, refused(131026)], 'WHATSAPP_REFUSED', true, undefined],
    [[400, refused(131047)], 'WHATSAPP_WINDOW', true, undefined],
    [[401, refused(190)], 'WHATSAPP_REFUSED', true, undefined],
    [[400, refused(132001)], 'WHATSAPP_REFUSED', true, undefined],
    [[500, refused(131000)], 'WHATSAPP_REFUSED', false, undefined],
    [[503, refused(2)], 'WHATSAPP_REFUSED', false, undefined],
    [[502, 'bad gateway'], 'DELIVERY_STATUS', false, undefined],
    [[404, 'not here'], 'DELIVERY_STATUS', true, undefined],
    [[200, { hello: 'world' }], 'WHATSAPP_GARBLED', true, undefined],
    [[200, { messages: [] }], 'WHATSAPP_GARBLED', true, undefined],
  ] as [typeof answer, string, boolean, number | undefined][]) {
    answer = given
    const error = await undeliveredBy(sender.send(text(), first))
    const facts = [error.code, error.final, error.retryAfterMs]
    assert.equal(facts, [code, final, retryAfterMs], JSON.stringify(given))
    assert.not.match(error.message, /98765/)
  }
})

test('a try whose end is unknown says so: WhatsApp would show both', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, (_, response) => response.socket!.destroy())
  const error = await undeliveredBy(openWhatsApp(rig, database, ownWhatsApp(peer.url)).send(text(), first))
  assert.equal([error.code, error.uncertain], ['DELIVERY_RESET', true])
})

test('a closed window is answered with the template, or known before', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, ({ body }, response) => {
    if (JSON.parse(body).type === 'template') reply(response, 200, sent('wamid.t'))
    else reply(response, 400, refused(131047))
  })
  const own = ownWhatsApp(peer.url, {
    template: { name: 'aviso', language: 'pt_BR' },
    questionTemplate: { name: 'pergunta', language: 'pt_BR' },
  })
  const sender = openWhatsApp(rig, database, own)
  assert.is((await sender.send(text('Uma visita'), first)).providerId, 'wamid.t')
  assert.is((await sender.send(question(), first)).providerId, 'wamid.t')
  const bodies = peer.received.map(({ body }) => JSON.parse(body))
  assert.equal(
    bodies.map(({ type, template }) => template?.name ?? type),
    ['text', 'aviso', 'interactive', 'pergunta'],
  )
  assert.is(bodies[3].template.components.length, 3)
  const asked: string[] = []
  const knowing = openWhatsApp(rig, database, own, {
    windowOpen: async ({ to }) => {
      asked.push(to)
      return false
    },
  })
  await knowing.send(text(), first)
  assert.equal(asked, [TO])
  assert.is(peer.received.length, 5)
  // the database is away: nobody knows, and it is sent all the same
  const lost = openWhatsApp(rig, database, own, {
    windowOpen: () => Promise.reject(fail('DATABASE_UNREACHABLE', { reason: 'test' })),
  })
  assert.is((await lost.send(text(), first)).providerId, 'wamid.t')
})

test('a recording goes out for its own tenant only, whoever wrote the message', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig)
  await createTenant(database, { id: 'other', name: 'Other' })
  for (const tenantId of ['default', 'other'])
    await saveInstance(database, tenantId, {
      id: 'main',
      channel: 'whatsapp',
      settings: { url: peer.url, phoneId: '555' },
      secrets: { token: 'word' },
    })
  await database.query(
    `insert into calls (id, tenant_id, node_id, state, started_at) values ($1, 'default', 'a', 'ended', now())`,
    [CALL],
  )
  const scratch = await createTempDir('porteiro-recordings-')
  rig.defer(() => scratch.remove())
  await mkdir(join(scratch.path, CALL))
  await writeFile(join(scratch.path, CALL, 'identity.wav'), 'no sound')
  const { senders, close } = createSenders({
    database,
    channels: { egressAllow: ['127.0.0.0/8'], webhook: undefined },
    publicUrl: undefined,
    gateUrls: async () => [],
    recordings: scratch.path,
    receivedId: async () => undefined,
    log: silentLog(),
  })
  rig.defer(close)
  const sender = senders.find(({ channel }) => channel === 'whatsapp')!
  const codeAs = async (tenantId: string) => {
    const body = { type: 'audio', callId: CALL, recording: 'identity' }
    const message = messageOf({ channel: 'whatsapp', to: TO, body, tenantId, instanceId: 'main' })
    const { code, final } = await undeliveredBy(sender.send(message, first))
    return [code, final]
  }
  // as if it had been stored before anybody checked, was redriven, or retried
  assert.equal(await codeAs('other'), ['MEDIA_ABSENT', true])
  assert.is.not((await codeAs('default'))[0], 'MEDIA_ABSENT', 'its own is read, and is no sound')
  assert.is(peer.received.filter(({ path }) => path.endsWith('/messages')).length, 0)
})

test('a recording goes up as Ogg/Opus and out as a voice message', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, ({ path }, response) =>
    reply(response, 200, path.endsWith('/media') ? { id: 'media-7' } : sent('wamid.a')),
  )
  const own = ownWhatsApp(peer.url)
  const message = messageOf({
    channel: 'whatsapp',
    to: TO,
    body: { type: 'audio', callId: CALL, recording: 'identity' },
  })
  const wav = Buffer.from('RIFF sound')
  const sender = openWhatsApp(rig, database, own, {
    recording: async (callId, name) => (callId === CALL && name === 'identity' ? wav : undefined),
    encode: async (given) => Buffer.concat([Buffer.from('OggS '), given]),
  })
  assert.is((await sender.send(message, first)).providerId, 'wamid.a')
  const [media, post] = peer.received
  assert.is(media!.path, '/555/media')
  const form = await new Response(media!.body, {
    headers: { 'content-type': media!.headers['content-type']! },
  }).formData()
  assert.equal([form.get('messaging_product'), form.get('type')], ['whatsapp', 'audio/ogg'])
  const file = form.get('file') as File
  assert.equal([file.name, await file.text()], ['identity.ogg', 'OggS RIFF sound'])
  assert.equal(JSON.parse(post!.body).audio, { id: 'media-7', voice: true })

  const absent = await undeliveredBy(openWhatsApp(rig, database, own).send(message, first))
  assert.equal([absent.code, absent.final], ['MEDIA_ABSENT', true])
  const mute = openWhatsApp(rig, database, own, { recording: async () => wav })
  assert.is((await undeliveredBy(mute.send(message, first))).code, 'MEDIA_UNSUPPORTED')
  const uno = openWhatsApp(rig, database, ownWhatsApp(peer.url, { provider: 'unoapi' }))
  assert.is((await undeliveredBy(uno.send(message, first))).code, 'MEDIA_UNSUPPORTED')
})

test('ffmpeg is asked through pipes, and its absence is no error', async (rig) => {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-voice-'))
  rig.defer(() => rm(directory, { recursive: true }))
  const program = async (name: string, script: string) => {
    const path = join(directory, name)
    await writeFile(path, `#!/bin/sh\n${script}\n`)
    await chmod(path, 0o755)
    return path
  }
  const { signal } = new AbortController()
  const wav = Buffer.alloc(300_000, 7)
  const counts = await program(
    'counts',
    'test "$1" = "-encoders" -o "$2" = "-encoders" && echo libopus || { printf "OggS"; wc -c; }',
  )
  assert.match((await encodeVoice(wav, signal, counts))!.toString(), /^OggS\s*300000\s*$/)
  assert.ok(await hasVoiceEncoder(counts))
  assert.is(await encodeVoice(wav, signal, await program('fails', 'exit 1')), undefined)
  assert.is(await encodeVoice(wav, signal, join(directory, 'absent')), undefined)
  assert.not.ok(await hasVoiceEncoder(join(directory, 'absent')))
  const ending = new AbortController()
  const hanging = encodeVoice(wav, ending.signal, await program('hangs', 'exec sleep 60'))
  ending.abort()
  assert.is(await hanging, undefined)
})

test('accounts: the environment’s is the main one, rows are the tenants’ own, and secrets stay inside', async (rig) => {
  const database = await openTestDatabase(rig)
  await database.query(`insert into tenants (id, name) values ('acme', 'Acme')`)
  const accounts = createAccounts({ database, own: ownWhatsApp('http://127.0.0.1:1') })
  assert.ok((await accounts.find('default', 'whatsapp', 'default'))!.trusted)
  assert.is(await accounts.find('acme', 'whatsapp', 'default'), undefined)
  assert.is(await accounts.find('default', 'twilio', 'default'), undefined)
  const settings = { url: 'https://uno.example/v15.0', phoneId: '5511' }
  const saved = await saveInstance(database, 'acme', {
    id: 'main',
    channel: 'unoapi',
    settings,
    secrets: { token: 'deep', verifyToken: 'deeper' },
  })
  assert.equal(saved.secrets.toSorted(), ['token', 'verifyToken'])
  assert.not.ok(JSON.stringify(await listInstances(database, 'acme')).includes('deep'))
  const found = await accounts.find('acme', 'whatsapp', 'main')
  assert.equal([found!.channel, found!.secrets.token, found!.trusted], ['unoapi', 'deep', false])
  // secrets that are not named stay
  await saveInstance(database, 'acme', {
    id: 'main',
    channel: 'unoapi',
    settings,
    secrets: { verifyToken: 'new' },
  })
  assert.equal((await accounts.find('acme', 'whatsapp', 'main'))!.secrets, {
    token: 'deep',
    verifyToken: 'new',
  })
  assert.is((await accounts.main('acme', 'whatsapp'))!.id, 'main')
  assert.is((await accounts.main('default', 'whatsapp'))!.id, 'default')
  assert.is(await accounts.main('acme', 'twilio'), undefined)
  assert.is(hookOf({ tenantId: 'acme', id: 'main' }), 'acme:main')
  assert.is((await findInstanceByHook(database, 'whatsapp', 'acme:main'))!.tenantId, 'acme')
  assert.is(await findInstanceByHook(database, 'whatsapp', 'main'), undefined)
  assert.is((await accounts.findByHook('whatsapp', 'default'))!.tenantId, 'default')
  assert.is((await accounts.findByHook('whatsapp', 'acme:main'))!.id, 'main')
  await saveInstance(database, 'acme', {
    id: 'main',
    channel: 'unoapi',
    settings,
    secrets: {},
    enabled: false,
  })
  assert.is(await accounts.find('acme', 'whatsapp', 'main'), undefined)
  await saveInstance(database, 'acme', { id: 'bad', channel: 'twilio', settings: {}, secrets: {} })
  assert.is((await undeliveredBy(accounts.find('acme', 'twilio', 'bad'))).code, 'INSTANCE_INVALID')
  assert.ok(await deleteInstance(database, 'acme', 'whatsapp', 'main'))
  const sender = openWhatsApp(rig, database, {})
  const error = await undeliveredBy(sender.send({ ...text(), tenantId: 'acme', instanceId: 'main' }, first))
  assert.equal([error.code, error.final], ['INSTANCE_UNKNOWN', true])
})

test('an account of a tenant may not lead inside; that of the environment may', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, (_, response) => reply(response, 200, sent()))
  await saveInstance(database, 'default', {
    id: 'mine',
    channel: 'whatsapp',
    settings: { url: peer.url, phoneId: '1' },
    secrets: { token: 'word' },
  })
  const sender = openWhatsApp(rig, database, ownWhatsApp(peer.url))
  assert.is(
    (await undeliveredBy(sender.send({ ...text(), instanceId: 'mine' }, first))).code,
    'EGRESS_REFUSED',
  )
  assert.is(peer.received.length, 0)
  assert.is((await sender.send(text(), first)).status, 200)
})

const TWILIO = { accountSid: 'AC1', authToken: 'word', from: 'whatsapp:+5511900000000' }

test('Twilio gets a form with a login, and reports to PUBLIC_URL', async (rig) => {
  const database = await openTestDatabase(rig)
  const peer = await startPeer(rig, (_, response) => reply(response, 201, { sid: 'SM1', status: 'queued' }))
  const open = (from: string) =>
    createTwilioSender({
      accounts: createAccounts({ database, own: { twilio: { ...TWILIO, url: peer.url, from } } }),
      http: openClient(rig, { allow: [] }),
      publicUrl: 'https://portaria.example',
    })
  const message = { ...question(), channel: 'twilio' as const }
  assert.equal(await open(TWILIO.from).send(message, first), { providerId: 'SM1', status: 201 })
  await open(`MG${'0'.repeat(32)}`).send(message, first)
  const [received, service] = peer.received
  assert.is(received!.path, '/2010-04-01/Accounts/AC1/Messages.json')
  assert.is(received!.headers.authorization, `Basic ${Buffer.from('AC1:word').toString('base64')}`)
  assert.equal(Object.fromEntries(new URLSearchParams(received!.body)), {
    To: `whatsapp:${TO}`,
    From: TWILIO.from,
    Body: 'Deixar entrar?\n\n1 - Sim\n2 - Não',
    StatusCallback: 'https://portaria.example/webhooks/twilio/default',
  })
  const second = new URLSearchParams(service!.body)
  assert.equal(
    [second.get('To'), second.get('From'), second.get('MessagingServiceSid')],
    [TO, null, `MG${'0'.repeat(32)}`],
  )
})

test('Twilio’s refusals have their class', async (rig) => {
  const database = await openTestDatabase(rig)
  let answer: [number, unknown, object?] = [201, {}]
  const peer = await startPeer(rig, (_, response) => reply(response, ...answer))
  const own = { twilio: { ...TWILIO, url: peer.url } }
  const sender = createTwilioSender({
    accounts: createAccounts({ database, own }),
    http: openClient(rig, { allow: [] }),
    publicUrl: undefined,
  })
  for (const [given, code, final, retryAfterMs] of [
    [[429, { code: 20429, message: 'Too Many Requests' }], 'TWILIO_LIMITED', false, 2000],
    [[429, { code: 20429 }, { 'retry-after': '30' }], 'TWILIO_LIMITED', false, 30_000],
    [
      [400, { code: 21211, message: "'To' number +5511987654321 is not valid" }],
      'TWILIO_REFUSED',
      true,
      undefined,
    ],
    [[401, { code: 20003, message: 'Authenticate' }], 'TWILIO_REFUSED', true, undefined],
    [[503, { code: 20503, message: 'away' }], 'TWILIO_REFUSED', false, undefined],
    [[500, 'oops'], 'DELIVERY_STATUS', false, undefined],
    [[201, {}], 'TWILIO_GARBLED', true, undefined],
  ] as [typeof answer, string, boolean, number | undefined][]) {
    answer = given
    const error = await undeliveredBy(sender.send({ ...text(), channel: 'twilio' }, first))
    assert.equal(
      [error.code, error.final, error.retryAfterMs],
      [code, final, retryAfterMs],
      JSON.stringify(given),
    )
    assert.not.match(error.message, /98765/)
  }
  const other = await undeliveredBy(
    sender.send({ ...text(), channel: 'twilio', instanceId: randomUUID() }, first),
  )
  assert.is(other.code, 'INSTANCE_UNKNOWN')
})

test.run()
