import { randomUUID } from 'node:crypto'
import { KIND } from '../audiosocket/index.ts'
import type { Role } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { phoneClock } from './clock.ts'
import { NARROW, WIDE } from './decoder.ts'
import { createLine, type Line, type LineEnd } from './line.ts'
import { createListener } from './listener.ts'
import { audioMessage, createMicrophone, message } from './microphone.ts'
import {
  createTranscript,
  type Ended,
  type EndedBy,
  type Happening,
  type Heard,
  type Hearing,
  type Match,
  type Waiting,
} from './transcript.ts'
import { VIOLATIONS, type Violation, type ViolationCode } from './violation.ts'
import { type Sounds, vocabularyOf } from './vocabulary.ts'
import { createWideband } from './wideband.ts'

export interface PhoneOptions {
  host?: string
  /** Asked anew for each connection where it is a function: behind one address there may be several nodes. */
  port: number | (() => number)
  /** The call's UUID; default: a new one. */
  id?: string
  /** Only a label; both roles behave the same in Asterisk. */
  role?: Role
  /** What the phone can recognise (a prompt pack); without it everything heard is unknown audio. */
  prompts?: Sounds
  /** Which of Asterisk's two modes: only the application drops a call after 2 s of mutual silence. */
  strict?: 'application' | 'dial'
  /** One frame every 20 ms (default); false sends speech at once and keys without their duration. */
  pace?: boolean
  /** A caller that sends no frames while it says nothing (discontinuous transmission). */
  dtx?: boolean
  /** Keys as dual tones in the audio, as an Asterisk before 20.14/21.9/22.4 does. */
  inband?: boolean
  /** A caller of 16 kHz: sends kind 0x12, and hears it as soon as the server knows; `onAudio` has 8 kHz all the same. */
  wide?: boolean
  /** The first audio frame shares the write of the UUID (default), as Asterisk often does, or comes 20 ms later. */
  joined?: boolean
  /** Record everything heard as PCM. */
  record?: boolean
  /** As the dialplan with `Dial`: retry a refused connection every second, a lost one after half a second. */
  reconnect?: boolean
  /** Refused connections in a row after which that ends; default 15, as in the dialplan. */
  misses?: number
  /** Default timeout of `hearing` and `heard` in ms; 10 s if not given. */
  timeoutMs?: number
  log?: Logger
}

export interface Phone {
  readonly id: string
  readonly role: Role
  /** Resolves with true when the first connection is open, false if it was refused. */
  readonly connected: Promise<boolean>
  readonly ended: Promise<Ended>
  readonly transcript: readonly Happening[]
  on(listener: (happening: Happening) => void): () => void
  /** Calls the listener with every frame; returns the function that ends it. */
  onAudio(listener: (bytes: Buffer, start: number, end: number) => void): () => void
  /** Resolves when all keys were sent (or the call ended). */
  press(keys: string): Promise<void>
  /** 8 kHz PCM or a prompt of the pack; resolves when spoken (or the call ended). */
  say(speech: Uint8Array | { prompt: string }): Promise<void>
  /** A plain FIN, as Asterisk's; `rst` aborts the connection instead. */
  hangUp(options?: { rst?: boolean }): void
  /** The next utterance recognised to begin with this prompt. Rejects with PHONE_ENDED or PHONE_TIMEOUT. */
  hearing(match: Match<Hearing>, waiting?: Waiting): Promise<Hearing>
  /** The next utterance of this prompt heard to its end; interrupted ones do not count. */
  heard(match: Match<Heard>, waiting?: Waiting): Promise<Heard>
  /** What was heard so far, pauses filled with silence; empty without `record`. */
  recorded(): Buffer
  /** Hangs up if necessary and releases everything; resolves when the socket is closed. */
  close(): Promise<void>
}

/** 2 s after which the application drops a silent call; in ticks, so that our own stall does not count. */
const MUTUAL_SILENCE_TICKS = 100
/** Maximum number of recorded violations of one kind that do not end the call. */
const KEPT_VIOLATIONS = 10
// the dialplan of examples/asterisk that reconnects: two legs in a row shorter than 2 s were the answer "this call has ended"
const SHORT_LEG_MS = 2000
const SHORT_LEGS = 2
const RETRY_MS = 1000
/** Pause from a lost leg to the next Dial in ms; a process that is being killed closes its ports meanwhile. */
const AGAIN_MS = 500
const MISSES = 15

/** A phone behind an Asterisk; it calls at once. The creator closes it. Throws USAGE_WRONG for an invalid UUID. */
export function createPhone(options: PhoneOptions): Phone {
  const { host = '127.0.0.1', port, role = 'visitor', prompts, strict = 'application', pace = true } = options
  const { dtx = false, inband = false, joined = true, record = false, reconnect = false, log } = options
  const { misses: most = MISSES, wide = false } = options
  const wideband = wide ? createWideband() : undefined
  const id = options.id ?? randomUUID()
  const born = performance.now()
  const now = () => Math.round((performance.now() - born) * 1000) / 1000
  const transcript = createTranscript(options.timeoutMs)
  const connected = Promise.withResolvers<boolean>()
  const ended = Promise.withResolvers<Ended>()
  const violations: Violation[] = []
  const ears = new Set<Parameters<Phone['onAudio']>[0]>()
  let line: Line
  let connections = 0
  let framesOut = 0
  let partialReads = 0
  let misses = 0
  let shortLegs = 0
  let silentTicks = 0
  let over = false
  let retrying: NodeJS.Timeout | undefined
  let leaveClock: (() => void) | undefined

  const violate = (code: ViolationCode, facts: Record<string, unknown>) => {
    const { drops, message: text } = VIOLATIONS[code]
    if (drops || violations.filter((violation) => violation.code === code).length < KEPT_VIOLATIONS) {
      const violation: Violation = { code, at: now(), message: text, facts }
      violations.push(violation)
      transcript.add({ at: violation.at, type: 'violation', violation })
      log?.debug({ call_id: id, leg: role, code, ...facts }, 'the server broke a rule')
    }
    if (drops) line.end('violation')
  }

  const listener = createListener({
    vocabulary: prompts === undefined ? undefined : vocabularyOf(prompts),
    record,
    now,
    add: transcript.add,
    burst: (facts) => violate('BURST', facts),
  })

  const microphone = createMicrophone(
    { pace, dtx, inband, wideband },
    {
      write(bytes) {
        if (bytes[0]! >= KIND.slin8) framesOut++
        silentTicks = 0
        line.write(bytes)
      },
      key: (key) => transcript.add({ at: now(), type: 'key', key }),
      spoke: (ms, prompt) => transcript.add({ at: now(), type: 'spoke', ms, prompt }),
    },
  )

  const tick = (at: number, late: number, last: boolean) => {
    microphone.tick()
    // during catch-up after our own stall nothing could have been read yet
    if (!last) return
    listener.tick(at - born, late)
    if (++silentTicks === MUTUAL_SILENCE_TICKS && strict === 'application') violate('SILENCE_MUTUAL', {})
  }

  const hear = (bytes: Buffer, start: number, end: number) => {
    listener.audio(bytes, start, end)
    for (const ear of ears) ear(bytes, start, end)
  }

  const connect = () => {
    const first = joined && pace && !dtx
    const told = uuid(connections === 0 ? id : `${id.slice(0, 14)}8${id.slice(15)}`)
    const hello = first ? Buffer.concat([told, audioMessage(wideband)]) : told
    line = createLine(
      {
        host,
        port: typeof port === 'function' ? port() : port,
        hello,
        forms: wide ? [NARROW, WIDE] : [NARROW],
      },
      {
        open() {
          connections++
          if (first) framesOut++
          silentTicks = 0
          leaveClock = phoneClock.add({ tick })
          transcript.add({ at: now(), type: 'connected', id, connection: connections })
          connected.resolve(true)
        },
        audio(bytes, start, end, kind) {
          silentTicks = 0
          const isWide = wideband && kind === WIDE.kind && end - start === WIDE.bytes
          if (!isWide) return hear(bytes, start, end)
          const narrow = wideband.narrowed(bytes, start)
          if (narrow) hear(narrow, 0, narrow.length)
        },
        hangup() {
          listener.hangup()
          transcript.add({ at: now(), type: 'hangup', by: 'server' })
        },
        violation: violate,
      },
    )
    line.closed.then(lineClosed)
  }

  const lineClosed = ({ by, reason, lasted }: LineEnd) => {
    leaveClock?.()
    listener.lost()
    partialReads += line.partialReads()
    misses++
    const final = by === 'us' || by === 'violation' || misses > most
    shortLegs = lasted !== undefined && lasted < SHORT_LEG_MS ? shortLegs + 1 : 0
    if (!reconnect || over || final || shortLegs === SHORT_LEGS) return finish(by, reason)
    transcript.add({ at: now(), type: 'lost', reason: reason ?? by })
    retrying = setTimeout(retry, lasted === undefined ? RETRY_MS : AGAIN_MS)
  }

  const retry = () => {
    retrying = undefined
    connect()
  }

  const finish = (by: EndedBy, reason: string | undefined) => {
    over = true
    clearTimeout(retrying)
    microphone.release()
    connected.resolve(false)
    const outcome: Ended = {
      by,
      at: now(),
      violations,
      partialReads,
      framesOut,
      ...listener.result(),
      ...(reason === undefined ? {} : { reason }),
    }
    transcript.add({ at: outcome.at, type: 'ended', outcome })
    log?.debug({ call_id: id, leg: role, by, framesIn: outcome.framesIn, framesOut }, 'the phone is done')
    ended.resolve(outcome)
  }

  const hangUp = ({ rst = false } = {}) => {
    if (over) return
    over = true
    // when the server was first, the line is already closing
    if (retrying === undefined && !line.end('us', rst)) return
    transcript.add({ at: now(), type: 'hangup', by: 'us' })
    if (retrying !== undefined) finish('us', undefined)
  }

  connect()

  return {
    id,
    role,
    connected: connected.promise,
    ended: ended.promise,
    transcript: transcript.happenings,
    on: transcript.on,
    onAudio(ear) {
      ears.add(ear)
      return () => ears.delete(ear)
    },
    press: microphone.press,
    async say(speech) {
      if (!('prompt' in speech)) return microphone.say(speech)
      if (prompts === undefined)
        throw fail('USAGE_WRONG', { problem: 'This phone was given no prompts to say.' })
      return microphone.say(prompts.pcm(speech.prompt), speech.prompt)
    },
    hangUp,
    hearing: (match, waiting) => transcript.next('hearing', match, waiting),
    heard: (match, waiting) => transcript.next('heard', match, waiting),
    recorded: listener.recorded,
    async close() {
      hangUp()
      await ended.promise
    },
  }
}

function uuid(id: string): Buffer {
  const bytes = Buffer.from(id.replaceAll('-', ''), 'hex')
  if (bytes.length !== 16) throw fail('USAGE_WRONG', { problem: `This is not a UUID: "${id}"` })
  return message(KIND.uuid, bytes)
}
