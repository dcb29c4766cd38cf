import { createHmac, randomUUID } from 'node:crypto'
import fastify from 'fastify'
import { pino } from 'pino'
import { readAnswer } from '../../src/dialogue/index.ts'
import { importDirectory } from '../../src/directory/index.ts'
import { inboundRoutes, replyError } from '../../src/http/index.ts'
import { createApprovals } from '../../src/inbound/approvals.ts'
import { createConversation, type Respond } from '../../src/inbound/conversation.ts'
import {
  createIntake,
  type EnqueueJobs,
  INBOUND_MESSAGE,
  INBOUND_RECEIPTS,
  type InboundJob,
  PROCESS_AI_RESPONSE,
} from '../../src/inbound/intake.ts'
import type { Enqueue, PersonalMessage, TenantMessenger } from '../../src/inbound/outgoing.ts'
import { type Bounce, createReceipts } from '../../src/inbound/receipts.ts'
import { createReplies, type Decide } from '../../src/inbound/replies.ts'
import { type Approval, approvalsOf } from '../../src/inbound/sql/approvals.ts'
import { createAccounts, insertMessages, saveInstance } from '../../src/outbound/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { openTestDatabase } from '../rig/database.ts'
import type { Rig } from '../rig/rig.ts'

export const APP_SECRET = 'app secret of Meta'
export const VERIFY_TOKEN = 'verify-me'
export const UNOAPI_TOKEN = 'unoapi token'
export const TWILIO_TOKEN = 'twilio token'
export const PUBLIC_URL = 'https://portaria.example.com'

export type World = Awaited<ReturnType<typeof openWorld>>
export type Decision = Parameters<Decide>[1] & { callId: string }

export interface WorldOptions {
  decide?: Decide
  respond?: Respond
  locale?: 'pt-BR' | 'en'
  /** By which account residents are asked; null: by none. */
  carrier?: TenantMessenger | null
}

const WHATSAPP: TenantMessenger = {
  channel: 'whatsapp',
  instanceId: 'default',
  network: 'whatsapp',
  plays: true,
}

/** The store, the handlers and one tenant; calls, the queue and the providers are played by the test. */
export async function openWorld(
  rig: Rig,
  { decide, respond, locale = 'pt-BR', carrier = WHATSAPP }: WorldOptions = {},
) {
  const database = await openTestDatabase(rig)
  await importDirectory(database, 'default', [], { tenant: { id: 'default', name: 'Ipê', locale } })
  const sent: (PersonalMessage & { id: string })[] = []
  const jobs: InboundJob[] = []
  const decisions: Decision[] = []
  const bounced: [string, { code: string; reason: string; tenantId: string }][] = []
  const verdicts = new Map<string, string>()

  const enqueue: Enqueue = async (message, { transaction } = {}) => {
    const id = randomUUID()
    const { expiresAt = null, callId = null, ...rest } = message
    const fresh = { ...rest, id, expiresAt, callId, maxRetries: 5, retryDelayMs: 1000, queue: 'outgoing' }
    const inserted = await insertMessages(transaction ?? database, [{ ...fresh, createdAt: new Date() }])
    if (inserted.has(id)) {
      sent.push({ ...message, id })
      return { id }
    }
    return { id: sent.find(({ idempotencyKey }) => idempotencyKey === message.idempotencyKey)!.id }
  }
  const enqueueJobs: EnqueueJobs = async (_, added) => {
    jobs.push(...added)
  }
  const bounce: Bounce = async (...args) => {
    bounced.push(args)
    return true
  }
  const firstWins: Decide = async (callId, decision) => {
    if (verdicts.has(callId)) return 'late'
    verdicts.set(callId, decision.verdict)
    decisions.push({ callId, ...decision })
    return 'accepted'
  }
  const log = silentLog()
  const handle = {
    [INBOUND_MESSAGE]: createReplies({
      ...{ database, enqueue, enqueueJobs, locale, log },
      publishReceived: async () => {},
      understand: (text, language) => readAnswer(text, language).answer,
      decide: decide ?? firstWins,
    }),
    [INBOUND_RECEIPTS]: createReceipts({ database, enqueueJobs, bounce, announce: async () => {}, log }),
    [PROCESS_AI_RESPONSE]: createConversation({ database, enqueue, respond, locale, log }),
  }
  const context = { jobId: '', queue: 'incoming', attempt: 1, signal: new AbortController().signal }
  /** By the type of a job. */
  const handlers: Record<string, (data: unknown) => Promise<void>> = Object.fromEntries(
    Object.entries(handle).map(([type, handler]) => [type, (data: unknown) => handler(data, context)]),
  )
  const cancelled: string[] = []
  const approvals = createApprovals({
    database,
    enqueue,
    cancel: async (ids) => {
      cancelled.push(...ids)
    },
    messengerOf: async () => carrier ?? undefined,
    locale,
    callMaxMs: 300_000,
    log: silentLog(),
  })
  rig.defer(() => approvals.settled())

  /** Does every job that waits, and those that they make; not those that shall wait. */
  const work = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      if (job.startAfterMs === undefined) await handlers[job.type]!(job.data)
    }
  }
  return { database, handlers, approvals, sent, jobs, decisions, bounced, cancelled, enqueueJobs, work }
}

/** A visit for which somebody is asked. */
export async function ask(
  { approvals, database }: Pick<World, 'approvals' | 'database'>,
  {
    callId = randomUUID(),
    unit = '101',
    people = ['+5511980112211'],
  }: { callId?: string; unit?: string; people?: string[] } = {},
): Promise<{ callId: string; approvals: Approval[] }> {
  await approvals.ask({
    callId,
    tenantId: 'default',
    unit: { id: unit, label: unit },
    residents: people.map((whatsapp, at) => ({ id: `${unit}-${at}`, name: 'Ana', whatsapp, notify: true })),
    visitor: { name: 'João', intent: 'delivery' },
    recorded: true,
    waitMs: 60_000,
  })
  return { callId, approvals: await approvalsOf(database, callId) }
}

let made = 0

/** A message of a person, in the Cloud API's form. */
export function cloudMessage(part: Record<string, unknown>): Record<string, unknown> {
  return { from: '5511980112211', id: `wamid.${++made}`, type: 'text', ...part }
}

export function textMessage(body: string, part: Record<string, unknown> = {}): Record<string, unknown> {
  return cloudMessage({ text: { body }, ...part })
}

export function cloudBody(value: Record<string, unknown>): Record<string, unknown> {
  const metadata = { display_phone_number: '551140000000', phone_number_id: '1' }
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: '1', changes: [{ field: 'messages', value: { metadata, ...value } }] }],
  }
}

export function signed(bytes: string | Uint8Array, secret = APP_SECRET): Record<string, string> {
  const signature = createHmac('sha256', secret).update(bytes).digest('hex')
  return { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` }
}

/** The webhooks on a port, with an account of each kind. */
export async function openWebhooks(
  rig: Rig,
  {
    database,
    enqueueJobs,
    publicUrl = PUBLIC_URL,
  }: { database: Database; enqueueJobs: EnqueueJobs; publicUrl?: string | undefined },
) {
  await saveInstance(database, 'default', {
    id: 'meta',
    channel: 'whatsapp',
    settings: { url: 'https://graph.example.com', phoneId: '1' },
    secrets: { token: 't', appSecret: APP_SECRET, verifyToken: VERIFY_TOKEN },
  })
  await saveInstance(database, 'default', {
    id: 'bare',
    channel: 'whatsapp',
    settings: { url: 'https://graph.example.com', phoneId: '1' },
    secrets: { token: 't' },
  })
  await saveInstance(database, 'default', {
    id: 'uno',
    channel: 'unoapi',
    settings: { url: 'https://uno.example.com', phoneId: '1' },
    secrets: { token: 't', verifyToken: UNOAPI_TOKEN },
  })
  await saveInstance(database, 'default', {
    id: 'tw',
    channel: 'twilio',
    settings: { accountSid: 'AC1', from: 'whatsapp:+14155238886' },
    secrets: { authToken: TWILIO_TOKEN },
  })
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info', base: null }, { write: (line) => void lines.push(JSON.parse(line)) })
  const intake = createIntake({ database, enqueueJobs })
  const app = fastify({ forceCloseConnections: true })
  app.setErrorHandler(replyError)
  await app.register(inboundRoutes, {
    intake,
    accounts: createAccounts({ database, own: {} }),
    publicUrl,
    log,
  })
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  rig.defer(async () => {
    await app.close()
    await intake.close()
  })
  const post = async (
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string>,
  ) => {
    const response = await fetch(`${origin}${path}`, { method: 'POST', body, headers })
    const text = await response.text()
    return { status: response.status, text, code: codeOf(text), type: response.headers.get('content-type') }
  }
  return {
    origin,
    lines,
    post,
    postCloud: (value: unknown, path = '/webhooks/whatsapp/meta') => {
      const body = JSON.stringify(value)
      return post(path, body, signed(body))
    },
  }
}

function codeOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: { code?: string } }).error?.code
  } catch {
    return undefined
  }
}
