import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import {
  type CallRow,
  type Calls,
  type Command,
  callsAwaitingVisitor,
  eventsOf,
  findCall,
  listCalls,
  stateEventsOf,
  timingsOf,
} from '../../calls/index.ts'
import { findResidents, findTenant } from '../../directory/index.ts'
import type { Locale } from '../../platform/audio.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { withTimeout } from '../../platform/time.ts'
import { attemptsOf } from '../../web/live/call-fold.js'
import { mayOperate, maySee, tenantsOf } from '../auth.ts'
import { attemptsWithNames, snapshotBy, snapshotOf } from '../call-view.ts'
import { conversationOf } from '../conversation.ts'
import { pageOf, paging, readCursor } from '../cursor.ts'
import { listRecordings } from '../recordings.ts'
import * as schemas from '../schemas/index.ts'

/** Maximum number of events in a response; a long call has a few hundred. */
const JOURNAL_LIMIT = 2000
/** Limit in ms for writing the latest events before a response. */
const FLUSH_MS = 1000

export interface CallRoutesOptions {
  /** The calls of this node; undefined if it takes none. */
  calls: Pick<Calls, 'find' | 'list'> | undefined
  /** Reaches the call wherever it lives. */
  command: Command
  database: Database
  /** Writes pending events, so that the response is up to date. */
  flush: () => Promise<void>
  /** Directory with a subdirectory for each call. */
  recordings: string
  /** For tenants that have none of their own. */
  locale: Locale
}

export const callId = z.guid('must be the UUID of a call').transform((id) => id.toLowerCase())
const params = z.object({ id: callId })
const filter = z.object({
  /** `live`, `ended`, or an outer state such as `reaching`. */
  state: z
    .string()
    .regex(/^[a-z]{1,30}$/i)
    .optional(),
  outcome: schemas.outcome.optional(),
  unit: z.string().max(16).optional(),
  tenant: z.string().max(64).optional(),
  ...paging,
})
const text = z.string().trim().min(1).max(500)

/** `POST /api/hangup`, `GET /api/calls`, `GET /api/calls/:id`, `POST /api/calls/:id/decision` and `/say`. */
export async function callRoutes(instance: FastifyInstance, options: CallRoutesOptions) {
  const { calls, command, database, flush, recordings } = options
  const app = instance.withTypeProvider<ZodTypeProvider>()

  /** After this the database is as recent as what the caller has seen. */
  const written = () => withTimeout(FLUSH_MS, flush()).catch(() => {})

  /** A foreign call looks like one that does not exist. */
  const demandSight = async (request: FastifyRequest, id: string) => {
    // this process only knows the id of an ended call; the database knows its tenant
    if (request.caller?.tenantId === null) return
    const call = calls?.find(id) ?? (await findCall(database, id))
    if (!maySee(request, call?.tenantId)) throw fail('CALL_UNKNOWN', { callId: id })
  }

  app.post(
    '/api/hangup',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Hangs up one leg (0x00) now',
        // a misspelt role must not end the visitor's leg
        body: z.strictObject({ call_id: callId, role: schemas.role.default('visitor') }),
        response: { 200: schemas.hungUp },
      },
    },
    async (request) => {
      const { call_id, role } = request.body
      await demandSight(request, call_id)
      await command(call_id, { type: 'hangUp', role, by: request.caller!.name })
      request.log.info({ call_id, leg: role, by: request.caller?.name }, 'a leg was hung up by the API')
      return { call_id, role, hungUp: true as const }
    },
  )

  app.get(
    '/api/calls',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Calls, newest first',
        querystring: filter,
        response: { 200: schemas.pageSchema(schemas.listedCall) },
      },
    },
    async (request) => {
      const { state, outcome, unit, tenant, limit, cursor } = request.query
      const [before, beforeId] = readCursor(cursor, z.tuple([z.iso.datetime(), z.guid()])) ?? []
      await written()
      const bounded = state === 'live' || state === 'ended'
      const rows = await listCalls(database, {
        tenantId: tenantsOf(request, tenant),
        live: bounded ? state === 'live' : undefined,
        state: bounded ? undefined : state,
        outcome,
        unit,
        before: before === undefined ? undefined : new Date(before),
        beforeId,
        limit: limit + 1,
      })
      const page = pageOf(rows, limit, ({ startedAt, id }) => [startedAt, id])
      const isElsewhere = ({ id, endedAt }: CallRow) => endedAt === null && !calls?.find(id)
      const elsewhere = page.items.filter(isElsewhere).map(({ id }) => id)
      const stateEvents = elsewhere.length > 0 ? await stateEventsOf(database, elsewhere) : undefined
      const awaiting = await callsAwaitingVisitor(database, elsewhere)
      return {
        ...page,
        items: page.items.map((row) => {
          const live = row.endedAt === null ? calls?.find(row.id) : undefined
          const events = stateEvents?.get(row.id)
          const isAwaiting = awaiting.has(row.id)
          return {
            ...callOf(row, isAwaiting),
            snapshot: live ? snapshotOf(live) : events ? snapshotBy(events, isAwaiting) : null,
          }
        }),
      }
    },
  )

  app.get(
    '/api/calls/:id',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'A call with its states, journal and conversation',
        params,
        response: { 200: schemas.callView },
      },
    },
    async (request) => {
      const { id } = request.params
      const live = calls?.find(id)
      await written()
      const row = await findCall(database, id)
      const tenantId = live?.tenantId ?? row?.tenantId
      if (tenantId === undefined || !maySee(request, tenantId)) throw fail('CALL_UNKNOWN', { callId: id })
      const events = await eventsOf(database, id, JOURNAL_LIMIT)
      const tenant = await findTenant(database, tenantId)
      const tried = attemptsOf(events)
      const residents = await findResidents(
        database,
        tenantId,
        tried.flatMap(({ residentId }) => residentId ?? []),
      )
      const elsewhere = !live && row !== undefined && row.endedAt === null
      const isAwaiting = elsewhere && (await callsAwaitingVisitor(database, [id])).has(id)
      return {
        call: row ? callOf(row, isAwaiting) : null,
        snapshot: live ? snapshotOf(live) : elsewhere ? snapshotBy(events, isAwaiting) : null,
        journal: events.map(({ callId: _, data, ...event }) => ({
          ...event,
          data: data as Record<string, unknown>,
        })),
        attempts: attemptsWithNames(tried, residents, { masked: !mayOperate(request.caller!) }),
        conversation: conversationOf(events, tenant?.locale ?? options.locale),
        timings: timingsOf(events),
        recordings: await listRecordings(recordings, id),
      }
    },
  )

  app.post(
    '/api/calls/:id/decision',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Decides about the visitor; the first decision stands',
        params,
        body: z.strictObject({ verdict: schemas.verdict }),
        response: { 200: schemas.decided },
      },
    },
    async (request) => {
      const { id } = request.params
      const { verdict } = request.body
      await demandSight(request, id)
      const by = request.caller!.name
      await command(id, { type: 'decide', verdict, by, via: 'api' })
      request.log.info({ call_id: id, verdict, by }, 'a call was decided by the API')
      return { callId: id, verdict, decided: true as const }
    },
  )

  app.post(
    '/api/calls/:id/say',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Speaks a text to one leg and interrupts what it hears',
        params,
        body: z.strictObject({ role: schemas.role, text }),
        response: { 202: schemas.spoken },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const { role, text } = request.body
      await demandSight(request, id)
      await command(id, { type: 'say', role, text, by: request.caller!.name })
      return reply.status(202).send({ callId: id, role, accepted: true })
    },
  )
}

function callOf({ decision, durations, ...row }: CallRow, awaitingVisitor: boolean) {
  return {
    ...row,
    awaitingVisitor,
    decision: schemas.call.shape.decision.safeParse(decision).data ?? null,
    durations: schemas.call.shape.durations.safeParse(durations).data ?? null,
  }
}
