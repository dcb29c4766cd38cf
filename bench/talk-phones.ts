/** Telephones in talks whose packets come late by a schedule, and what each hears of the other. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import {
  audioFrame,
  dtmfMessage,
  HEADER_BYTES,
  KIND,
  SILENCE,
  uuidMessage,
} from '../src/audiosocket/frame.ts'
import { createReader } from '../src/audiosocket/reader.ts'
import { cutFrames } from '../src/media/frames.ts'
import { powerAt, powerOf } from '../src/media/level.ts'
import { withoutTones } from '../src/media/tone-filter.ts'
import { goFirst } from '../src/mediaport/thread-priority.ts'
import { FRAME_BYTES, FRAME_MS, FRAME_SAMPLES, type Role } from '../src/platform/audio.ts'
import { createPhoneClock } from '../src/simulator/clock.ts'
import { random } from '../test/rig/media-stream.ts'
import { correlation, frameNumbers, talkSound } from '../test/rig/talk-sound.ts'
import { answer } from './child.ts'
import { median, percentile } from './result.ts'

/** What packets come late by, in a phase of the talk. */
export interface Phase {
  seconds: number
  /** ms of jitter, the same chance for each. */
  jitter: number
  /** Share of the packets that are late by `lateMs` instead. */
  late: number
  lateMs: number
}

/** What was heard of a phase, of all directions of all talks. Delays are from when a frame was due, ms. */
export interface PhaseHeard {
  /** Frames of speech, of which so many came on time and were not heard, and so many late and were not. */
  frames: number
  lost: number
  lostLate: number
  /** Frames of all kinds that were late, and of those in time the pauses that were left out. */
  late: number
  skipped: number
  /** Of the direction in which it is least. */
  correlation: number
  /** Median; of the direction in which it is longest, the longest median of a second; the longest of a frame. */
  delay: number
  longestSecond: number
  longest: number
  /** Median of the last 10 s. */
  delayAtEnd: number
}

/** Quieter frames are pauses, which the jitter buffer may leave out. */
const PAUSE = powerAt(-50)
/** ms late from which a frame is one of those that may be lost. */
const LATE_MS = 100
/** ms after which the last frames have been heard. */
const TAIL_MS = 500
/** Each millisecond is looked at what is due. */
const LOOK_MS = 1

interface Phone {
  id: string
  role: Role
  socket: Socket
  leave: () => void
  /** What came while it was measured, and when. */
  heard: { at: number; message: Buffer }[]
}

// what the telephones wait for a core themselves is nobody's delay
goFirst()
const clock = createPhoneClock()
let phones: Phone[] = []
let began: number | undefined

answer(
  {
    connect: ({ port, legs }: { port: number; legs: number }) =>
      Promise.all(Array.from({ length: legs }, () => dial(randomUUID(), 'visitor', port))).then(() => {}),
    answer: ({ port }: { port: number }) =>
      Promise.all(phones.map(({ id }) => dial(id, 'resident', port))).then(() => {}),
    press({ role, keys }: { role: Role; keys: string }) {
      for (const phone of phones)
        if (phone.role === role) for (const key of keys) phone.socket.write(dtmfMessage(key))
    },
    measure: ({ phases, seed }: { phases: readonly Phase[]; seed: number }) => measure(phases, seed),
    hangUp,
  },
  hangUp,
)

async function hangUp(): Promise<void> {
  const left = phones
  phones = []
  await Promise.all(
    left.map(({ socket, leave }) => {
      leave()
      const closed = once(socket, 'close')
      socket.destroy()
      return closed
    }),
  )
}

async function dial(id: string, role: Role, port: number): Promise<void> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  socket.write(uuidMessage(id))
  await once(socket, 'connect')
  const heard: Phone['heard'] = []
  const reader = createReader((kind, bytes, start, end) => {
    if (began === undefined || kind !== KIND.slin8) return
    heard.push({ at: performance.now() - began, message: bytes.subarray(start - HEADER_BYTES, end) })
  })
  socket.on('data', (chunk: Buffer) => reader.push(chunk))
  socket.on('error', () => socket.destroy())
  const leave = clock.add({ tick: () => void socket.write(SILENCE) })
  phones.push({ id, role, socket, leave, heard })
}

async function measure(phases: readonly Phase[], seed: number): Promise<PhaseHeard[]> {
  const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0)
  const said = { visitor: await talkSound(seconds, 1), resident: await talkSound(seconds, 4) }
  const messages = {
    visitor: cutFrames(said.visitor, audioFrame),
    resident: cutFrames(said.resident, audioFrame),
  }
  const lines = phones.map((phone, at) => ({
    phone,
    frames: messages[phone.role],
    comes: schedule(phases, random(seed * 1000 + at)),
    sent: 0,
  }))
  for (const { leave } of phones) leave()
  began = performance.now()
  await new Promise<void>((resolve) => {
    const send = () => {
      const now = performance.now() - began!
      for (const line of lines)
        while (line.comes[line.sent]! <= now) line.phone.socket.write(line.frames[line.sent++]!)
      if (now < seconds * 1000 + TAIL_MS) setTimeout(send, LOOK_MS)
      else resolve()
    }
    send()
  })
  began = undefined
  // what residents hear of visitors has no key tones
  const passed = { visitor: withoutTones(said.visitor), resident: said.resident }
  const numberIn = {
    visitor: frameNumbers(cutFrames(passed.visitor, audioFrame)),
    resident: frameNumbers(messages.resident),
  }
  const directions = lines.map(({ phone, comes }) => {
    const other = phones.find(({ id, role }) => id === phone.id && role !== phone.role)!
    return { comes, said: passed[phone.role], numberIn: numberIn[phone.role], heard: other.heard }
  })
  let from = 0
  return phases.map((phase) => {
    const to = from + (phase.seconds * 1000) / FRAME_MS
    const found = directions.map((direction) => hearing(direction, from, to))
    from = to
    const all = (of: (one: PhaseHeard) => number) => found.map(of)
    const sum = (of: (one: PhaseHeard) => number) => all(of).reduce((total, one) => total + one, 0)
    return {
      frames: sum((one) => one.frames),
      lost: sum((one) => one.lost),
      lostLate: sum((one) => one.lostLate),
      late: sum((one) => one.late),
      skipped: sum((one) => one.skipped),
      correlation: Math.min(...all((one) => one.correlation)),
      delay: median(all((one) => one.delay)),
      longestSecond: Math.max(...all((one) => one.longestSecond)),
      longest: Math.max(...all((one) => one.longest)),
      delayAtEnd: Math.max(...all((one) => one.delayAtEnd)),
    }
  })
}

/** When each frame is sent, ms: late, and never before the one in front of it, as in a stream of TCP. */
function schedule(phases: readonly Phase[], next: () => number): Float64Array {
  const times: number[] = []
  for (const { seconds, jitter, late, lateMs } of phases)
    for (let left = (seconds * 1000) / FRAME_MS; left > 0; left--) {
      const ms = next() < late ? lateMs : next() * jitter
      times.push(Math.max(times.at(-1) ?? 0, times.length * FRAME_MS + ms))
    }
  return Float64Array.from(times)
}

interface Direction {
  comes: Float64Array
  /** What may be heard. */
  said: Buffer
  numberIn: (message: Buffer) => number | undefined
  heard: Phone['heard']
}

/** Of the frames from one to another. */
function hearing({ comes, said, numberIn, heard }: Direction, from: number, to: number): PhaseHeard {
  const delays: (number | undefined)[] = new Array(to - from).fill(undefined)
  let [first, last] = [0, heard.length]
  for (const [at, { at: ms, message }] of heard.entries()) {
    if (ms < from * FRAME_MS) first = at + 1
    if (ms < to * FRAME_MS) last = at + 1
    const number = numberIn(message)
    if (number !== undefined && number >= from && number < to) delays[number - from] = ms - number * FRAME_MS
  }
  const found = { frames: 0, lost: 0, lostLate: 0, late: 0, skipped: 0 }
  for (let number = from; number < to; number++) {
    const isLate = comes[number]! - number * FRAME_MS >= LATE_MS
    const power = powerOf(new Int16Array(said.buffer, said.byteOffset + number * FRAME_BYTES, FRAME_SAMPLES))
    if (isLate) found.late++
    // silence is not told from other silence
    if (power === 0) continue
    const isHeard = delays[number - from] !== undefined
    if (power > PAUSE) found.frames++
    if (isHeard) continue
    if (isLate) found.lostLate++
    else if (power > PAUSE) found.lost++
    else found.skipped++
  }
  const known = delays.filter((ms) => ms !== undefined)
  const seconds = Array.from({ length: delays.length / 50 }, (_, at) =>
    delays.slice(at * 50, at * 50 + 50).filter((ms) => ms !== undefined),
  ).filter((second) => second.length > 0)
  const sound = Buffer.concat(heard.slice(first, last).map(({ message }) => message.subarray(HEADER_BYTES)))
  return {
    ...found,
    correlation: correlation(sound, said, from * FRAME_BYTES),
    delay: median(known),
    longestSecond: Math.max(...seconds.map(median)),
    longest: percentile(known, 1),
    delayAtEnd: median(seconds.slice(-10).flat()),
  }
}
