import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeBatch } from '../../src/calls/sql/calls.ts'
import { importDirectory } from '../../src/directory/sql/directory.ts'
import { writeExtension } from '../../src/directory/sql/extensions.ts'
import { listRules } from '../../src/directory/sql/rules.ts'
import { saveTenantPrompt } from '../../src/directory/sql/tenant-prompts.ts'
import { pageUnits } from '../../src/directory/sql/units.ts'
import { addGateCommand, saveGate } from '../../src/gates/sql/gates.ts'
import { createKey } from '../../src/http/sql/keys.ts'
import { createEndpoint } from '../../src/outbound/sql/endpoints.ts'
import { saveInstance } from '../../src/outbound/sql/instances.ts'
import { addMessage, type Site } from './http-rig.ts'

/** Stands in everything of the tenant that has a text. */
export const NEEDLE = 'needle7f3a'

/** One of everything that a tenant can have; resolves with the ids. */
export async function furnish({ database, recordings }: Site, tenantId: string) {
  const call = crypto.randomUUID()
  const startedAt = new Date()
  await writeBatch(database, {
    calls: [
      {
        id: call,
        tenantId,
        nodeId: NEEDLE,
        gate: null,
        unitId: null,
        unitNumber: '101',
        state: 'reaching.searching',
        startedAt,
        endedAt: null,
        outcome: null,
        reason: null,
        decision: null,
        durations: null,
      },
    ],
    events: [
      { callId: call, seq: 0, at: startedAt, kind: 'started', leg: null, data: { node: NEEDLE } },
      { callId: call, seq: 1, at: startedAt, kind: 'leg.connected', leg: 'visitor', data: {} },
      {
        callId: call,
        seq: 2,
        at: startedAt,
        kind: 'said',
        leg: 'visitor',
        data: { pieces: ['greeting', { spell: NEEDLE }], ms: 900, of: 900, interrupted: false },
      },
      {
        callId: call,
        seq: 3,
        at: startedAt,
        kind: 'state',
        leg: null,
        data: { actor: 'call', state: 'reaching.searching', on: 'x' },
      },
    ],
  })
  await mkdir(join(recordings, call), { recursive: true })
  await writeFile(
    join(recordings, call, 'identity.wav'),
    Buffer.concat([Buffer.alloc(44), Buffer.alloc(1600)]),
  )
  await importDirectory(
    database,
    tenantId,
    [
      {
        number: '101',
        label: NEEDLE,
        residents: [{ name: NEEDLE, phone: '101', whatsapp: '+5511987654321' }],
      },
    ],
    {
      rules: {
        tenant: {
          blocked: [{ name: NEEDLE }],
          windows: [{ weekdays: [1], from: '08:00', to: '09:00', timezone: 'America/Sao_Paulo' }],
        },
      },
    },
  )
  const [unit] = await pageUnits(database, { tenantId, limit: 1 })
  const [block] = await listRules(database, 'block_list', { tenantId })
  const [window] = await listRules(database, 'auto_open_windows', { tenantId })
  const extension = `${NEEDLE}-${tenantId}`
  await writeExtension(database, {
    id: extension,
    ramal_ia: '1001',
    ramal_retorno: '1002',
    ip_servidor: '127.0.0.1',
    porta_ia: 18080,
    porta_retorno: 18081,
    condominio_id: tenantId,
  })
  await saveTenantPrompt(database, tenantId, 'greeting', Buffer.alloc(44 + 1600))
  const { endpoint } = await createEndpoint(database, tenantId, { url: `https://${NEEDLE}.example/hook` })
  await saveInstance(database, tenantId, {
    id: NEEDLE,
    channel: 'twilio',
    settings: { url: 'https://api.twilio.com', accountSid: 'AC1', from: '+5511' },
    secrets: { authToken: `secret-${NEEDLE}` },
  })
  await saveInstance(database, tenantId, {
    id: `${NEEDLE}-uno`,
    channel: 'unoapi',
    settings: { url: 'https://uno.example/v15.0', phoneId: '5511900000000' },
    secrets: { token: `secret-${NEEDLE}` },
  })
  await saveGate(database, tenantId, NEEDLE, { kind: 'amqp', exchange: 'gates', routingKey: NEEDLE })
  await addGateCommand(database, {
    id: randomUUID(),
    callId: call,
    tenantId,
    gateId: NEEDLE,
    unitNumber: '101',
    by: 'resident',
    via: 'key',
    decidedAt: startedAt,
    expiresAt: startedAt,
  })
  const key = await createKey(database, { tenantId, name: NEEDLE, scopes: ['read'] })
  const message = await addMessage(database, { tenantId, to: NEEDLE })
  const dead = await addMessage(database, { tenantId, to: NEEDLE, status: 'failed' })
  return {
    call,
    unit: unit!.id,
    block: block!.id,
    window: window!.id,
    extension,
    endpoint: endpoint.id,
    key: key.id,
    message,
    dead,
  }
}

export type Furniture = Awaited<ReturnType<typeof furnish>>

export interface Example {
  /** The path with everything filled in, and a query where one is wanted. */
  path: string
  body?: unknown
  /** Of the answer to who may. */
  status?: number
}

/** A request for every route of the document that would do something, by method and path as the document has them. */
export function examples(its: Furniture, tenantId: string): Record<string, Example> {
  const person = { name: 'Ana', phone: '102' }
  const unit = { number: '102', residents: [person] }
  const window = { weekdays: [1, 2], from: '10:00', to: '11:00', timezone: 'America/Sao_Paulo' }
  const pair = {
    ramal_ia: '1',
    ramal_retorno: '2',
    ip_servidor: '127.0.0.1',
    porta_ia: 18082,
    porta_retorno: 18083,
  }
  const gate = { kind: 'amqp', exchange: 'gates', routingKey: 'open' }
  const account = {
    id: 'second',
    channel: 'twilio',
    settings: { accountSid: 'AC2', from: '+5511' },
    secrets: { authToken: 'x' },
  }
  return {
    'get /api/session': { path: '/api/session' },
    'post /api/session': { path: '/api/session', body: { key: 'ptr_wrong' }, status: 401 },
    'delete /api/session': { path: '/api/session', status: 204 },
    'post /api/hangup': { path: '/api/hangup', body: { call_id: its.call, role: 'visitor' } },
    'get /api/calls': { path: '/api/calls?state=live&limit=10' },
    'get /api/calls/{id}': { path: `/api/calls/${its.call}` },
    'post /api/calls/{id}/decision': {
      path: `/api/calls/${its.call}/decision`,
      body: { verdict: 'authorized' },
    },
    'post /api/calls/{id}/say': {
      path: `/api/calls/${its.call}/say`,
      body: { role: 'visitor', text: 'um momento' },
      status: 202,
    },
    'get /api/calls/{id}/recordings': { path: `/api/calls/${its.call}/recordings` },
    'get /api/calls/{id}/recordings/{name}': { path: `/api/calls/${its.call}/recordings/identity` },
    'get /api/tenants': { path: '/api/tenants' },
    'post /api/tenants': {
      path: '/api/tenants',
      body: { id: 'third', name: 'Third', bargeIn: true },
      status: 201,
    },
    'get /api/tenants/{tenant}': { path: `/api/tenants/${tenantId}` },
    'patch /api/tenants/{tenant}': { path: `/api/tenants/${tenantId}`, body: { name: 'Vila', locale: null } },
    'get /api/tenants/{tenant}/webhook-secret': { path: `/api/tenants/${tenantId}/webhook-secret` },
    'post /api/tenants/{tenant}/webhook-secret/rotate': {
      path: `/api/tenants/${tenantId}/webhook-secret/rotate`,
      body: {},
    },
    'get /api/tenants/{tenant}/prompts': { path: `/api/tenants/${tenantId}/prompts` },
    'get /api/tenants/{tenant}/prompts/{prompt}': { path: `/api/tenants/${tenantId}/prompts/greeting` },
    // without a sound
    'put /api/tenants/{tenant}/prompts/{prompt}': {
      path: `/api/tenants/${tenantId}/prompts/greeting`,
      status: 422,
    },
    'delete /api/tenants/{tenant}/prompts/{prompt}': {
      path: `/api/tenants/${tenantId}/prompts/greeting`,
      status: 204,
    },
    'delete /api/tenants/{tenant}': { path: '/api/tenants/third', status: 204 },
    'get /api/units': { path: '/api/units?search=1' },
    'post /api/units': { path: '/api/units', body: unit, status: 201 },
    'get /api/units/{id}': { path: `/api/units/${its.unit}` },
    'put /api/units/{id}': { path: `/api/units/${its.unit}`, body: { ...unit, number: '103' } },
    'get /api/held-numbers': { path: '/api/held-numbers' },
    'post /api/held-numbers': {
      path: '/api/held-numbers',
      body: { number: '+51987654321' },
      status: 204,
    },
    'get /api/blocked': { path: '/api/blocked' },
    'post /api/blocked': { path: '/api/blocked', body: { name: 'fulano', unit: '103' }, status: 201 },
    'put /api/blocked/{id}': { path: `/api/blocked/${its.block}`, body: { phone: '+5511*' } },
    'delete /api/blocked/{id}': { path: `/api/blocked/${its.block}`, status: 204 },
    'get /api/windows': { path: '/api/windows' },
    'post /api/windows': { path: '/api/windows', body: window, status: 201 },
    'put /api/windows/{id}': { path: `/api/windows/${its.window}`, body: { ...window, unit: '103' } },
    'delete /api/windows/{id}': { path: `/api/windows/${its.window}`, status: 204 },
    'delete /api/units/{id}': { path: `/api/units/${its.unit}`, status: 204 },
    'get /api/directory/export': { path: '/api/directory/export' },
    'post /api/directory/import': { path: '/api/directory/import', body: { units: [unit] } },
    'get /api/extensions': { path: '/api/extensions' },
    'put /api/extensions/{id}': { path: `/api/extensions/${its.extension}`, body: pair },
    'post /api/refresh': { path: '/api/refresh', body: {} },
    'post /api/restart': { path: '/api/restart', body: { id: its.extension } },
    'delete /api/extensions/{id}': { path: `/api/extensions/${its.extension}`, status: 204 },
    'post /api/messages': {
      path: '/api/messages',
      body: {
        channel: 'twilio',
        instanceId: NEEDLE,
        to: '+5511987654321',
        body: { type: 'text', text: 'oi' },
      },
      status: 202,
    },
    'post /{version}/{phone}/messages': {
      path: '/v15.0/5511900000000/messages',
      body: { to: '5511987654321', type: 'text', text: { body: 'oi' } },
    },
    'get /{version}/{phone}/{media}': { path: '/v15.0/5511900000000/1' },
    'get /{version}/{media}': { path: '/v15.0/1?phone_number_id=5511900000000' },
    'get /{version}/download/{phone}/{media}': { path: '/v15.0/download/5511900000000/1' },
    'get /api/messages': { path: '/api/messages?limit=1' },
    'get /api/messages/{id}': { path: `/api/messages/${its.message}` },
    'post /api/messages/{id}/cancel': { path: `/api/messages/${its.message}/cancel`, body: {} },
    'post /api/messages/{id}/retry': { path: `/api/messages/${its.message}/retry`, body: {} },
    'get /api/queue/stats': { path: '/api/queue/stats' },
    'get /api/analytics/messages': { path: '/api/analytics/messages?by=tenant' },
    'get /api/analytics/calls': { path: '/api/analytics/calls?by=tenant' },
    'post /api/queue/pause': { path: '/api/queue/pause' },
    'post /api/queue/resume': { path: '/api/queue/resume' },
    'get /api/queue/dead': { path: '/api/queue/dead' },
    'post /api/queue/dead/redrive': { path: '/api/queue/dead/redrive', body: { ids: [its.dead] } },
    'get /api/endpoints': { path: '/api/endpoints' },
    'post /api/endpoints': { path: '/api/endpoints', body: { url: 'https://example.org/hook' }, status: 201 },
    'get /api/endpoints/{id}': { path: `/api/endpoints/${its.endpoint}` },
    'patch /api/endpoints/{id}': { path: `/api/endpoints/${its.endpoint}`, body: { enabled: false } },
    'post /api/endpoints/{id}/rotate': { path: `/api/endpoints/${its.endpoint}/rotate`, body: {} },
    'delete /api/endpoints/{id}': { path: `/api/endpoints/${its.endpoint}`, status: 204 },
    'get /api/instances': { path: '/api/instances' },
    'put /api/instances': { path: '/api/instances', body: account },
    'delete /api/instances/{carrier}/{id}': { path: `/api/instances/twilio/${NEEDLE}`, status: 204 },
    'get /api/gates': { path: '/api/gates' },
    'put /api/gates/{id}': { path: '/api/gates/second', body: gate },
    'post /api/gates/{id}/open': {
      path: `/api/gates/${NEEDLE}/open`,
      status: 202,
      body: { reason: 'the gardener rang' },
    },
    'delete /api/gates/{id}': { path: `/api/gates/${NEEDLE}`, status: 204 },
    'get /api/gates/commands': { path: '/api/gates/commands' },
    'get /api/keys': { path: '/api/keys' },
    'post /api/keys': { path: '/api/keys', body: { name: 'Ana', scopes: ['read'] }, status: 201 },
    'delete /api/keys/{id}': { path: `/api/keys/${its.key}`, status: 204 },
    'post /api/inspector/tickets': { path: '/api/inspector/tickets', body: { call: its.call } },
    'get /api/inspector/calls': { path: '/api/inspector/calls' },
    'get /api/inspector/calls/{id}': { path: `/api/inspector/calls/${its.call}` },
    'get /api/inspector/messages/{id}': { path: `/api/inspector/messages/${its.message}` },
    'get /api/machines': { path: '/api/machines' },
    'get /api/machines/{name}': { path: '/api/machines/call?format=mermaid' },
    'get /api/status': { path: '/api/status' },
    'get /api/abilities': { path: '/api/abilities' },
    'get /healthz': { path: '/healthz' },
    'get /readyz': { path: '/readyz' },
    'get /metrics': { path: '/metrics' },
  }
}
