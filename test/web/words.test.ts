import { glob, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import * as assert from 'uvu/assert'
import { ERRORS, type ErrorCode } from '../../src/platform/errors.ts'
import { disabledIn, REASONS, sentenceIn } from '../../src/web/reasons.js'
import { logIn, snapshot, visit, withChromium } from '../rig/page-rig.ts'
import { suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('page words')
const inChromium = withChromium(test)
const LOCALES = ['pt-BR', 'en'] as const

/** Codes that only a process, its log, a PBX or a terminal shows. */
const NOT_ON_THE_PAGE: readonly string[] = [
  // starting
  `CONFIG_INVALID CONFIG_UNKNOWN USAGE_WRONG NODE_TOO_OLD NODE_TAKEN KEY_SHORT SECRET_KEY_UNKNOWN SECRET_KEY_MISSING DATABASE_POOLED DATA_DIR_UNUSABLE
  SENTRY_MISSING DATABASE_UNSUPPORTED DATABASE_SEARCH_PATH DATABASE_LOCKED MIGRATION_LOCKED MIGRATION_CHANGED MIGRATION_FAILED PROMPT_MISSING
  PROMPT_FORMAT BACKUP_FAILED BACKUP_DAMAGED BACKUP_NEWER RESTORE_OCCUPIED RESTORE_FAILED`,
  // between the PBX and us
  `FRAME_UNKNOWN_KIND FRAME_MALFORMED FRAME_OVERSIZED FRAME_EMPTY FRAME_KEY_UNKNOWN
  HANDSHAKE_TIMEOUT HANDSHAKE_INVALID HANDSHAKE_ABANDONED HANDSHAKE_CROWDED UUID_NIL
  UUID_REPEATED ADDRESS_REFUSED PEER_LOST PEER_ERROR PEER_STALLED RELAY_FAILED
  CALL_DUPLICATE LEG_MISPLACED CODEC_UNSUPPORTED LEG_UNEXPECTED RECORDING_FAILED MEDIA_THREAD_LOST`,
  // simulated telephones
  `PHONE_ENDED PHONE_TIMEOUT VOICE_LOST DEMO_TIMEOUT`,
  // calling the resident: the journal names the code
  `DIALER_FAILED DIAL_UNAVAILABLE CONTACT_NOBODY OPERATOR_UNAVAILABLE TOGETHER_UNAVAILABLE BROKER_REFUSED
  BROKER_RESET BROKER_DNS BROKER_TIMEOUT BROKER_AUTHENTICATION BROKER_VHOST BROKER_CHANNEL
  BROKER_CLOSED BROKER_BLOCKED BROKER_UNROUTABLE BROKER_NACKED MESSAGE_MALFORMED
  MESSAGE_LICENSE MESSAGE_STALE ARI_UNREACHABLE ARI_TIMEOUT ARI_AUTHENTICATION ARI_REJECTED`,
  // understanding
  `MODEL_FAILED MODEL_TIMEOUT MODEL_ANSWER_INVALID`,
  // jobs, and what providers post
  `JOB_UNKNOWN WEBHOOK_UNKNOWN WEBHOOK_SIGNATURE WEBHOOK_TOKEN WEBHOOK_UNREADY INBOUND_BUSY
  INBOUND_JOB`,
  // no browser sends this
  `REQUEST_MALFORMED`,
].flatMap((group) => group.split(/\s+/))
/** Rooms whose errors are answers of the API, but for the routes of providers, and reasons of deliveries. */
const ANSWERED = '../../src/{http,outbound,gates,directory}/**/*.ts'
const NOT_ANSWERED = ['inbound.ts', 'replies.ts']

const codes = Object.keys(ERRORS) as ErrorCode[]

/** Something for each place of a message. */
function detailsOf(code: ErrorCode): Record<string, unknown> {
  const places = [...ERRORS[code].message.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const more = code === 'MESSAGE_STATE' ? ['status'] : code === 'EGRESS_REFUSED' ? ['host', 'address'] : []
  return Object.fromEntries([...places, ...more].map((name) => [name, `<${name}>`]))
}

test('each code that can reach the page has a sentence in both languages, of what the error names', () => {
  for (const code of codes.filter((one) => !NOT_ON_THE_PAGE.includes(one))) {
    const [portuguese, english] = LOCALES.map((locale) =>
      sentenceIn(locale, { code, message: 'the service says', details: detailsOf(code) }),
    )
    assert.ok(REASONS[code], `${code} has no sentence in src/web/reasons.js`)
    assert.not.match(`${portuguese}${english}`, /the service says|undefined|\{/, code)
    assert.not.match(
      `${portuguese}`,
      /não consegue fazer isso agora/,
      `${code} names what the error does not`,
    )
    assert.not.match(`${english}`, /at the moment\.$/, `${code} names what the error does not`)
    assert.is.not(portuguese, english, code)
  }
})

test('a sentence is of an error that exists, and of none that stays off the page', () => {
  for (const code of NOT_ON_THE_PAGE) assert.ok(codes.includes(code as ErrorCode), `${code} is no error`)
  for (const code of Object.keys(REASONS)) {
    assert.ok(codes.includes(code as ErrorCode), `${code} is no error`)
    assert.not(NOT_ON_THE_PAGE.includes(code), `${code} is said not to reach the page`)
  }
})

test('what the API answers and why a delivery failed has a sentence', async () => {
  const raised = new Set<string>()
  for await (const file of glob(ANSWERED, { cwd: import.meta.dirname })) {
    if (NOT_ANSWERED.includes(basename(file))) continue
    const text = await readFile(join(import.meta.dirname, file), 'utf8')
    for (const [, code] of text.matchAll(/\b(?:fail|undelivered)\(\s*'([A-Z_]+)'/g)) raised.add(code!)
  }
  assert.ok(raised.size > 40, `only ${raised.size} codes were found`)
  assert.equal(
    [...raised].filter((code) => !REASONS[code]),
    [],
  )
})

test('a refused address has its own sentence, as a name and as a literal', () => {
  const details = { place: 'a.example leads to 10.0.0.1, which', host: 'a.example', address: '10.0.0.1' }
  assert.is(
    sentenceIn('pt-BR', { code: 'EGRESS_REFUSED', details }),
    'a.example leva a 10.0.0.1, que não é público nem está em EGRESS_ALLOW.',
  )
  assert.is(
    sentenceIn('pt-BR', {
      code: 'EGRESS_REFUSED',
      details: { place: '10.0.0.1', host: '10.0.0.1', address: '10.0.0.1' },
    }),
    '10.0.0.1 não é público nem está em EGRESS_ALLOW.',
  )
})

test('a detail that is one of a few words is said in the language of the sentence', () => {
  const details = { messageId: '7', status: 'sent', state: 'was sent before', event: 'cancelled' }
  assert.is(
    sentenceIn('pt-BR', { code: 'MESSAGE_STATE', details }),
    'A mensagem 7 já foi enviada; isso não é mais possível.',
  )
  assert.is(
    sentenceIn('en', { code: 'ENDPOINT_DISABLED', details: { endpoint: '3', reason: 'too noisy' } }),
    'Endpoint 3 is disabled: too noisy',
  )
  assert.is(disabledIn('pt-BR', 'by its tenant'), 'pelo próprio condomínio')
})

test('errors stored without details, and unknown codes, are shown as they were stored', () => {
  const message = 'a.example answered with status 500.'
  assert.is(sentenceIn('pt-BR', { code: 'DELIVERY_STATUS', message, details: null }), message)
  assert.is(sentenceIn('pt-BR', { code: 'HTTP_418', message: 'A teapot.' }), 'A teapot.')
})

test('a hidden error says that it does not work, not why', () => {
  const hidden = { code: 'DATABASE_UNREACHABLE', message: 'The service cannot do this.', details: {} }
  assert.is(sentenceIn('pt-BR', hidden), 'O serviço não consegue fazer isso agora.')
})

inChromium(
  'in Portuguese who decided, how it ended and what is kept of it are in Portuguese',
  async (rig) => {
    const house = await openService(rig)
    const visitor = await house.rung()
    const resident = house.resident(visitor.id)
    await house.noted(visitor.id, 'state', { actor: 'call', state: 'reaching.answered.consulting' })
    await resident.press('1')
    await house.ending(visitor.id)
    const here = await visit(rig, house, { locale: 'pt-BR' })
    const { page } = here
    const open = (id: string) => page.goto(`http://127.0.0.1:${house.service.ports.api}/#/calls/${id}`)
    await logIn(here, house.key)
    await open(visitor.id)
    await page.getByText('Decidido por morador · tecla').waitFor()
    await page.getByRole('button', { name: /^Registro/ }).click()
    await page.locator('.journal-row', { hasText: 'resultado: autorizado' }).getByText('ended').waitFor()

    // as late as can be: who says nothing is let go
    const silent = house.visitor()
    await house.noted(silent.id, 'started')
    const call = house.service.calls!.find(silent.id)!
    call.note('understood', 'visitor', { unit: '101', intent: 'delivery' })
    call.note('understood', 'resident', { answer: 'talk', confidence: 1 })
    await open(silent.id)
    await page.getByText('101 · entrega').waitFor()
    await page.getByText('quer falar').waitFor()
    await page.getByRole('button', { name: /^Registro/ }).click()
    call.note('decision.late', null, { verdict: 'denied', by: 'resident', via: 'voice' })
    const late = page.locator('.journal-row', { hasText: 'decision.late' })
    for (const fact of ['decisão: negado', 'por: morador', 'meio: voz'])
      await late.filter({ hasText: fact }).waitFor()
    silent.hangUp()
    await house.ending(silent.id)
    await page.locator('.call-head').getByText('o visitante desligou').waitFor()
    assert.equal(here.complaints, [])
  },
)

inChromium('the endpoint of the environment is listed, and cannot be changed here', async (rig) => {
  const house = await openService(rig, {
    settings: { WEBHOOK_URL: 'http://127.0.0.1:9/hook?token=hidden', WEBHOOK_TOKEN: 'Bearer hidden' },
  })
  const here = await visit(rig, house, { width: 390, height: 844, locale: 'pt-BR' })
  const { page } = here
  await logIn(here, house.key)
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/endpoints`)
  const row = page.locator('[data-endpoint="environment"]')
  await row.getByText('http://127.0.0.1:9/hook').waitFor()
  await row.getByText('do ambiente (WEBHOOK_URL)').waitFor()
  assert.is(await row.getByRole('button', { name: /Desativar|Trocar|Excluir/ }).count(), 0)
  assert.is(await page.getByText('hidden').count(), 0)
  assert.is(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)
  await snapshot(page, 'endpoints')
  assert.equal(here.complaints, [])
})

inChromium('the phone warns where no telephone would ring', async (rig) => {
  const house = await openService(rig, { settings: { CLICKTOCALL: 'off' } })
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/phone`)
  await page.locator('[data-phone="visitor"]').getByText('With CLICKTOCALL=off no phone rings').waitFor()
  await page.locator('[data-phone="resident"]').getByText('with CLICKTOCALL=manual this phone').waitFor()
  await snapshot(page, 'phone off')
  assert.equal(here.complaints, [])
})

test.run()
