import type { RecordingName } from '../../machines/index.ts'
import { audioFrame, type Connection, HEADER_BYTES, SILENCE } from '../audiosocket/index.ts'
import {
  type BridgeLine,
  createBridgeLine,
  createEar,
  createEchoMeter,
  createLegRecorder,
  createPlayer,
  createRecorder,
  createToneFilter,
  cutFrames,
  type Ear,
  type EarFact,
  type FrameSource,
  KEPT_MS,
  type LegRecorder,
  type Recorder,
  readWav,
  recordingFile,
  saveRecording,
  type TalkCounts,
  type ToneFilter,
  withoutTones,
} from '../media/index.ts'
import type { Locale, Role } from '../platform/audio.ts'
import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Synthesizer, Transcriber } from '../speech/index.ts'
import { createIncoming, type Incoming } from './incoming.ts'
import type { MediaAssets } from './media-assets.ts'
import type { MediaCommand, MediaFact, MediaLeg, SpeechThresholds, SpokenPiece } from './port.ts'
import { listenTo } from './utterance-recorder.ts'

/**
 * ms after a key's tones were removed from the visitor's sound in a talk within which the same key of the resident may be
 * their echo: the first frame of a tone can have passed, and a PBX that looks for keys in the sound hears the echo, too.
 */
const REMOVED_MS = 2000
/** ms for which a key's tones must last in a talk after the visitor was muted: by then an echo has ended. */
const HELD_MS = 250
/** Echo in dB above which a resident's line is logged: echo cancellers leave less. */
const ECHO_RETURN = -30
/** Measurements of 3 s without a strong echo after which a line is not measured any more. */
const ECHO_MEASUREMENTS = 10

/** A prompt that is a tone of ours. */
const BEEP = 'beep'
const NO_SOUNDS: ReadonlyMap<string, readonly Buffer[]> = new Map()

/** What the legs of a call share. */
export interface CallSound {
  /** What the visitor said, as whole frames, by name. */
  readonly recordings: Map<string, readonly Buffer[]>
  readonly legs: Map<Role, ConnectedLeg>
}

interface ConnectedLegOptions {
  connection: Connection
  sound: CallSound
  assets: MediaAssets
  transcriber: Pick<Transcriber, 'provider' | 'open'>
  synthesizer: Pick<Synthesizer, 'ready' | 'synthesize'>
  locale: Locale
  speech: SpeechThresholds
  /** Names the folder of its recordings. */
  callId: string
  /** Whether the whole leg is recorded. */
  records: boolean
  /** Counts of all talks. */
  talks: TalkCounts
  /** Another leg of this process by its number. */
  other: (leg: number) => ConnectedLeg | undefined
  onFact: (fact: MediaFact) => void
  log: Logger
}

/** ms of silence after which a resident has said hello. A pause within a sentence is as long, but costs nothing. */
export const HELLO_END_MS = 360

type Asked<Type extends MediaCommand['type']> = Extract<MediaCommand, { type: Type }>

/** Ear, player and recorders on a connection. It releases all of them by itself when the connection closes. */
export class ConnectedLeg implements MediaLeg {
  readonly options: ConnectedLegOptions
  readonly connection: Connection
  readonly role: Role
  readonly ear: Ear
  readonly player: ReturnType<typeof createPlayer>
  readonly incoming: Incoming
  readonly onFact: (fact: MediaFact) => void
  /** What `cancel` does, by the id of the command. */
  readonly underWay = new Map<number, () => void>()
  /** Utterances by the id of their `listen`. */
  readonly utterances = new Map<number, { pcm: Buffer; spokenAt: number }>()
  recorder: Recorder | undefined
  /** `ear.clock` when a key's tones were last removed from what the other leg hears. */
  readonly removed = new Map<string, number>()
  readonly filter: ToneFilter
  /** `ear.clock` at the end of the last talk. */
  talkedUntil = Number.NEGATIVE_INFINITY
  isGone = false

  constructor(options: ConnectedLegOptions) {
    const { connection, callId, sound, assets, transcriber, speech, records, onFact } = options
    this.options = options
    this.connection = connection
    this.role = connection.role
    this.onFact = onFact
    this.player = createPlayer({
      wake: () => connection.wake(),
      onPlayed: (message) => this.ear.played(message, HEADER_BYTES),
    })
    this.ear = createEar({
      vad: assets.vad,
      onFact: (fact) => this.notice(fact),
      // only residents have mailboxes, and are answered as soon as they have said hello
      beeps: this.role === 'resident',
      speech: { ...(this.role === 'resident' && { hangoverMs: HELLO_END_MS }), ...speech },
      keeps: transcriber.provider !== 'none',
    })
    this.filter = createToneFilter((key) => this.removed.set(key, this.ear.clock))
    this.incoming = createIncoming(this.ear, (how) => this.gone(how))
    const legRecorder = records
      ? createLegRecorder(recordingFile(assets.recordings, callId, `${this.role}-leg`))
      : undefined
    if (legRecorder) this.ear.tap(legRecorder.tap)
    const source = legRecorder ? legRecorder.recordPlayed(this.player, HEADER_BYTES) : this.player
    connection.attach(this.incoming, this.role === 'resident' ? this.measured(source) : source)
    sound.legs.set(this.role, this)
    void connection.closed.then(() => this.release(legRecorder))
  }

  /** The same sound; logs once if it comes back as an echo. */
  measured(source: FrameSource): FrameSource {
    let left = ECHO_MEASUREMENTS
    const meter = createEchoMeter((level) => {
      const strong = level >= ECHO_RETURN
      left = strong ? 0 : left - 1
      if (left === 0) untap()
      if (!strong) return
      this.options.log.warn(
        { ...this.facts(), echo_db: Math.round(level) },
        'the line of the resident returns an echo; use echo cancellation at the telephone, its adapter or the trunk',
      )
    })
    const untap = this.ear.tap((samples) => meter.heard(samples))
    return {
      next: () => {
        const message = source.next()
        if (left > 0 && message !== null) meter.played(message, HEADER_BYTES)
        return message
      },
    }
  }

  send(command: MediaCommand): void {
    if (command.type === 'say') void this.say(command)
    else if (command.type === 'tone') {
      this.underWay.set(command.id, this.player.loop(this.options.assets.tones[command.tone]))
    } else if (command.type === 'record') void this.record(command)
    else if (command.type === 'listen') void this.listen(command)
    else if (command.type === 'keep') {
      const utterance = this.utterances.get(command.of)
      if (utterance) this.keep(command.name, utterance.pcm)
    } else if (command.type === 'forget') this.utterances.delete(command.of)
    else if (command.type === 'bridge') this.bridge(command)
    else if (command.type === 'cancel') {
      const cancel = this.underWay.get(command.id)
      this.underWay.delete(command.id)
      cancel?.()
    } else if (command.type === 'hangUp') this.connection.hangUp()
    else this.connection.destroy()
  }

  level(): number {
    return this.ear.level()
  }

  async say({ id, pieces }: Asked<'say'>): Promise<void> {
    const { assets, locale } = this.options
    const signal = this.begin(id)
    try {
      // prompts alone, the rule, are said in this very turn
      const own = pieces.some((piece) => isSpoken(piece) || isOwn(piece))
        ? await this.ownSounds(pieces, signal)
        : NO_SOUNDS
      const utterance = assets.prompts[locale].compose(
        pieces.map((piece) => playable(piece, own)),
        (name) => own.get(name) ?? this.soundOf(name),
      )
      this.onFact({ type: 'saying', id })
      const { playedMs: ms, interrupted, beganAt = Date.now() } = await this.player.play(utterance, signal)
      this.underWay.delete(id)
      this.onFact({ type: 'said', id, ms, of: utterance.ms, interrupted, beganAt })
    } catch (error) {
      this.fail(id, error)
    }
  }

  async record({ id, name }: Asked<'record'>): Promise<void> {
    const { ear } = this
    this.recorder = createRecorder({ signal: this.begin(id) })
    // a speaker who interrupts the question began before: the ear has kept the first word
    if (ear.quietMs() < KEPT_MS) ear.kept(this.recorder.tap)
    const untap = ear.tap(this.recorder.tap)
    const { pcm, ms, heard, endedBy } = await this.recorder.done
    untap()
    this.recorder = undefined
    this.underWay.delete(id)
    this.onFact({ type: 'recorded', id, name, ms, heard, endedBy })
    if (heard && endedBy !== 'cancelled') this.keep(name, pcm)
  }

  async listen({ id, type, follows, ...rules }: Asked<'listen'>): Promise<void> {
    const { transcriber, locale } = this.options
    const signal = this.begin(id)
    const before = follows && this.utterances.get(follows.of)
    try {
      const { pcm, spokenAt, ...utterance } = await listenTo(this.ear, transcriber, {
        ...rules,
        locale,
        signal,
        ...(before && { follows: { spokenAt: before.spokenAt, quietMs: follows.quietMs } }),
      })
      this.underWay.delete(id)
      this.utterances.set(id, { pcm, spokenAt })
      this.onFact({ type: 'transcribed', id, ...utterance })
    } catch (error) {
      this.fail(id, error)
    }
  }

  bridge({ id, other: leg }: Asked<'bridge'>): void {
    const other = this.options.other(leg)
    if (!other) return
    const [there, back] = [other.line(this), this.line(other)]
    this.carry(there, back)
    other.carry(back, there)
    this.underWay.set(id, () => {
      this.carry(null, null)
      other.carry(null, null)
      this.onFact({ type: 'bridged', ...there.report() })
      other.onFact({ type: 'bridged', ...back.report() })
    })
  }

  /** What this leg hears of the other: of a visitor no key tones. */
  line({ role, filter }: ConnectedLeg): BridgeLine {
    return createBridgeLine({
      frame: audioFrame,
      silence: SILENCE,
      ...(role === 'visitor' && { filter }),
      counts: this.options.talks,
      wake: () => this.connection.wake(),
    })
  }

  /** What comes in goes to `out`; this leg hears `back`. */
  carry(out: BridgeLine | null, back: BridgeLine | null): void {
    if (this.ear.law) out?.companded(this.ear.law)
    if (out === null && this.incoming.line !== null) this.talkedUntil = this.ear.clock
    this.incoming.line = out
    this.incoming.muted = this.role === 'resident' ? back : null
    this.player.live(back)
  }

  /** Whether this key's tones were removed lately from what the other leg hears. */
  removedLately(key: string): boolean {
    const at = this.removed.get(key)
    return at !== undefined && this.ear.clock - at <= REMOVED_MS
  }

  notice(fact: EarFact): void {
    if (fact.type === 'key.pressed' && this.role === 'resident' && this.isEcho(fact.key, fact.via)) {
      this.onFact({ type: 'key.echoed', key: fact.key })
      return
    }
    if (fact.type === 'key.pressed') this.recorder?.stop()
    else if (fact.type === 'ulaw.detected') this.incoming.line?.companded('ulaw')
    else if (fact.type === 'alaw.detected') this.incoming.line?.companded('alaw')
    this.onFact(fact)
  }

  /** Whether a key of the resident may be the echo of what the visitor lets the resident hear. */
  isEcho(key: string, via: 'dtmf' | 'inband'): boolean {
    if (this.options.sound.legs.get('visitor')?.removedLately(key)) return true
    return via === 'inband' && this.isTalking() && this.ear.heldMs() < HELD_MS
  }

  /** In a talk, or so shortly after it that its sound still comes back. */
  isTalking(): boolean {
    return this.incoming.line !== null || this.ear.clock - this.talkedUntil < HELD_MS
  }

  gone(how: Extract<MediaFact, { type: 'hungUp' }>['how']): void {
    if (this.isGone) return
    this.isGone = true
    this.player.close()
    this.onFact({ type: 'hungUp', how })
  }

  async release(legRecorder: LegRecorder | undefined): Promise<void> {
    const { legs } = this.options.sound
    this.incoming.close()
    this.player.close()
    this.ear.close()
    this.gone('us')
    if (legs.get(this.role) === this) legs.delete(this.role)
    this.onFact({ type: 'closed', ...this.connection.stats() })
    const recordedMs = legRecorder ? await this.closeLegRecorder(legRecorder) : null
    this.onFact({ type: 'released', recordedMs })
  }

  async closeLegRecorder(legRecorder: LegRecorder): Promise<number | null> {
    try {
      const { ms, failure } = await legRecorder.close()
      if (failure !== undefined) {
        this.options.log.error(
          { ...this.facts(), code: 'RECORDING_FAILED', ms, reason: reasonOf(failure) },
          'the rest of a recording was not kept',
        )
      }
      return ms
    } catch (error) {
      this.notKept(error)
      return null
    }
  }

  /** Sounds of files and texts by their name; those that fail are left out. */
  async ownSounds(
    pieces: readonly SpokenPiece[],
    signal: AbortSignal,
  ): Promise<Map<string, readonly Buffer[]>> {
    const { synthesizer, locale, log } = this.options
    const sounds = new Map<string, readonly Buffer[]>()
    const add = async (name: string, problem: string, load: () => Promise<Buffer>): Promise<void> => {
      try {
        sounds.set(name, cutFrames(await load(), audioFrame))
      } catch (error) {
        if (!signal.aborted) log.warn({ ...this.facts(), name, reason: reasonOf(error) }, problem)
      }
    }
    await Promise.all(
      pieces.map(async (piece) => {
        if (isOwn(piece) && piece.file !== undefined) {
          const { file } = piece
          await add(file, 'a prompt of a tenant was not played', () => readWav(file))
          if (sounds.has(file)) return
        }
        const text = isSpoken(piece) ? piece.speak : isOwn(piece) ? piece.text : undefined
        if (text !== undefined && synthesizer.ready)
          await add(text, 'a text was not spoken', () => synthesizer.synthesize(text, { locale, signal }))
      }),
    )
    return sounds
  }

  soundOf(name: string): readonly Buffer[] | undefined {
    return name === BEEP ? this.options.assets.tones.beep : this.options.sound.recordings.get(name)
  }

  keep(name: RecordingName, pcm: Buffer): void {
    const { callId, sound, assets } = this.options
    sound.recordings.set(name, cutFrames(withoutTones(pcm), audioFrame))
    // on disk for the journal; the call plays it from memory and does not wait
    saveRecording(assets.recordings, callId, name, pcm).catch((error) => this.notKept(error))
    this.onFact({ type: 'kept', name })
  }

  notKept(error: unknown): void {
    this.options.log.error(
      { ...this.facts(), code: 'RECORDING_FAILED', reason: reasonOf(error) },
      'a recording was not kept',
    )
  }

  /** The signal that `cancel` aborts. */
  begin(id: number): AbortSignal {
    const controller = new AbortController()
    this.underWay.set(id, () => controller.abort())
    return controller.signal
  }

  fail(id: number, error: unknown): void {
    this.underWay.delete(id)
    const { code, details } = asPorteiroError(error)
    this.onFact({ type: 'failed', id, code, details, reason: reasonOf(error) })
  }

  facts() {
    return { call_id: this.options.callId, leg: this.role }
  }
}

/** Own words that have no sound are replaced by their prompt; a text without one is left out. */
function playable(piece: SpokenPiece, own: ReadonlyMap<string, unknown>) {
  if (isSpoken(piece)) return { recording: piece.speak }
  if (isOwn(piece)) {
    const recording = [piece.file, piece.text].find((name) => name !== undefined && own.has(name))
    return recording === undefined ? piece.instead : { recording }
  }
  return piece === BEEP ? { recording: BEEP } : piece
}

function isSpoken(piece: SpokenPiece): piece is { speak: string } {
  return typeof piece === 'object' && 'speak' in piece
}

function isOwn(piece: SpokenPiece): piece is Extract<SpokenPiece, { instead: string }> {
  return typeof piece === 'object' && 'instead' in piece
}
