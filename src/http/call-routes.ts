import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { LiveCall } from '../calls/call.ts'
import { stateName } from '../calls/observer.ts'
import type { Calls } from '../calls/registry.ts'
import { fail } from '../errors.ts'
import { eventsOf, findCall } from '../store/calls.ts'
import type { Database } from '../store/database.ts'
import { atMost } from '../wait.ts'

/** Events of a call that one answer holds; a long call has a few hundred. */
const JOURNAL_LIMIT = 2000
/** ms that an answer waits for the latest to be written. */
const FLUSH_MS = 1000

export interface CallRoutesOptions {
  calls: Calls
  database: Database
  /** Writes what waits, so that the answer has the latest. */
  flush: () => Promise<void>
}

const callId = z.guid('must be the UUID of a call').transform((id) => id.toLowerCase())
const hangupBody = z.object({ call_id: callId, role: z.enum(['visitor', 'resident']) })

/** `POST /api/hangup` and `GET /api/calls/:id`. */
export async function callRoutes(instance: FastifyInstance, { calls, database, flush }: CallRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.post('/api/hangup', { config: { scope: 'operate' }, schema: { body: hangupBody } }, async (request) => {
    const { call_id, role } = request.body
    if (request.caller?.tenantId !== null) {
      // an ended call is known here by its id alone; the database knows whose it was
      const call = calls.find(call_id) ?? (await findCall(database, call_id))
      if (!call || !maySee(request, call.tenantId)) throw fail('CALL_UNKNOWN', { callId: call_id })
    }
    calls.hangUp(call_id, role)
    request.log.info({ call_id, leg: role, by: request.caller?.name }, 'a leg was hung up by the API')
    return { call_id, role, hungUp: true }
  })

  app.get(
    '/api/calls/:id',
    { config: { scope: 'read' }, schema: { params: z.object({ id: callId }) } },
    async (request) => {
      const { id } = request.params
      const live = calls.find(id)
      await atMost(FLUSH_MS, flush()).catch(() => {})
      const row = await findCall(database, id)
      const tenantId = live?.tenantId ?? row?.tenantId
      if (tenantId === undefined || !maySee(request, tenantId)) throw fail('CALL_UNKNOWN', { callId: id })
      const journal = await eventsOf(database, id, JOURNAL_LIMIT)
      return {
        call: row ?? null,
        snapshot: live ? snapshotOf(live) : null,
        journal: journal.map(({ callId: _, ...event }) => event),
      }
    },
  )
}

/** A foreign call looks like one that does not exist. */
function maySee({ caller }: FastifyRequest, tenantId: string): boolean {
  return caller !== null && (caller.tenantId === null || caller.tenantId === tenantId)
}

/** The states of a live call and of the machines below it. */
function snapshotOf({ actor, legs }: LiveCall) {
  const snapshot = actor.getSnapshot()
  const children = Object.entries(snapshot.children).flatMap(([name, child]) => {
    const inner = child?.getSnapshot()
    return inner && 'value' in inner ? [[name, stateName(inner.value)]] : []
  })
  return { state: stateName(snapshot.value), legs: [...legs.keys()], children: Object.fromEntries(children) }
}
