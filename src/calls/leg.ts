import { type EventObject, fromCallback } from 'xstate'
import type { LegEvent, LegRef, Piece, Recording, RecordingName, Said } from '../../machines/index.ts'
import type {
  ArrivedLeg,
  ListeningRules,
  MediaCommand,
  MediaFact,
  MediaLeg,
  MediaPort,
  SpeechThresholds,
  SpokenPiece,
} from '../mediaport/index.ts'
import type { Locale, Role } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'

/** Maximum ms that the end of a call waits for a leg's recording. */
const RECORDING_CLOSE_MS = 2000

/** One utterance as text. Its sound stays with the leg's media until `forget`. */
type TranscribedUtterance = Omit<Answer<'transcribed'>, 'type'>

/** One leg of a call: turns requests into commands of the media port, and its facts into events and notes. */
export interface Leg {
  /** As the media port numbers it. */
  readonly id: number
  readonly role: Role
  readonly locale: Locale
  /** Resolves when its connection is closed. */
  readonly closed: Promise<void>
  /** Resolves when all was played, `signal` interrupted it, or the leg is gone. */
  say(pieces: readonly Piece[], signal: AbortSignal): Promise<Said & { beganAt: number }>
  /** A tone below everything that is said, until the returned function is called. */
  loop(tone: 'ringback' | 'hold'): () => void
  record(name: RecordingName, signal: AbortSignal): Promise<Recording>
  /** Rejects with SPEECH_… when the utterance cannot be transcribed. */
  listen(rules: ListeningRules, signal: AbortSignal): Promise<TranscribedUtterance>
  /** Makes the sound of an utterance the call's recording of that name. */
  keep(utterance: TranscribedUtterance, name: RecordingName): void
  forget(utterance: TranscribedUtterance): void
  /** Both legs hear each other until the returned function is called. */
  bridge(other: Leg): () => void
  /** One listener; returns the function that unsubscribes. Facts without a listener are only noted. */
  subscribe(listener: (fact: LegEvent) => void): () => void
  /** dBFS of the last 100 ms. */
  level(): number
  hangUp(): void
  /** Closes the connection; resolves when it is closed and its recording is written. */
  destroy(): Promise<void>
}

/** The part of a call that its legs use. */
export interface LegOwner {
  readonly id: string
  /** Names of the recordings that can be played. */
  readonly recordings: Set<string>
  readonly legs: Map<Role, Leg>
  /** What is said for a piece: the tenant's own words, or those of the visitor's intent. */
  wording(piece: Piece): SpokenPiece
  /** `at`: now, if absent. */
  note(kind: string, leg: Role | null, data: Record<string, unknown>, at?: Date): void
}

interface LegOptions {
  call: LegOwner
  arrived: ArrivedLeg
  media: Pick<MediaPort, 'open'>
  locale: Locale
  speech?: SpeechThresholds
  log: Logger
}

/** Takes an arrived leg into its call. It leaves the call by itself when its connection is closed. */
export function createLeg(options: LegOptions): Leg {
  return new PortLeg(options)
}

/** The port `hear`: facts of a leg as events of its machine. */
export function hearLegs(find: (ref: LegRef) => Leg | undefined) {
  return fromCallback<EventObject, LegRef, LegEvent>(({ input, sendBack }) => {
    const leg = find(input)
    if (!leg) sendBack({ type: 'hungUp', how: 'lost' })
    return leg?.subscribe(sendBack)
  })
}

type Answer<Type extends MediaFact['type']> = Extract<MediaFact, { type: Type }>
type Request<Command> = Command extends { id: number } ? Omit<Command, 'id'> : never
/** A command that has an answer. */
type Question = Request<Extract<MediaCommand, { type: 'say' | 'record' | 'listen' }>>

interface Pending {
  question: Question
  resolve(answer: MediaFact): void
  reject(error: unknown): void
  /** Stops listening to the signal. */
  end(): void
}

class PortLeg implements Leg {
  readonly id: number
  readonly role: Role
  readonly locale: Locale
  readonly call: LegOwner
  readonly log: Logger
  readonly media: MediaLeg
  readonly connection = Promise.withResolvers<void>()
  readonly release = Promise.withResolvers<void>()
  readonly pending = new Map<number, Pending>()
  listener: ((fact: LegEvent) => void) | undefined
  lastCommand = 0
  /** There are no more facts, so no answers either. */
  isReleased = false

  constructor({ call, arrived, media, locale, speech, log }: LegOptions) {
    this.id = arrived.leg
    this.role = arrived.role
    this.locale = locale
    this.call = call
    this.log = log
    this.media = media.open(arrived.leg, call.id, locale, (fact) => this.take(fact), speech)
  }

  get closed(): Promise<void> {
    return this.connection.promise
  }

  async say(pieces: readonly Piece[], signal: AbortSignal) {
    const worded = pieces.map((piece) => this.call.wording(piece))
    const said = await this.ask<'said'>({ type: 'say', pieces: worded }, signal)
    const { ms, of, interrupted, beganAt } = said
    this.listener?.({ type: 'said' })
    this.note('said', { pieces: worded.map(notedPiece), ms, of, interrupted })
    return { ms, interrupted, beganAt }
  }

  loop(tone: 'ringback' | 'hold'): () => void {
    return this.hold({ type: 'tone', tone })
  }

  async record(name: RecordingName, signal: AbortSignal): Promise<Recording> {
    const { ms, heard, endedBy } = await this.ask<'recorded'>({ type: 'record', name }, signal)
    this.note('recorded', { name, ms, heard, endedBy })
    return { name, heard, ms }
  }

  async listen(rules: ListeningRules, signal: AbortSignal): Promise<TranscribedUtterance> {
    const { type: _, ...utterance } = await this.ask<'transcribed'>({ type: 'listen', ...rules }, signal)
    return utterance
  }

  keep({ id }: TranscribedUtterance, name: RecordingName): void {
    this.media.send({ type: 'keep', of: id, name })
  }

  forget({ id }: TranscribedUtterance): void {
    this.media.send({ type: 'forget', of: id })
  }

  bridge(other: Leg): () => void {
    return this.hold({ type: 'bridge', other: other.id })
  }

  subscribe(to: (fact: LegEvent) => void): () => void {
    this.listener = to
    return () => {
      this.listener = undefined
    }
  }

  level(): number {
    return this.media.level()
  }

  hangUp(): void {
    this.media.send({ type: 'hangUp' })
  }

  async destroy(): Promise<void> {
    this.media.send({ type: 'close' })
    await this.closed
    // a disk that hangs must not hold the call
    await withTimeout(RECORDING_CLOSE_MS, this.release.promise)
  }

  take(fact: MediaFact): void {
    const { listener, call, role, log } = this
    if (fact.type === 'key.pressed') {
      this.note('key', { key: fact.key, via: fact.via })
      listener?.({ type: 'key.pressed', key: fact.key })
    } else if (fact.type === 'key.echoed') {
      this.note('key.echoed', { key: fact.key })
      log.warn(this.facts(), "a key in the resident's sound was not counted: it came from the visitor's line")
    } else if (fact.type === 'speech.started') {
      listener?.({ type: 'speech.started' })
      this.note(fact.type, { at: fact.at })
    } else if (fact.type === 'speech.ended') {
      listener?.({ type: 'speech.ended', ms: fact.ms })
      this.note(fact.type, { at: fact.at, ms: fact.ms })
    } else if (fact.type === 'beep.heard') {
      listener?.({ type: 'beep.heard' })
      this.note(fact.type, { at: fact.at })
    } else if (fact.type === 'ulaw.detected' || fact.type === 'alaw.detected') {
      this.note(fact.type, {})
      log.warn(
        this.facts(),
        fact.type === 'ulaw.detected'
          ? 'the PBX sends raw µ-law as slin; it is decoded, but write /c(slin) behind the UUID in Dial(AudioSocket/…)'
          : 'the PBX sends raw A-law as slin; it is decoded, but write /c(slin) behind the UUID in Dial(AudioSocket/…)',
      )
    } else if (fact.type === 'saying') listener?.({ type: 'saying' })
    else if (fact.type === 'said' || fact.type === 'recorded' || fact.type === 'transcribed')
      this.settle(fact.id)?.resolve(fact)
    else if (fact.type === 'failed') this.settle(fact.id)?.reject(errorOf(fact))
    else if (fact.type === 'kept') call.recordings.add(fact.name)
    else if (fact.type === 'bridged') {
      const { dropped, concealed: filled, delayMs } = fact
      this.note('bridged', { dropped, filled, delayMs })
    } else if (fact.type === 'hungUp') listener?.({ type: 'hungUp', how: fact.how })
    else if (fact.type === 'closed') {
      const { type, ...stats } = fact
      this.note('leg.closed', stats)
      if (call.legs.get(role) === this) call.legs.delete(role)
      this.connection.resolve()
    } else {
      if (fact.recordedMs !== null) this.note('leg.recorded', { ms: fact.recordedMs })
      this.isReleased = true
      for (const id of [...this.pending.keys()]) this.answerGone(id)
      this.release.resolve()
    }
  }

  /** Sends a command and resolves with its answer; the signal cancels the command. */
  ask<Type extends 'said' | 'recorded' | 'transcribed'>(
    question: Question,
    signal: AbortSignal,
  ): Promise<Answer<Type>> {
    const id = ++this.lastCommand
    const { promise, resolve, reject } = Promise.withResolvers<Answer<Type>>()
    const cancel = () => this.media.send({ type: 'cancel', id })
    signal.addEventListener('abort', cancel, { once: true })
    const end = () => signal.removeEventListener('abort', cancel)
    this.pending.set(id, { question, resolve: (answer) => resolve(answer as Answer<Type>), reject, end })
    this.media.send({ ...question, id } as MediaCommand)
    if (signal.aborted) cancel()
    if (this.isReleased) this.answerGone(id)
    return promise
  }

  /** What was asked of a leg that is gone: a command may cross its last fact on the way to the media's thread. */
  answerGone(id: number): void {
    const { question } = this.pending.get(id)!
    if (question.type === 'say')
      this.take({ type: 'said', id, ms: 0, of: 0, interrupted: true, beganAt: Date.now() })
    else if (question.type === 'record')
      this.take({ type: 'recorded', id, name: question.name, ms: 0, heard: false, endedBy: 'cancelled' })
    else this.take({ type: 'failed', id, code: 'SPEECH_CANCELLED', details: {}, reason: 'the leg is gone' })
  }

  /** Sends a command that lasts until the returned function is called. */
  hold(command: Request<MediaCommand>): () => void {
    const id = ++this.lastCommand
    this.media.send({ ...command, id } as MediaCommand)
    return () => this.media.send({ type: 'cancel', id })
  }

  settle(id: number): Pending | undefined {
    const pending = this.pending.get(id)
    this.pending.delete(id)
    pending?.end()
    return pending
  }

  note(kind: string, data: Record<string, unknown>): void {
    this.call.note(kind, this.role, data)
  }

  facts() {
    return { call_id: this.call.id, leg: this.role }
  }
}

function errorOf({ code, details, reason }: Answer<'failed'>): Error {
  return code === 'BUG' ? new Error(reason) : fail(code, details)
}

/** The journal has a tenant's own text, and of a file the prompt that it replaces. */
function notedPiece(piece: SpokenPiece): Piece {
  if (typeof piece !== 'object' || !('instead' in piece)) return piece
  return piece.text === undefined ? piece.instead : { speak: piece.text }
}
