import type { FastifyBaseLogger } from 'fastify'
import type { WebSocket } from 'ws'
import { z } from 'zod'
import { asPorteiroError, fail, type PorteiroError } from '../../platform/errors.ts'
import { type Caller, mayOperate } from '../auth.ts'
import type { Ticket } from './tickets.ts'
import type { ViewWanted } from './view.ts'
import { createViewer } from './viewer.ts'
import type { Views } from './views.ts'

/** Number of invalid messages after which a viewer is closed. */
const GARBLED = 10
/** Maximum length of a viewer's message in characters. */
const MESSAGE_CHARACTERS = 16 * 1024
/** Maximum number of a viewer's messages that wait for an answer of another process. */
const ASKED = 20

interface SessionOptions {
  socket: WebSocket
  views: Views
  log: FastifyBaseLogger
}

interface PageSessionOptions extends SessionOptions {
  caller: Caller
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
 * One page of the inspector on its WebSocket. It gets every root actor it may see, and everything that happens in one
 * root; with the scope operate it may send events to actors. The messages are those of FeedMessage, and the replies
 * hello, watching, sent, refused and ticket; a frame is a list of them.
 */
export function servePage({ socket, views, log, caller, issueTicket }: PageSessionOptions): void {
  const operates = mayOperate(caller)
  const viewer = createViewer({ socket, batched: true, onCut: (error) => reportCut(log, caller, error) })
  const tell = (message: object) => viewer.tell(JSON.stringify(message))

  tell({
    type: 'hello',
    at: Date.now(),
    caller: { name: caller.name, tenantId: caller.tenantId, scopes: caller.scopes },
    masked: !operates,
  })
  const wanted = wantedBy(caller, { protocol: 'page', masked: !operates, call: null })
  const view = views.open(wanted, viewer.tell, () => comeAgain(socket))
  socket.once('close', () => view.close())

  let latestWatch: Request | undefined
  const act = async (asked: Request) => {
    // a disconnected viewer, or one with a revoked key, cannot send
    if (socket.readyState !== socket.OPEN) return
    if (asked.type === 'watch') {
      if (asked !== latestWatch) return
      tell({ type: 'watching', name: asked.name })
      if (!(await view.watch(asked.name))) throw fail('ACTOR_UNKNOWN')
    } else if (asked.type === 'send') {
      const { ref, name, id, event } = asked
      await view.send({ name, id, event })
      tell({ type: 'sent', ref })
    } else {
      const { type: _, masked, ...rest } = asked
      tell({ type: 'ticket', ...issueTicket({ ...rest, masked: masked || !operates }) })
    }
  }

  let garbled = 0
  const refuse = (thrown: unknown, ref: number | undefined) => {
    const error = asPorteiroError(thrown)
    if (error.code === 'BUG') log.error({ err: thrown, code: error.code }, 'the inspector failed')
    tell({
      type: 'refused',
      ref,
      error: { code: error.code, message: error.message, details: error.details },
    })
    if (error.code === 'VIEWER_GARBLED' && ++garbled === GARBLED) viewer.close(error)
  }

  // one after the other, in their order
  let acting = Promise.resolve()
  let waiting = 0
  socket.on('message', (data, binary) => {
    let ref: number | undefined
    try {
      const asked = parse(String(data), binary)
      if (asked.type === 'send') ref = asked.ref
      if (waiting === ASKED) throw fail('VIEWER_GARBLED', { problem: 'it does not wait for answers' })
      if (asked.type === 'watch') latestWatch = asked
      waiting++
      acting = acting
        .then(() => act(asked))
        .catch((error) => refuse(error, ref))
        .finally(() => {
          waiting--
        })
    } catch (error) {
      refuse(error, ref)
    }
  })
}

/** One of Stately's receivers: all details of the calls it may see, in its own protocol. Its messages are ignored. */
export function serveStately({ socket, views, log }: SessionOptions, { caller, call, masked }: Ticket): void {
  const viewer = createViewer({ socket, batched: false, onCut: (error) => reportCut(log, caller, error) })
  const wanted = wantedBy(caller, { protocol: 'stately', masked, call })
  const view = views.open(wanted, viewer.tell, () => comeAgain(socket))
  socket.once('close', () => view.close())
}

/** Closes a viewer with outdated data with 1012; it reconnects automatically. */
export function comeAgain(socket: WebSocket): void {
  socket.close(1012, 'come again')
}

function wantedBy(caller: Caller, what: Pick<ViewWanted, 'protocol' | 'masked' | 'call'>): ViewWanted {
  return { ...what, by: caller.name, tenantId: caller.tenantId, operates: mayOperate(caller) }
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
