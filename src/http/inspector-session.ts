import type { FastifyBaseLogger } from 'fastify'
import type { WebSocket } from 'ws'
import { z } from 'zod'
import { asPorteiroError, fail, type PorteiroError } from '../errors.ts'
import { INSPECTED_KINDS, type Inspection } from '../observe/inspection.ts'
import { feedMessage, machineOf } from '../observe/inspection-feed.ts'
import { type StatelyMessage, statelyMessage } from '../observe/inspection-stately.ts'
import type { Caller } from './auth.ts'
import { checkedEvent, sendableTo } from './inspector-events.ts'
import type { Ticket } from './inspector-tickets.ts'
import { createViewer } from './inspector-viewer.ts'

/** Messages out of order that a viewer may send before it is closed. */
const GARBLED = 10
/** Characters of a message from a viewer. */
const MESSAGE_CHARACTERS = 16 * 1024

export interface SessionOptions {
  socket: WebSocket
  inspection: Inspection
  log: FastifyBaseLogger
}

export interface PageSessionOptions extends SessionOptions {
  caller: Caller
  /** Notes in a call's journal what was sent to it by hand. */
  note: (callId: string, data: Record<string, unknown>) => void
  issueTicket: (ticket: Omit<Ticket, 'caller'>) => { ticket: string; expiresAt: Date }
}

const name = z.string().min(1).max(100)
const request = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('watch'), name: name.nullable() }),
  z.strictObject({
    type: z.literal('send'),
    ref: z.number().int(),
    name,
    id: z.string().max(40),
    event: z.record(z.string(), z.unknown()),
  }),
  z.strictObject({
    type: z.literal('ticket'),
    call: name.nullable().default(null),
    masked: z.boolean().default(true),
  }),
])
type Request = z.infer<typeof request>

/**
 * One page of the inspector on its WebSocket. It is told of every root actor it may see, and of one root all that happens in
 * it; it may send an event to an actor where its scope is operate. The messages are those
 * of FeedMessage, and the answers hello, watching, sent, refused and ticket; a frame is a list of them.
 */
export function servePage({ socket, inspection, log, caller, note, issueTicket }: PageSessionOptions): void {
  const operates = mayOperate(caller)
  const viewer = createViewer({ socket, batched: true, onCut: (error) => reportCut(log, caller, error) })
  const tell = (message: object) => viewer.tell(JSON.stringify(message))
  const options = { masked: !operates, sendable: operates ? sendableTo : () => [] }

  tell({
    type: 'hello',
    at: Date.now(),
    caller: { name: caller.name, tenantId: caller.tenantId, scopes: caller.scopes },
    masked: !operates,
  })
  const viewing = inspection.open({
    sees: ({ tenantId }) => maySee(caller, tenantId),
    kinds: INSPECTED_KINDS,
    tell: (happening) => tell(feedMessage(happening, options)),
  })
  socket.once('close', () => viewing.close())

  const send = ({ name, id, event, ref }: Extract<Request, { type: 'send' }>) => {
    if (!operates) throw fail('KEY_SCOPE', { scope: 'operate' })
    const found = viewing.find(name, id)
    if (!found) throw fail('ACTOR_UNKNOWN')
    const { of, actor } = found
    const machine = machineOf(actor)
    const checked = checkedEvent(machine, event, caller.name)
    const sent = { actor: actor === of.root ? machine : actor.id, event: checked.type, by: caller.name }
    if (of.kind === 'call') note(of.name, sent)
    log.warn(
      { ...(of.kind === 'call' && { call_id: of.name }), tenant: of.tenantId, ...sent },
      'sent by hand',
    )
    actor.send(checked)
    tell({ type: 'sent', ref })
  }

  const act = (asked: Request) => {
    if (asked.type === 'watch') {
      tell({ type: 'watching', name: asked.name })
      if (!viewing.watch(asked.name)) throw fail('ACTOR_UNKNOWN')
    } else if (asked.type === 'send') send(asked)
    else {
      const { type: _, masked, ...wanted } = asked
      tell({ type: 'ticket', ...issueTicket({ ...wanted, masked: masked || !operates }) })
    }
  }

  let garbled = 0
  socket.on('message', (data, binary) => {
    let ref: number | undefined
    try {
      const asked = parse(String(data), binary)
      if (asked.type === 'send') ref = asked.ref
      act(asked)
    } catch (thrown) {
      const error = asPorteiroError(thrown)
      if (error.code === 'BUG') log.error({ err: thrown, code: error.code }, 'the inspector failed')
      tell({
        type: 'refused',
        ref,
        error: { code: error.code, message: error.message, details: error.details },
      })
      if (error.code === 'VIEWER_GARBLED' && ++garbled === GARBLED) viewer.close(error)
    }
  })
}

/** One of Stately's receivers: everything of the calls it may see, in its own protocol. It sends nothing that is read. */
export function serveStately(
  { socket, inspection, log }: SessionOptions,
  { caller, call, masked }: Ticket,
): void {
  const viewer = createViewer({ socket, batched: false, onCut: (error) => reportCut(log, caller, error) })
  const viewing = inspection.open({
    sees: ({ tenantId, name }) => maySee(caller, tenantId) && (call === null || name === call),
    kinds: call === null ? INSPECTED_KINDS : ['call'],
    everything: true,
    tell: (happening) => {
      const message: StatelyMessage | undefined = statelyMessage(happening, masked)
      if (message) viewer.tell(JSON.stringify(message))
    },
  })
  socket.once('close', () => viewing.close())
}

/** Who may only read is not told what people said, are called, or can be rung at. */
export function mayOperate({ scopes }: Caller): boolean {
  return scopes.includes('operate') || scopes.includes('admin')
}

/** What belongs to no tenant is for those who see all of them. */
function maySee(caller: Caller, tenantId: string | null): boolean {
  return caller.tenantId === null || caller.tenantId === tenantId
}

function reportCut(log: FastifyBaseLogger, { name }: Caller, { code, message }: PorteiroError): void {
  log.warn({ code, by: name }, message)
}

/** Errors: VIEWER_GARBLED. */
function parse(text: string, binary: boolean): Request {
  if (binary) throw fail('VIEWER_GARBLED', { problem: 'it is binary' })
  if (text.length > MESSAGE_CHARACTERS) throw fail('VIEWER_GARBLED', { problem: 'it is too long' })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw fail('VIEWER_GARBLED', { problem: 'it is not JSON' })
  }
  const parsed = request.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw fail('VIEWER_GARBLED', { problem: `${issue?.path.join('.') || 'message'}: ${issue?.message}` })
}
