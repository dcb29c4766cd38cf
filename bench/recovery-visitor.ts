/** A visitor behind an Asterisk whose dialplan connects again: what they hear, and when. */
import { randomUUID } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import { audioFrame, dtmfMessage, KIND, SILENCE, uuidMessage } from '../src/audiosocket/frame.ts'
import { createReader } from '../src/audiosocket/reader.ts'
import { createTones } from '../src/media/tones.ts'
import { FRAME_BYTES } from '../src/platform/audio.ts'
import { createPhoneClock } from '../src/simulator/clock.ts'
import { readPrompts } from '../src/testing/index.ts'
import { monotonicMs } from './monotonic.ts'
import type { Station } from './recovery-bed.ts'

export type Visitor = ReturnType<typeof createVisitor>

/** Of a visitor who heard what was waited for: monotonicMs of the connection's first packet and of the first frame. */
export interface Heard {
  dialledAt: number
  heardAt: number
}

/** From a lost leg to the next Dial, ms. */
const AGAIN_MS = 20
/** A leg that lasted less told the dialplan that its call has ended, ms. */
const SHORT_LEG_MS = 2000
/** ms after which a visitor who heard nothing ends the bench. */
const HEARING_MS = 15_000
/** Frames without a known prompt after which the next one is said anew. */
const PAUSE_FRAMES = 10
/** What is loud in a sample: below it somebody draws breath. */
const LOUD_PEAK = 1500
/** How long a visitor of the station `ringing` speaks, frames. */
const SPOKEN = 50
const KNOWN = [
  'greeting',
  'ask-unit',
  'ask-unit-again',
  'ask-name',
  'ask-name-again',
  'ask-purpose',
  'calling-unit',
  'call-restored',
  'lines-busy',
  'service-closing',
  'farewell-visitor-silent',
]

const clock = createPhoneClock()
const prompts = await readPrompts('pt-BR')
const { beep } = createTones(audioFrame)
const known = knownFrames()
const voice = prompts.frames('sample-visitor-name').filter(isLoud)
/** Calls at once, and does what leads to its station. */
export function createVisitor(port: number, station: Station) {
  const id = randomUUID()
  const again = Promise.withResolvers<Heard | string>()
  const first = new Map<string, Heard>()
  const waiting = new Map<string, (heard: Heard) => void>()
  let retryMs: number | undefined
  let socket: Socket
  let saying: string | undefined
  let pause = 0
  /** Frames that are still to be spoken. */
  let speaks = 0
  let spoken = 0
  let connection = 0
  let lost = false
  let retrying: NodeJS.Timeout | undefined

  const react = (prompt: string) => {
    if (station === 'unit') {
      if (prompt === 'ask-unit-again') press('*')
      return
    }
    if (prompt === 'greeting') press('101#')
    else if (prompt.startsWith('ask-name') || prompt === 'ask-purpose') press('#')
    else if (prompt === 'calling-unit') press('#')
    else if (prompt === 'beep') speaks = station === 'ringing' ? SPOKEN : Infinity
  }

  const press = (keys: string) => {
    for (const key of keys) socket.write(dtmfMessage(key))
  }

  const hear = (prompt: string, dialledAt: number) => {
    const heard = { dialledAt, heardAt: monotonicMs() }
    if (!first.has(prompt)) first.set(prompt, heard)
    waiting.get(prompt)?.(heard)
    if (lost) again.resolve(prompt === 'call-restored' ? heard : prompt)
    react(prompt)
  }

  const connect = () => {
    const own = ++connection
    const dialledAt = monotonicMs()
    let leave: (() => void) | undefined
    let since: number | undefined
    saying = undefined
    socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    socket.write(uuidMessage(id))
    const reader = createReader((kind, bytes, start, end) => {
      if (kind !== KIND.slin8 || end - start !== FRAME_BYTES) return
      const prompt = known.get(bytes.toString('latin1', start, end))
      if (prompt === undefined) {
        if (++pause > PAUSE_FRAMES) saying = undefined
        return
      }
      pause = 0
      if (prompt === saying) return
      saying = prompt
      hear(prompt, dialledAt)
    })
    socket.on('connect', () => {
      since = monotonicMs()
      leave = clock.add({
        tick: () => {
          if (speaks > 0) {
            speaks--
            socket.write(voice[spoken++ % voice.length]!)
          } else socket.write(SILENCE)
        },
      })
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      leave?.()
      if (own !== connection) return
      const toldOver = since !== undefined && monotonicMs() - since < SHORT_LEG_MS
      if (retryMs === undefined || toldOver) return again.resolve('ended')
      lost = true
      speaks = 0
      retrying = setTimeout(connect, since === undefined ? retryMs : AGAIN_MS)
    })
  }

  connect()
  return {
    /** The first frame of this prompt in the call. */
    hears(prompt: string): Promise<Heard> {
      const { promise, resolve, reject } = Promise.withResolvers<Heard>()
      const heard = first.get(prompt)
      if (heard) resolve(heard)
      waiting.set(prompt, resolve)
      setTimeout(() => reject(new Error(`a visitor did not hear ${prompt}`)), HEARING_MS).unref()
      return promise
    },
    retries(ms: number) {
      retryMs = ms
    },
    again: () => again.promise,
    hangUp() {
      connection = 0
      clearTimeout(retrying)
      socket.end()
      socket.destroySoon()
    },
  }
}

/** Frames that only one of the prompts has; a frame of silence is nobody's. */
function knownFrames(): Map<string, string> {
  const owners = new Map<string, string | undefined>()
  const sounds = [...KNOWN.map((id) => [id, prompts.frames(id)] as const), ['beep', beep] as const]
  for (const [id, frames] of sounds) {
    for (const frame of frames) {
      const pcm = frame.toString('latin1', frame.length - FRAME_BYTES)
      owners.set(pcm, owners.has(pcm) && owners.get(pcm) !== id ? undefined : id)
    }
  }
  for (const id of ['greeting', 'call-restored']) {
    const [begins] = prompts.frames(id).filter(isLoud)
    if (owners.get(begins!.toString('latin1', begins!.length - FRAME_BYTES)) !== id)
      throw new Error(`the beginning of ${id} is that of another prompt too`)
  }
  return new Map([...owners].flatMap(([pcm, id]) => (id === undefined ? [] : [[pcm, id] as const])))
}

function isLoud(frame: Buffer): boolean {
  for (let at = frame.length - FRAME_BYTES; at < frame.length; at += 2)
    if (Math.abs(frame.readInt16LE(at)) > LOUD_PEAK) return true
  return false
}
