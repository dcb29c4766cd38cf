import type { HungUp, LegEvent, Piece, Recording, RecordingName, Said } from '../../machines/index.ts'
import { audioFrame, type Connection, HEADER_BYTES, SILENCE } from '../audiosocket/index.ts'
import {
  type BridgeLine,
  createBridgeLine,
  createEar,
  createLegRecorder,
  createPlayer,
  createRecorder,
  cutFrames,
  type EarFact,
  type LegRecorder,
  type Recorder,
  recordingFile,
  saveRecording,
} from '../media/index.ts'
import type { Locale, Role } from '../platform/audio.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import type { Synthesizer, Transcriber } from '../speech/index.ts'
import { createIncoming } from './incoming.ts'
import type { MediaAssets } from './media-assets.ts'
import { type HeardUtterance, type ListeningOptions, listenTo } from './utterance-recorder.ts'

export type LegConnection = Connection

/**
 * ms after a tone on the visitor's line, or the end of a recording on the resident's, within which the same key in the
 * resident's sound is taken for its echo. The way there and back is a few hundred ms; the key is told at the tone's end.
 */
const ECHO_MS = 1000

/** ms that the end of a call waits for its recording. */
const RECORDING_CLOSE_MS = 2000

/** A sound of ours among the prompts. */
const BEEP = 'beep'

/** One leg's plain media: ears and a voice on a connection. Its actor hears facts only. */
export interface Leg {
  readonly role: Role
  readonly connection: LegConnection
  readonly locale: Locale
  /** Resolves when all was played out, was interrupted by `signal`, or the leg is gone. */
  say(pieces: readonly Piece[], signal: AbortSignal): Promise<Said & { beganAt: number }>
  /** A tone below everything that is said, until the returned function is called. */
  loop(tone: 'ringback' | 'hold'): () => void
  record(name: RecordingName, signal: AbortSignal): Promise<Recording>
  /** One utterance as text and sound; rejects with SPEECH_… where it cannot be transcribed. */
  listen(options: Omit<ListeningOptions, 'locale'>): Promise<HeardUtterance>
  /** Keeps sound that was heard as the call's recording of that name. */
  keep(name: RecordingName, pcm: Buffer): void
  /** Both legs hear each other until the returned function is called. */
  bridge(other: Leg): () => void
  /** What comes in goes to `out`, what `back` has is heard; null for neither. */
  carry(out: BridgeLine | null, back: BridgeLine | null): void
  /**
   * Whether this key in the other leg's sound may be an echo of ours: its tones were heard here a moment ago or, where what
   * was said here is `carried` there, at any time since the first recording.
   */
  echoes(key: string, carried: boolean): boolean
  /** One listener; returns its end. */
  subscribe(listener: (fact: LegEvent) => void): () => void
  /** dBFS of the last 100 ms. */
  level(): number
  hangUp(): void
  /** Closes the socket and resolves when it is closed, and its recording kept. */
  destroy(): Promise<void>
}

/** What a leg needs of its call. */
export interface LegOwner {
  readonly id: string
  /** What the visitor said, as whole frames, by name. */
  readonly recordings: Map<string, readonly Buffer[]>
  readonly legs: ReadonlyMap<Role, Leg>
  note(kind: string, leg: Role | null, data: Record<string, unknown>): void
}

interface LegOptions {
  call: LegOwner
  connection: LegConnection
  assets: MediaAssets
  transcriber: Transcriber
  synthesizer: Synthesizer
  locale: Locale
  /** Whether all of it is recorded. */
  records?: boolean
  log: Logger
}

/** Puts ears and a voice on a connection. It releases both by itself when the connection closes. */
export function createLeg(options: LegOptions): Leg {
  const { call, connection, assets, transcriber, synthesizer, locale, records, log } = options
  const { role } = connection
  const prompts = assets.prompts[locale]
  const facts = { call_id: call.id, leg: role }
  let listener: ((fact: LegEvent) => void) | undefined
  let recorder: Recorder | undefined
  let recordedFrom = Number.POSITIVE_INFINITY
  let reciting = 0
  let recitedAt = Number.NEGATIVE_INFINITY

  const player = createPlayer({ wake: () => connection.wake() })
  const ear = createEar({
    vad: assets.vad,
    onFact: (fact) => tell(fact),
    keeps: transcriber.provider !== 'none',
  })

  const tell = (fact: EarFact) => {
    if (fact.type === 'key.pressed' && fact.via === 'inband' && isEcho(fact.key)) {
      call.note('key.echoed', role, { key: fact.key })
      log.warn(facts, "a key in the resident's sound was not counted: it came from the visitor's line")
    } else if (fact.type === 'key.pressed') {
      recorder?.stop()
      call.note('key', role, { key: fact.key, via: fact.via })
      listener?.({ type: 'key.pressed', key: fact.key })
    } else if (fact.type === 'ulaw.detected') {
      incoming.line?.ulaw()
      call.note('ulaw.detected', role, {})
      log.warn(
        facts,
        'the PBX sends raw µ-law as slin; it is decoded, but write /c(slin) behind the UUID in Dial(AudioSocket/…)',
      )
    } else {
      if (fact.type === 'speech.started') listener?.({ type: 'speech.started' })
      call.note(fact.type, role, { at: fact.at, ...('ms' in fact && { ms: fact.ms }) })
    }
  }

  const isEcho = (key: string) => {
    if (role !== 'resident') return false
    const carried = incoming.line !== null || reciting > 0 || performance.now() - recitedAt < ECHO_MS
    return call.legs.get('visitor')?.echoes(key, carried) ?? false
  }

  const incoming = createIncoming(ear, (how) => gone(how))
  const legRecorder = records
    ? createLegRecorder(recordingFile(assets.recordings, call.id, `${role}-leg`))
    : undefined
  if (legRecorder) ear.tap(legRecorder.tap)
  connection.attach(incoming, legRecorder ? legRecorder.hearing(player, HEADER_BYTES) : player)
  const closed = connection.closed.then(() => {
    incoming.close()
    player.close()
    ear.close()
    gone('us')
    return legRecorder && closeLegRecorder(legRecorder)
  })

  let isGone = false
  const gone = (how: HungUp) => {
    if (isGone) return
    isGone = true
    player.close()
    listener?.({ type: 'hungUp', how })
  }

  return {
    role,
    connection,
    locale,
    async say(pieces, signal) {
      const texts = pieces.flatMap((piece) => (isSpoken(piece) ? [piece.speak] : []))
      // prompts alone, the rule, are said in this very turn
      const spoken = texts.length > 0 ? await synthesized(texts, signal) : undefined
      const utterance = prompts.compose(pieces.map(playable), (name) => spoken?.get(name) ?? soundOf(name))
      listener?.({ type: 'saying' })
      const recites = pieces.some((piece) => typeof piece === 'object' && 'recording' in piece)
      if (recites) reciting++
      const { playedMs: ms, interrupted, beganAt } = await player.play(utterance, signal)
      if (recites) {
        reciting--
        recitedAt = performance.now()
      }
      listener?.({ type: 'said' })
      call.note('said', role, { pieces, ms, of: utterance.ms, interrupted })
      return { ms, interrupted, beganAt: beganAt ?? Date.now() }
    },
    loop: (tone) => player.loop(assets.tones[tone]),
    async record(name, signal) {
      recorder = createRecorder({ signal })
      recordedFrom = Math.min(recordedFrom, ear.clock)
      const untap = ear.tap(recorder.tap)
      const { pcm, ms, heard, endedBy } = await recorder.done
      untap()
      recorder = undefined
      call.note('recorded', role, { name, ms, heard, endedBy })
      if (heard && endedBy !== 'cancelled') keep(name, pcm)
      return { name, heard, ms }
    },
    listen: (options) => listenTo(ear, transcriber, { ...options, locale }),
    keep,
    bridge(other) {
      const there = createBridgeLine({
        frame: audioFrame,
        silence: SILENCE,
        wake: () => other.connection.wake(),
      })
      const back = createBridgeLine({ frame: audioFrame, silence: SILENCE, wake: () => connection.wake() })
      this.carry(there, back)
      other.carry(back, there)
      return () => {
        this.carry(null, null)
        other.carry(null, null)
        for (const [from, line] of [
          [role, there],
          [other.role, back],
        ] as const) {
          call.note('bridged', from, { dropped: line.dropped, filled: line.filled })
        }
      }
    },
    carry(out, back) {
      if (ear.ulaw) out?.ulaw()
      incoming.line = out
      player.live(back)
    },
    echoes(key, carried) {
      const at = ear.toned(key)
      if (at === undefined) return false
      return ear.clock - at <= ECHO_MS || (carried && at > recordedFrom)
    },
    subscribe(to) {
      listener = to
      return () => {
        listener = undefined
      }
    },
    level: () => ear.level(),
    hangUp: () => connection.hangUp(),
    async destroy() {
      connection.destroy()
      await connection.closed
      // nobody waits for a disk that hangs
      await withTimeout(RECORDING_CLOSE_MS, closed)
    },
  }

  async function closeLegRecorder(legRecorder: LegRecorder): Promise<void> {
    try {
      call.note('leg.recorded', role, { ms: await legRecorder.close() })
    } catch (error) {
      notKept(error)
    }
  }

  /** What cannot be synthesised is left out of what is said. */
  async function synthesized(texts: string[], signal: AbortSignal) {
    const sounds = new Map<string, readonly Buffer[]>()
    if (!synthesizer.ready) return sounds
    await Promise.all(
      texts.map(async (text) => {
        try {
          const pcm = await synthesizer.synthesize(text, { locale, signal })
          sounds.set(text, cutFrames(pcm, audioFrame))
        } catch (error) {
          if (!signal.aborted) log.warn({ ...facts, reason: reasonOf(error) }, 'a text was not spoken')
        }
      }),
    )
    return sounds
  }

  function soundOf(name: string): readonly Buffer[] | undefined {
    return name === BEEP ? assets.tones.beep : call.recordings.get(name)
  }

  function keep(name: RecordingName, pcm: Buffer): void {
    call.recordings.set(name, cutFrames(pcm, audioFrame))
    // on disk for the journal; the call plays it from memory and does not wait
    saveRecording(assets.recordings, call.id, name, pcm).catch(notKept)
  }

  function notKept(error: unknown): void {
    log.error({ ...facts, code: 'RECORDING_FAILED', reason: reasonOf(error) }, 'a recording was not kept')
  }
}

function playable(piece: Piece) {
  if (isSpoken(piece)) return { recording: piece.speak }
  return piece === BEEP ? { recording: BEEP } : piece
}

function isSpoken(piece: Piece): piece is { speak: string } {
  return typeof piece === 'object' && 'speak' in piece
}
