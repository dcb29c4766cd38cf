/**
 * A test of the running service: a visit between two telephones, and generated paths of the call, played by telephone.
 *
 *     npm install porteiro xstate && node --test service.test.ts
 *
 * It starts a Postgres of its own, or uses a database at DATABASE_URL that nothing else uses.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { parseConfig, silentLog, startService } from 'porteiro'
import { callMachine } from 'porteiro/machines'
import {
  byPhone,
  createPhone,
  isPlayable,
  model,
  phone,
  playResident,
  playVisitor,
  readPrompts,
  writeShortPrompts,
} from 'porteiro/testing'

const folder = join(tmpdir(), `visits-${process.pid}`)
await writeShortPrompts(join(folder, 'prompts'))
const prompts = await readPrompts('pt-BR', [join(folder, 'prompts')])
const key = randomUUID()
const service = await startService({
  config: parseConfig({
    DATABASE_URL: process.env['DATABASE_URL'],
    DATA_DIR: folder,
    AUDIOSOCKET_VISITOR_PORT: '0',
    AUDIOSOCKET_RESIDENT_PORT: '0',
    API_PORT: '0',
    API_KEY: key,
    // the test answers the telephones that Porteiro wants called
    CLICKTOCALL: 'manual',
    HANGUP_DELAY_MS: '0',
    HANGUP_GRACE_MS: '200',
  }),
  log: silentLog(),
})
after(async () => {
  await service.stop()
  await rm(folder, { recursive: true, force: true })
})

const api = `http://127.0.0.1:${service.ports.api}`
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
const unit = (number: string, step: object) => ({
  number,
  residents: [{ name: 'Rosa', phone: `sip:1${number}@pbx.local` }],
  plan: [step],
})
const imported = await fetch(`${api}/api/directory/import`, {
  method: 'POST',
  headers,
  body: JSON.stringify({
    tenant: { id: 'default', name: 'Edifício Ipê', answerCheck: 'off' },
    units: [
      unit('101', { kind: 'call', attempts: 1, ringSeconds: 60 }),
      unit('102', { kind: 'call', attempts: 2, ringSeconds: 60 }),
      unit('103', { kind: 'call', attempts: 1, ringSeconds: 5 }),
      unit('104', { kind: 'whatsapp' }),
    ],
  }),
})
assert.equal(imported.status, 200, await imported.text())

test('a resident lets a visitor in with 1', async () => {
  const visitor = createPhone({ port: service.ports.visitor, prompts, timeoutMs: 60_000 })
  const wanted = new Promise<void>((resolve) => {
    service.journal.subscribe(({ callId, kind }) => {
      if (callId === visitor.id && kind === 'resident.wanted') resolve()
    })
  })
  const visit = playVisitor(visitor, { keys: '101#' })
  await wanted
  const resident = createPhone({ port: service.ports.resident, id: visitor.id, role: 'resident', prompts })
  await playResident(resident, { keys: '1' })
  assert.equal((await visit).goodbye?.prompt, 'farewell-visitor-authorized')
  assert.equal(await outcomeOf(visitor.id), 'authorized')
})

/** The books follow the telephones: the end of a call is written after everybody has left it. */
async function outcomeOf(callId: string): Promise<string> {
  for (;;) {
    const { call } = await (await fetch(`${api}/api/calls/${callId}`, { headers })).json()
    if (call.outcome) return call.outcome
    await setTimeout(100)
  }
}

describe('by telephone', { concurrency: 8 }, () => {
  const driver = phone({
    port: service.ports.visitor,
    residentPort: service.ports.resident,
    api,
    key,
    units: { once: '101', twice: '102', brief: '103', nobody: '104', unknown: '999' },
  })
  for (const path of model(callMachine, byPhone).paths({ each: 'transition' }).filter(isPlayable))
    test(path.title, () => path.play(driver))
})
