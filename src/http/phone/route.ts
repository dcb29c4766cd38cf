import '@fastify/websocket'
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { WebSocket } from 'ws'
import { z } from 'zod'
import { isKey } from '../../audiosocket/index.ts'
import type { Command } from '../../calls/index.ts'
import { FRAME_BYTES, type Role } from '../../platform/audio.ts'
import { fail } from '../../platform/errors.ts'
import type { Caller } from '../auth.ts'
import { type LineEnd, openPhoneLine } from './line.ts'
import { createPhonePorts, type PhonePorts, type PhonePortsOptions } from './ports.ts'

/** Maximum number of browser telephones of a node: they are for test calls, not for running a gatehouse. */
const MAX_PHONES = 20
/** Maximum unread bytes of a page: 4 s of sound. Beyond it the phone is disconnected, which the call sees as a hangup. */
const UNREAD_BYTES = 64 * 1024
/** Interval of pings in ms; a page that does not answer is gone. */
const PING_MS = 10_000
/** Maximum messages per second from a page: 50 frames, keys, and room to catch up after a stall. */
const MESSAGES_PER_SECOND = 150

/** Close codes of the WebSocket; 1000 is a call that ended. */
export const PHONE_CLOSE = {
  garbage: 4400,
  revoked: 4401,
  slow: 4408,
  flood: 4429,
  unreachable: 4502,
} as const

interface PhoneRouteOptions extends PhonePortsOptions {
  /** Brings a command to the process of its call. */
  command: Command
  /** Allowed origins beside that of the request's own Host, such as `https://gate.example`. */
  origins?: readonly string[]
}

const query = z.object({
  role: z.enum(['visitor', 'resident']),
  call: z
    .guid('must be the UUID of a call')
    .transform((id) => id.toLowerCase())
    .optional(),
  gate: z.string().min(1).max(64).optional(),
})

const control = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('key'), key: z.string().length(1) }),
  z.strictObject({ type: z.literal('hangup') }),
])

interface Placed extends PhonePorts {
  callId: string
  role: Role
}

/**
 * `GET /api/phone?role=visitor|resident&call=UUID&gate=ID`: a WebSocket that is one telephone. Binary messages are 20
 * ms of 8 kHz s16le, both ways; text messages are JSON: `{"type":"key","key":"1"}` and `{"type":"hangup"}` to us,
 * `{"type":"open", "call":UUID}` and `{"type":"hangup","by":…}` from us. Behind it is an AudioSocket connection to a
 * port of our own, so a call from the page goes the way that every call goes. `@fastify/websocket` must be registered
 * before.
 *
 * A resident's phone needs the `call` that it answers. A visitor's phone starts a call, by default with a new UUID, or
 * continues one whose process is gone, whoever started it: a caller with the scope operate may also speak for an
 * entrance whose line is lost, and the original telephone then finds the call taken. The UUID of a live
 * (CALL_DUPLICATE) or ended call (CALL_ENDED) is refused, because the visitor's port would reject it silently, and that
 * of another tenant always as CALL_UNKNOWN.
 *
 * Errors: ORIGIN_REFUSED, BODY_INVALID, CALL_UNKNOWN, CALL_ENDED, CALL_DUPLICATE, PHONE_UNAVAILABLE, PHONES_EXHAUSTED,
 * as a response instead of a WebSocket.
 */
export async function phoneRoute(instance: FastifyInstance, options: PhoneRouteOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  const { origins = [] } = options
  const phonePorts = createPhonePorts(options)
  const placed = new WeakMap<FastifyRequest, Placed>()
  const phones = new Set<() => void>()

  app.addHook('preClose', async () => {
    for (const hangUp of phones) hangUp()
  })

  const place = async (request: FastifyRequest) => {
    checkOrigin(request, origins)
    const { role, call, gate } = request.query as z.infer<typeof query>
    if (phones.size >= MAX_PHONES) throw fail('PHONES_EXHAUSTED', { max: MAX_PHONES })
    const callId = call ?? randomUUID()
    const known = call === undefined ? undefined : await phonePorts.callOf(callId)
    if (known && !maySee(request.caller, known.tenantId)) throw fail('CALL_UNKNOWN', { callId })
    if (role === 'visitor') {
      if (known && !known.awaitingVisitor)
        throw fail(known.ended ? 'CALL_ENDED' : 'CALL_DUPLICATE', { callId, role })
    } else if (!known || known.ended) throw fail('CALL_UNKNOWN', { callId })
    const ports = phonePorts.portsOf(known ? known.entrance : gate)
    if (!ports || !(role === 'resident' || maySee(request.caller, ports.tenantId)))
      throw fail('PHONE_UNAVAILABLE')
    placed.set(request, { ...ports, callId, role })
  }

  app.get(
    '/api/phone',
    {
      websocket: true,
      config: { scope: 'operate' },
      schema: { querystring: query },
      // before the upgrade, so that a refusal is an answer with a code
      preHandler: place,
    },
    (socket, request) => {
      const { callId, role, host, [role]: port } = placed.get(request)!
      request.log.info({ call_id: callId, leg: role, by: request.caller?.name }, 'a phone of the page calls')
      const { end, hangUp } = connect(socket, {
        host,
        port,
        callId,
        role,
        sign: (from) =>
          options.command(callId, { type: 'phone', role, by: request.caller!.name, port: String(from) }),
      })
      const letGo = app.access.hold(request.caller!, () => end(PHONE_CLOSE.revoked, 'KEY_INVALID'))
      phones.add(hangUp)
      socket.once('close', () => {
        letGo()
        phones.delete(hangUp)
      })
    },
  )
}

interface PhoneWanted {
  host: string
  port: number
  callId: string
  role: Role
  /** Tells the call whose telephone this is, by the port it connects from. */
  sign: (port: number) => Promise<void>
}

/** One page and one line, which end each other. */
function connect(socket: WebSocket, where: PhoneWanted) {
  let alive = true
  let allowance = MESSAGES_PER_SECOND
  let from: number | undefined
  let isSigned = false

  const tell = (message: object) => socket.send(JSON.stringify(message))
  const cut = (code: number, reason: string) => {
    line.hangUp()
    socket.close(code, reason)
  }

  const line = openPhoneLine(where, {
    open(port) {
      from = port
      const opened = () => {
        if (socket.readyState === socket.OPEN) tell({ type: 'open', call: where.callId })
        isSigned = true
      }
      // a visitor's call begins with its line, and its first sound announces it
      if (where.role === 'visitor') return opened()
      // a resident's key opens a gate: not before the call knows whose it is
      where.sign(port).then(opened, () => cut(PHONE_CLOSE.unreachable, 'the service does not answer'))
    },
    audio(pcm) {
      if (where.role === 'visitor' && from !== undefined) {
        void where.sign(from).catch(() => {})
        from = undefined
      }
      if (socket.readyState !== socket.OPEN) return
      if (socket.bufferedAmount > UNREAD_BYTES) cut(PHONE_CLOSE.slow, 'the page does not read')
      else socket.send(pcm)
    },
    ended(by: LineEnd) {
      clearInterval(timer)
      if (socket.readyState !== socket.OPEN) return
      tell({ type: 'hangup', by })
      if (by === 'refused') socket.close(PHONE_CLOSE.unreachable, 'the service does not answer')
      else socket.close(1000, by)
    },
  })

  let seconds = 0
  const timer = setInterval(() => {
    allowance = MESSAGES_PER_SECOND
    if (++seconds * 1000 < PING_MS) return
    seconds = 0
    if (!alive) {
      line.hangUp()
      socket.terminate()
    } else {
      alive = false
      socket.ping()
    }
  }, 1000)

  const onMessage = (data: Buffer, isBinary: boolean) => {
    if (--allowance < 0) return cut(PHONE_CLOSE.flood, 'more than a telephone sends')
    if (isBinary && data.length === FRAME_BYTES) return isSigned ? line.speak(data) : undefined
    const said = isBinary ? undefined : parseControl(data)
    if (said === undefined) cut(PHONE_CLOSE.garbage, 'neither 20 ms of sound nor a key')
    else if (said.type === 'hangup') line.hangUp()
    else if (isSigned) line.press(said.key)
  }

  socket.binaryType = 'nodebuffer'
  socket.on('message', (data: Buffer, isBinary) => onMessage(data, isBinary))
  socket.on('pong', () => {
    alive = true
  })
  // what ws refuses by itself (no frame at all, a message too large) it closes with a code of its own; the listener
  // that was
  // there would cut it before that code is out, and log a page's mistake as an error of ours
  socket.removeAllListeners('error')
  socket.on('error', () => line.hangUp())
  socket.on('close', () => {
    clearInterval(timer)
    line.hangUp()
  })
  return { hangUp: line.hangUp, end: cut }
}

/** Undefined for an invalid message. */
function parseControl(data: Buffer): z.infer<typeof control> | undefined {
  try {
    const { data: said } = control.safeParse(JSON.parse(data.toString('utf8')))
    return said?.type === 'key' && !isKey(said.key.charCodeAt(0)) ? undefined : said
  } catch {
    return undefined
  }
}

/** Any page's WebSocket carries the cookie, so its origin must be ours; a key in the header does not come from a page. */
function checkOrigin(
  { host, headers: { origin, authorization } }: FastifyRequest,
  origins: readonly string[],
): void {
  if (origin === undefined && authorization !== undefined) return
  const ours = [`http://${host}`, `https://${host}`, ...origins]
  if (origin === undefined || !ours.includes(origin))
    throw fail('ORIGIN_REFUSED', { origin: origin ?? 'no origin' })
}

function maySee(caller: Caller | null, tenantId: string): boolean {
  return caller !== null && (caller.tenantId === null || caller.tenantId === tenantId)
}
