import { KIND } from '../audiosocket/index.ts'
import { FRAME_BYTES, FRAME_MS, SAMPLE_RATE } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import type { Wideband } from './wideband.ts'

interface MicrophoneEvents {
  write(message: Buffer): void
  /** A key was sent, at its end. */
  key(key: string): void
  spoke(ms: number, prompt: string | undefined): void
}

interface MicrophoneOptions {
  pace: boolean
  dtx: boolean
  inband: boolean
  /** Undefined: it sends 8 kHz. */
  wideband: Wideband | undefined
}

interface Microphone {
  press(keys: string): Promise<void>
  say(pcm: Uint8Array, prompt?: string): Promise<void>
  /** The next 20 ms. */
  tick(): void
  /** Nothing more will be sent: resolves what is still waiting. */
  release(): void
}

interface Speech {
  pcm: Uint8Array
  prompt: string | undefined
  offset: number
  done: () => void
}

interface Keys {
  keys: string
  done: () => void
}

/**
 * Asterisk's SendDTMF, measured on 22.10.1 (test/fixtures/captures): 100 ms pause, 100 ms tone and then the digit, and
 * 100 ms more after the last; all that time no audio frame comes.
 */
const KEY_PART = 100 / FRAME_MS
const LOW = [697, 770, 852, 941]
const HIGH = [1209, 1336, 1477, 1633]
const PAD = ['123A', '456B', '789C', '*0#D']

const SILENCE = Buffer.alloc(FRAME_BYTES)

/** Any AudioSocket message. Written apart from src/audiosocket/frame.ts on purpose: the phone is the second opinion. */
export function message(kind: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(3 + payload.length)
  bytes[0] = kind
  bytes.writeUInt16BE(payload.length, 1)
  bytes.set(payload, 3)
  return bytes
}

/** A whole message of sound; silence by default. */
export function audioMessage(wideband: Wideband | undefined, pcm: Uint8Array = SILENCE): Buffer {
  return wideband ? message(KIND.slin16, wideband.widened(pcm)) : message(KIND.slin8, pcm)
}

/** What a phone sends: speech, keys, and silence in between, a frame each tick. */
export function createMicrophone(
  { pace, dtx, inband, wideband }: MicrophoneOptions,
  on: MicrophoneEvents,
): Microphone {
  const sound = (pcm?: Uint8Array) => on.write(audioMessage(wideband, pcm))
  const speeches: Speech[] = []
  const presses: Keys[] = []
  // below 0: the pause after the last key; 0: no key; else the ticks of pause and tone that have gone by
  let phase = 0
  let tone: Buffer | undefined
  let released = false

  const keyTick = () => {
    phase++
    const sounding = phase > KEY_PART
    if (inband && sounding) {
      tone ??= dualTone(presses[0]!.keys[0]!)
      const start = (phase - KEY_PART - 1) * FRAME_BYTES
      sound(tone.subarray(start, start + FRAME_BYTES))
    } else if (inband) sound()
    if (phase < 2 * KEY_PART) return
    sendKey()
    phase = presses.length > 0 ? 0 : 1 - KEY_PART
  }

  const sendKey = () => {
    const press = presses[0]!
    const key = press.keys[0]!
    if (!inband) on.write(message(KIND.dtmf, Buffer.from(key)))
    tone = undefined
    on.key(key)
    press.keys = press.keys.slice(1)
    if (press.keys !== '') return
    presses.shift()
    press.done()
  }

  /** False when there was nothing to say. */
  const speechTick = (): boolean => {
    for (;;) {
      const speech = speeches[0]
      if (speech === undefined) return false
      if (speech.offset < speech.pcm.length) {
        sound(speech.pcm.subarray(speech.offset, speech.offset + FRAME_BYTES))
        speech.offset += FRAME_BYTES
        return true
      }
      // a tick after the last frame: now it has been spoken
      speeches.shift()
      on.spoke(Math.round((speech.pcm.length / 2 / SAMPLE_RATE) * 1000), speech.prompt)
      speech.done()
    }
  }

  return {
    async press(keys) {
      checkKeys(keys)
      if (released) return
      const { promise, resolve } = Promise.withResolvers<void>()
      presses.push({ keys, done: resolve })
      if (!pace) while (presses.length > 0) sendKey()
      return promise
    },
    say(pcm, prompt) {
      if (released) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      // whole samples only; the last frame may be short, as the last of a file is
      speeches.push({ pcm: pcm.subarray(0, pcm.length & ~1), prompt, offset: 0, done: resolve })
      if (!pace) while (speechTick());
      return promise
    },
    tick() {
      if (!pace) return
      if (presses.length > 0 && phase >= 0) keyTick()
      else if (phase < 0) {
        phase++
        if (inband) sound()
      } else if (!speechTick() && !dtx) sound()
    },
    release() {
      released = true
      for (const { done } of [...speeches.splice(0), ...presses.splice(0)]) done()
    },
  }
}

/** Throws USAGE_WRONG for anything that no telephone has. */
export function checkKeys(keys: string): void {
  if (!/^[0-9A-D*#]+$/.test(keys))
    throw fail('USAGE_WRONG', { problem: `Keys are 0-9, A-D, * and #: "${keys}"` })
}

/** 100 ms of a key's two tones, -10 dBFS together, faded in and out over 5 ms so that it does not click. */
function dualTone(key: string): Buffer {
  const row = PAD.findIndex((keys) => keys.includes(key))
  const low = LOW[row]!
  const high = HIGH[PAD[row]!.indexOf(key)]!
  const samples = KEY_PART * (FRAME_BYTES / 2)
  const pcm = Buffer.alloc(samples * 2)
  const fade = SAMPLE_RATE / 200
  for (let index = 0; index < samples; index++) {
    const gain = Math.min(1, index / fade, (samples - index) / fade)
    const turn = (2 * Math.PI * index) / SAMPLE_RATE
    pcm.writeInt16LE(Math.round(gain * 7300 * (Math.sin(turn * low) + Math.sin(turn * high))), index * 2)
  }
  return pcm
}
