import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type AudioSocketListener, type AudioSocketPort, latenessMemory } from '../audiosocket/index.ts'
import { createTalkCounts } from '../media/index.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import type { Synthesizer, Transcriber, Transcription } from '../speech/index.ts'
import type { SharedSounds } from './media-assets.ts'
import type { MediaPlaneCounts, MediaPlaneSettings, OnePlane } from './media-plane.ts'
import type { ArrivedLeg, MediaFact } from './port.ts'
import { Channel, type FromThread, LEVELS, type ThreadStart, type ToThread } from './thread-channel.ts'

/** MB of the young generation: three semi-spaces of 2 MB. Small ones are collected often, and each time within 2 ms. */
const YOUNG_MB = 6
/** ms before a thread is started again that lived for less than a minute, times its deaths in a row. */
const AGAIN_MS = 1000
const STEADY_MS = 60_000
export const NEVER_LOUD = -100
/** Maximum ms for the thread to close its connections. */
const CLOSE_MS = 5000
/** ms between two looks whether one of the threads was blocked. */
export const LOOK_MS = 500
/** ms without a turn of the media thread, in which this one had turns, after which it is ended. */
const HUNG_MS = 10_000
/** ms more that it has for its first one. */
const LOADING_MS = 60_000
const NOTHING: MediaPlaneCounts = {
  ...{ open: 0, handshaking: 0, accepted: 0, refused: {}, detectors: 0 },
  talks: createTalkCounts(),
}

export interface ThreadedPlaneOptions {
  settings: MediaPlaneSettings
  sounds: SharedSounds
  recordings: string
  transcriber: Transcriber
  synthesizer: Synthesizer
  onArrival: (leg: ArrivedLeg) => void
  /** All legs were lost with the thread; it is started again. Their last facts come after this. */
  onLost: (error: Error) => void
  /** ms without a turn of the thread after which it counts as lost; default: 10 s. */
  hungMs?: number
  log: Logger
}

/** How often, and when it was last. */
export type Happened = {
  count: number
  last: Date
}

/** The media plane in a thread of its own, which is started again when it dies. */
export class ThreadedPlane implements Omit<OnePlane, 'lateness' | 'latenessWithin'> {
  readonly options: ThreadedPlaneOptions
  /** Of its record of late frames. */
  readonly memory = latenessMemory()
  readonly levels = new Int8Array(new SharedArrayBuffer(LEVELS)).fill(NEVER_LOUD)
  readonly beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  beat = 0
  /** Looks since the last beat. */
  still = 0
  readonly onFact = new Map<number, (fact: MediaFact) => void>()
  /** Open ports by their number, to be opened again. */
  readonly ports = new Map<number, AudioSocketPort>()
  readonly speech = new Map<number, { abort(): void; transcription?: Transcription }>()
  worker: Worker
  /** Why the thread ends. */
  reason: unknown
  channel: Channel<ToThread>
  known: MediaPlaneCounts = NOTHING
  lastLeg = 0
  /** Number of the first leg of the current thread. */
  firstLeg = 1
  startedAt = 0
  deaths = 0
  again: NodeJS.Timeout | undefined
  mediaDied: Happened | undefined
  mode: 'up' | 'down' | 'closing' = 'up'

  constructor(options: ThreadedPlaneOptions) {
    this.options = options
    this.worker = this.start()
    this.channel = new Channel(this.worker)
  }

  start(): Worker {
    const { settings, sounds, recordings, transcriber, log } = this.options
    this.firstLeg = this.lastLeg + 1
    this.startedAt = performance.now()
    this.still = -LOADING_MS / LOOK_MS
    const workerData: ThreadStart = {
      settings,
      sounds,
      recordings,
      transcriber: transcriber.provider,
      lateness: this.memory,
      levels: this.levels,
      beats: this.beats,
      firstLeg: this.firstLeg,
      logLevel: log.level,
    }
    const worker = new Worker(new URL(`./media-thread${extname(import.meta.filename)}`, import.meta.url), {
      name: 'media',
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    })
    worker.on('message', (messages: FromThread[]) => {
      for (const message of messages) this.take(message)
    })
    worker.on('error', (error) => {
      this.reason = error
    })
    worker.once('exit', (code) => this.lose(this.reason ?? new Error(`it ended with ${code}`)))
    return worker
  }

  /** False while a thread that died is not started again yet. */
  isUp(): boolean {
    return this.mode === 'up'
  }

  /** Every LOOK_MS: ends a thread that hangs. Looks count, not time: where the whole machine stood still, there were none. */
  watch(): void {
    if (this.mode !== 'up') return
    const { hungMs = HUNG_MS } = this.options
    const beat = Atomics.load(this.beats, 0)
    if (beat !== this.beat) this.still = 0
    else this.still++
    this.beat = beat
    if (this.still < hungMs / LOOK_MS) return
    this.still = 0
    this.reason = new Error(`it did nothing for ${hungMs} ms`)
    void this.worker.terminate()
  }

  /** The thread has ended, by itself unless this closes it. */
  lose(cause: unknown): void {
    const { log, onLost } = this.options
    const error = fail('MEDIA_THREAD_LOST', { reason: reasonOf(cause) }, cause)
    const closing = this.mode === 'closing'
    this.mode = closing ? 'closing' : 'down'
    this.known = { ...this.known, open: 0, handshaking: 0, detectors: 0 }
    for (const { abort } of this.speech.values()) abort()
    this.speech.clear()
    if (!closing) {
      const lived = performance.now() - this.startedAt
      this.deaths = lived < STEADY_MS ? this.deaths + 1 : 0
      this.mediaDied = { count: (this.mediaDied?.count ?? 0) + 1, last: new Date() }
      log.error({ code: error.code, legs: this.onFact.size, err: cause }, error.message)
      onLost(error)
      this.again = setTimeout(() => this.restart(), AGAIN_MS * Math.max(0, this.deaths - 1))
    }
    const legs = [...this.onFact.values()]
    this.onFact.clear()
    for (const onFact of legs) endLeg(onFact)
    this.channel.end()
  }

  restart(): void {
    this.reason = undefined
    this.worker = this.start()
    this.channel = new Channel(this.worker)
    this.mode = 'up'
    const { log } = this.options
    for (const [number, port] of this.ports)
      this.ask<number>((ask) => ({ to: 'listen', ask, port: { ...port, port: number } })).catch((error) =>
        log.error({ code: error.code, port: number }, reasonOf(error)),
      )
    log.info({ ports: [...this.ports.keys()] }, 'the media thread was started again')
  }

  take(message: FromThread): void {
    if ('answer' in message) this.channel.settle(message)
    else if (message.from === 'fact') {
      const { leg, fact } = message
      const onFact = this.onFact.get(leg)
      if (fact.type === 'released') this.onFact.delete(leg)
      onFact?.(fact)
    } else if (message.from === 'arrived') {
      this.lastLeg = message.leg.leg
      this.options.onArrival(message.leg)
    } else if (message.from === 'counts') this.known = message.counts
    else if (message.from === 'log') this.relog(message.line)
    else this.serve(message)
  }

  /** Speech to and from text, for the thread. */
  serve(
    message: Extract<FromThread, { from: 'transcribe' | 'sound' | 'finish' | 'synthesize' | 'cancel' }>,
  ): void {
    const { transcriber, synthesizer } = this.options
    const { speech, channel } = this
    if (message.from === 'transcribe') {
      const { from: _, id, ...request } = message
      const ending = new AbortController()
      const transcription = transcriber.open({ ...request, signal: ending.signal })
      speech.set(id, { abort: () => ending.abort(), transcription })
    } else if (message.from === 'sound') speech.get(message.id)?.transcription?.push(message.samples)
    else if (message.from === 'finish') {
      const { id, ask } = message
      const text = speech.get(id)?.transcription?.finish() ?? Promise.reject(fail('SPEECH_CANCELLED'))
      void channel.reply(
        ask,
        text.finally(() => speech.delete(id)),
      )
    } else if (message.from === 'synthesize') {
      const { ask, text, locale } = message
      const ending = new AbortController()
      // a cached sound is everybody's: the copy crosses
      const sound = synthesizer.ready
        ? synthesizer.synthesize(text, { locale, signal: ending.signal }).then((pcm) => new Uint8Array(pcm))
        : Promise.resolve(null)
      speech.set(-ask, { abort: () => ending.abort() })
      void channel.reply(
        ask,
        sound.finally(() => speech.delete(-ask)),
      )
    } else {
      speech.get(message.id)?.abort()
      speech.delete(message.id)
    }
  }

  relog(line: string): void {
    const { level, msg, ...facts } = JSON.parse(line)
    const levels = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' } as const
    this.options.log[levels[level as keyof typeof levels]](facts, msg)
  }

  send(message: ToThread): void {
    if (this.mode !== 'down') this.channel.send(message)
  }

  ask<Result>(question: (ask: number) => ToThread): Promise<Result> {
    if (this.mode === 'down')
      return Promise.reject(fail('MEDIA_THREAD_LOST', { reason: 'it is being started' }))
    return this.channel.ask<Result>(question).answered
  }

  open: OnePlane['open'] = (leg, callId, locale, onFact, speech = {}) => {
    if (leg < this.firstLeg || this.mode === 'down') {
      setImmediate(endLeg, onFact)
      return { send: () => {}, level: () => NEVER_LOUD }
    }
    this.onFact.set(leg, onFact)
    this.levels[leg % LEVELS] = NEVER_LOUD
    this.send({ to: 'open', leg, callId, locale, speech })
    return {
      send: (command) => {
        if (this.onFact.has(leg)) this.send({ to: 'leg', leg, command })
      },
      level: () => this.levels[leg % LEVELS]!,
    }
  }

  hold: OnePlane['hold'] = (leg, locale) => {
    if (leg >= this.firstLeg) this.send({ to: 'hold', leg, locale })
  }

  reject: OnePlane['reject'] = (leg, said) => {
    if (leg >= this.firstLeg) this.send({ to: 'reject', leg, said })
  }

  relay: OnePlane['relay'] = (leg, address) => {
    if (leg >= this.firstLeg) this.send({ to: 'relay', leg, address })
  }

  move: OnePlane['move'] = (leg, port) =>
    leg < this.firstLeg
      ? Promise.resolve(false)
      : this.ask<boolean>((ask) => ({ to: 'move', ask, leg, port })).catch(() => false)

  finishRecordings: OnePlane['finishRecordings'] = (callId) =>
    this.ask<void>((ask) => ({ to: 'finishRecordings', ask, callId })).catch(() => {})

  loadRecordings: OnePlane['loadRecordings'] = (callId, names) =>
    this.ask<string[]>((ask) => ({ to: 'loadRecordings', ask, callId, names })).catch(() => [])

  forgetCall: OnePlane['forgetCall'] = (callId) => this.send({ to: 'forgetCall', callId })

  listen: OnePlane['listen'] = async (port): Promise<AudioSocketListener> => {
    const number = await this.ask<number>((ask) => ({ to: 'listen', ask, port }))
    this.ports.set(number, port)
    return {
      port: number,
      close: () => {
        this.ports.delete(number)
        this.send({ to: 'unlisten', port: number })
      },
    }
  }

  counts: OnePlane['counts'] = () => this.known

  // relays end with the thread
  drained: OnePlane['drained'] = () => this.ask<void>((ask) => ({ to: 'drained', ask })).catch(() => {})

  endForeign: OnePlane['endForeign'] = () =>
    this.ask<void>((ask) => ({ to: 'endForeign', ask })).catch(() => {})

  close: OnePlane['close'] = async () => {
    clearTimeout(this.again)
    const wasUp = this.mode === 'up'
    this.mode = 'closing'
    const closing = this.ask<void>((ask) => ({ to: 'close', ask })).catch(() => {})
    if (wasUp) await withTimeout(CLOSE_MS, closing)
    await this.worker.terminate()
  }
}

/** The last facts of a leg that was lost. */
export function endLeg(onFact: (fact: MediaFact) => void): void {
  onFact({ type: 'hungUp', how: 'rst' })
  onFact({ type: 'closed', framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 })
  onFact({ type: 'released', recordedMs: null })
}
