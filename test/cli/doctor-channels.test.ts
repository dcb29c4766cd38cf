import * as assert from 'uvu/assert'
import { examineChannels } from '../../src/cli/doctor/channels.ts'
import { type Environment, parseConfig } from '../../src/config/config.ts'
import { startPeer } from '../rig/channels-peer.ts'
import { deadPort } from '../rig/ports.ts'
import { suite } from '../rig/rig.ts'

const test = suite('doctor: channels')

const examine = async (environment: Environment) =>
  Object.fromEntries(
    (await examineChannels(parseConfig(environment))).map((finding) => [finding.name, finding]),
  )
const WHATSAPP = { WHATSAPP_TOKEN: 'word', WHATSAPP_PHONE_ID: '555' }
const TWILIO = { TWILIO_ACCOUNT_SID: 'AC1', TWILIO_AUTH_TOKEN: 'word', TWILIO_FROM: '+5511900000000' }

test('a channel that is not configured is off', async () => {
  const findings = await examine({})
  assert.equal(
    Object.values(findings).map(({ name, state }) => [name, state]),
    [
      ['whatsapp', 'off'],
      ['twilio', 'off'],
      ['webhook', 'off'],
      ['failures', 'off'],
    ],
  )
})

test('accounts are asked with their login, and nothing is sent to anybody', async (rig) => {
  let status = 200
  const peer = await startPeer(rig, (_, response) => response.writeHead(status).end('{}'))
  const environment = {
    ...WHATSAPP,
    ...TWILIO,
    WHATSAPP_PROVIDER: 'unoapi',
    WHATSAPP_URL: `${peer.url}/v15.0`,
    WHATSAPP_VERIFY_TOKEN: 'v',
    TWILIO_URL: peer.url,
    WEBHOOK_URL: `${peer.url}/hook`,
    PUBLIC_URL: 'https://portaria.example',
  }
  const well = await examine(environment)
  assert.equal([well['whatsapp']!.state, well['twilio']!.state, well['webhook']!.state], ['ok', 'ok', 'ok'])
  assert.equal(
    peer.received.map(({ method, path, headers }) => [method, path, headers.authorization]).toSorted(),
    [
      ['GET', '/2010-04-01/Accounts/AC1.json', `Basic ${Buffer.from('AC1:word').toString('base64')}`],
      ['GET', '/hook', undefined],
      ['GET', '/v15.0/555', 'word'],
    ],
  )
  status = 401
  const refused = await examine(environment)
  assert.equal([refused['whatsapp']!.code, refused['twilio']!.code], ['WHATSAPP_REFUSED', 'TWILIO_REFUSED'])
  assert.equal([refused['whatsapp']!.state, refused['webhook']!.state], ['failed', 'ok'])
  status = 200
  const deaf = await examine({ ...environment, WHATSAPP_VERIFY_TOKEN: '', PUBLIC_URL: '' })
  assert.equal([deaf['whatsapp']!.state, deaf['twilio']!.state], ['warning', 'warning'])
  assert.match(deaf['twilio']!.remedy!, /PUBLIC_URL/)
})

test('an unreachable channel is a warning: messages wait', async () => {
  const url = `http://127.0.0.1:${await deadPort()}`
  const findings = await examine({
    ...WHATSAPP,
    WHATSAPP_URL: url,
    WEBHOOK_URL: url,
    STATUS_FAILED_WEBHOOK_URL: 'http://nowhere.invalid/',
  })
  assert.equal([findings['whatsapp']!.state, findings['whatsapp']!.code], ['warning', 'DELIVERY_RESET'])
  assert.equal([findings['webhook']!.state, findings['failures']!.code], ['warning', 'DELIVERY_DNS'])
})

test('half an account is said at the start', () => {
  const problemsOf = (environment: Environment) => {
    try {
      parseConfig(environment)
      return []
    } catch (error) {
      return (error as { details: { problems: string[] } }).details.problems
    }
  }
  assert.equal(problemsOf({ WHATSAPP_TOKEN: 'a' }), ['WHATSAPP_PHONE_ID is needed with WHATSAPP_TOKEN'])
  assert.equal(problemsOf({ TWILIO_FROM: '+55' }), [
    'TWILIO_ACCOUNT_SID is needed with TWILIO_FROM',
    'TWILIO_AUTH_TOKEN is needed with TWILIO_FROM',
  ])
  assert.equal(problemsOf({ WEBHOOK_TOKEN: 'a' }), ['WEBHOOK_URL is needed for WEBHOOK_TOKEN'])
  assert.equal(problemsOf({ EGRESS_ALLOW: '10.0.0.0/8, house' }).length, 1)
  assert.equal(problemsOf({ WHATSAPP_TEMPLATE: 'aviso' }).length, 1)
  assert.equal(parseConfig({ ...WHATSAPP, WHATSAPP_TEMPLATE: 'aviso:pt_BR' }).channels.whatsapp!.template, {
    name: 'aviso',
    language: 'pt_BR',
  })
})

test.run()
