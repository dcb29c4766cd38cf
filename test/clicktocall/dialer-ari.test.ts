import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { createAri } from '../../src/clicktocall/ari.ts'
import { createAriDialer } from '../../src/clicktocall/ari-dialer.ts'
import type { RingRequest } from '../../src/clicktocall/dialer.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { type Answer, ariSettings, openAri } from '../rig/ari-peer.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('dialer-ari')

function openDialer(rig: Rig, ari: { url: string }, settings: Partial<ReturnType<typeof ariSettings>> = {}) {
  const dialer = createAriDialer({
    ari: createAri({ ...ariSettings(ari), ...settings }),
    audiosocket: () => '10.0.0.5:8081',
    log: silentLog(),
  })
  rig.defer(() => dialer.close())
  return dialer
}

function requestFor(number: string): RingRequest {
  const callId = randomUUID()
  return {
    callId,
    attemptId: `${callId}-1`,
    contact: { residentId: 'r', name: '', number },
    ringMs: 29_500,
    legId: randomUUID() as string,
  } as RingRequest
}

async function failureOf(work: Promise<unknown>): Promise<PorteiroError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.instance(error, PorteiroError)
  return error as PorteiroError
}

test('Asterisk is asked to ring the endpoint and to run the resident context with the call', async (rig) => {
  const ari = await openAri(rig)
  const request = requestFor('101')
  await openDialer(rig, ari).dial(request)
  const [asked] = ari.asked
  assert.is(asked!.path, '/ari/channels')
  assert.equal(Object.fromEntries(asked!.query), {
    endpoint: 'PJSIP/101',
    context: 'porteiro-resident',
    extension: 's',
    priority: '1',
    timeout: '30',
    callerId: 'Portaria',
    channelId: request.attemptId,
  })
  assert.equal(asked!.body, { variables: { CALL: request.legId, AUDIOSOCKET: '10.0.0.5:8081' } })
})

test('an attempt that is asked for twice rings once and is no failure', async (rig) => {
  const ari = await openAri(rig)
  const dialer = openDialer(rig, ari)
  const request = requestFor('101')
  await dialer.dial(request)
  await dialer.dial(request)
  assert.is(ari.ringing.size, 1)
})

test('a cancelled attempt rings no more, and one that is over is left alone', async (rig) => {
  const ari = await openAri(rig)
  const dialer = openDialer(rig, ari)
  const request = requestFor('101')
  await dialer.dial(request)
  dialer.cancel(request, 'over')
  dialer.cancel(request, 'over')
  await ari.count('DELETE', 2)
  assert.is(ari.ringing.size, 0)
})

test('the path of ARI_URL may be left out, and the endpoint is a template', async (rig) => {
  const ari = await openAri(rig)
  const dialer = openDialer(rig, { url: ari.url.replace(/ari$/, '') }, { endpoint: 'Local/{number}@gate' })
  await dialer.dial(requestFor('102'))
  assert.is(ari.asked[0]!.path, '/ari/channels')
  assert.is(ari.asked[0]!.query.get('endpoint'), 'Local/102@gate')
})

const ANSWERS: [Answer, string][] = [
  [{ status: 400, reason: 'Endpoint not specified' }, 'ARI_REJECTED'],
  [{ status: 404, reason: 'Resource not found' }, 'ARI_REJECTED'],
  [{ status: 500, reason: 'Allocation failed' }, 'ARI_REJECTED'],
  [{ status: 302, reason: '' }, 'ARI_REJECTED'],
  [{ status: 403, reason: 'read only' }, 'ARI_AUTHENTICATION'],
  [{ status: 503, reason: 'restarting' }, 'ARI_UNREACHABLE'],
  ['hang', 'ARI_TIMEOUT'],
]
for (const [answer, code] of ANSWERS) {
  const name = typeof answer === 'object' ? `${answer.status} ${answer.reason}` : 'no answer'
  test(`${name} is ${code}`, async (rig) => {
    const ari = await openAri(rig, { answer: () => answer })
    const settings = answer === 'hang' ? { timeoutMs: 100 } : {}
    const error = await failureOf(openDialer(rig, ari, settings).dial(requestFor('101')))
    assert.is(error.code, code)
    if (code === 'ARI_REJECTED') assert.match(error.message, (answer as { reason: string }).reason)
  })
}

test('a wrong login and a closed port have different errors, neither with the password', async (rig) => {
  const ari = await openAri(rig)
  const login = await failureOf(openDialer(rig, ari, { password: 'wrong-word' }).dial(requestFor('101')))
  assert.is(login.code, 'ARI_AUTHENTICATION')
  const gone = await failureOf(openDialer(rig, { url: 'http://127.0.0.1:4' }).dial(requestFor('101')))
  assert.is(gone.code, 'ARI_UNREACHABLE')
  assert.match(gone.message, 'ECONNREFUSED')
  assert.not.match(JSON.stringify([login.message, login.details, gone.details]), /word/)
})

test('closing gives up hanging requests', async (rig) => {
  const ari = await openAri(rig, { answer: () => 'hang' })
  const dialer = openDialer(rig, ari, { timeoutMs: 600_000 })
  const failure = failureOf(dialer.dial(requestFor('101')))
  await ari.count('POST', 1)
  await dialer.close()
  assert.is((await failure).code, 'ARI_UNREACHABLE')
})

test.run()
