import { randomBytes } from 'node:crypto'
import WebSocket, { type RawData } from 'ws'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { delay } from '../platform/time.ts'
import type { Report } from './reports.ts'

/** ms before the first reconnection; doubled after each failure up to MAX_PAUSE_MS. */
const PAUSE_MS = 500
const MAX_PAUSE_MS = 30_000
/** ms between two pings; a connection that left one unanswered is dead. */
const PING_MS = 15_000
/** An event is about 1 kB. */
const MAX_BYTES = 1_048_576
/** The events that count; a busy PBX sends hundreds of others, which are not parsed. */
const WANTED = /"type":\s*"Channel(StateChange|Destroyed)"|"variable":\s*"AMDSTATUS"/

export interface AriEventsOptions {
  /** Of REST, such as http://pbx:8088/ari. */
  base: string
  authorization: string
  /** Limit in ms for the connection to be accepted. */
  timeoutMs: number
  onReport: (channelId: string, report: Report) => void
  log: Logger
}

// no interface: declarations of the package spell an alias out, and need it exported otherwise
type AriEvents = {
  close(): Promise<void>
}

/**
 * Listens to Asterisk's events, and connects again when the connection is lost. Nothing waits for it: while it is away telephones
 * ring as they would without reports.
 */
export function watchAri({ base, authorization, timeoutMs, onReport, log }: AriEventsOptions): AriEvents {
  // Asterisk gives the events of an application to its latest connection only, so each process has an application of its own
  const app = `porteiro-${randomBytes(4).toString('hex')}`
  const url = `${base.replace(/^http/, 'ws')}/events?app=${app}&subscribeAll=true`
  const { host } = new URL(base)
  const closing = new AbortController()
  let state: 'unknown' | 'open' | 'away' = 'unknown'

  /** One connection, from its request to its end; resolves with whether it was accepted. */
  const session = () =>
    new Promise<boolean>((resolve) => {
      const socket = new WebSocket(url, {
        headers: { authorization },
        handshakeTimeout: timeoutMs,
        maxPayload: MAX_BYTES,
        perMessageDeflate: false,
      })
      const end = () => socket.terminate()
      let accepted = false
      let answered = true
      let reason = 'Asterisk closed it'
      const ping = setInterval(() => {
        if (!accepted) return
        if (!answered) return end()
        answered = false
        socket.ping()
      }, PING_MS)
      closing.signal.addEventListener('abort', end)
      socket.on('open', () => {
        accepted = true
        if (state !== 'open') log.info({ host }, "Asterisk's events are connected")
        state = 'open'
      })
      socket.on('pong', () => {
        answered = true
      })
      socket.on('message', read)
      socket.on('error', (error) => {
        reason = reasonOf(error)
      })
      socket.on('close', () => {
        clearInterval(ping)
        closing.signal.removeEventListener('abort', end)
        if (state !== 'away' && !closing.signal.aborted) {
          log.warn(
            { host, code: 'ARI_UNREACHABLE', reason },
            "Asterisk's events are away; telephones ring without them",
          )
        }
        state = 'away'
        resolve(accepted)
      })
    })

  const read = (data: RawData) => {
    const text = data.toString()
    if (!WANTED.test(text)) return
    try {
      const event = JSON.parse(text) as ChannelEvent
      const report = reportOf(event)
      if (report) onReport(event.channel.id, report)
    } catch (error) {
      log.debug({ host, reason: reasonOf(error) }, 'an event of Asterisk was not understood')
    }
  }

  const watch = async () => {
    for (let failures = 0; !closing.signal.aborted; ) {
      failures = (await session()) ? 0 : failures + 1
      await delay(Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** failures), closing.signal)
    }
  }

  const watching = watch()
  return {
    async close() {
      closing.abort()
      await watching
    },
  }
}

interface ChannelEvent {
  type: string
  /** Q.850 */
  cause?: number
  /** Of a variable that was set on the channel. */
  value?: string
  channel: { id: string; state: string }
}

function reportOf({ type, cause, value, channel }: ChannelEvent): Report | undefined {
  if (type === 'ChannelDestroyed') return endOf(channel.state, cause)
  return type === 'ChannelVarset' ? SCREENED[value ?? ''] : PROGRESS[channel.state]
}

const PROGRESS: Partial<Record<string, Report>> = { Ringing: 'ringing', Up: 'answered' }

/** AMDSTATUS as AMD() of Asterisk sets it; NOTSURE says nothing. */
const SCREENED: Partial<Record<string, Report>> = { HUMAN: 'person', MACHINE: 'machine' }

/** Q.850 causes that Asterisk gives to a channel that nobody answered; include/asterisk/causes.h. */
const CAUSES: Partial<Record<number, Report>> = {
  1: 'unallocated',
  3: 'unallocated',
  17: 'busy',
  21: 'declined',
  27: 'congested',
  34: 'congested',
  38: 'congested',
  41: 'congested',
  42: 'congested',
  44: 'congested',
  // no cause, normal clearing (the ring time is over), no user responding, no answer
  0: 'unanswered',
  16: 'unanswered',
  18: 'unanswered',
  19: 'unanswered',
}

/** How a channel ended. One that was answered and is gone before its leg came was lost. */
function endOf(state: string, cause = 0): Report {
  return state === 'Up' ? 'failed' : (CAUSES[cause] ?? 'failed')
}
