import { urlOf, withQuery } from '../api.js'
import { reattach, wasLost } from './reattach.js'
import { levelOf } from './resampler.js'

/** @typedef {import('../api-types.d.ts').Role} Role */
/** @typedef {{ by: string, code?: number, stood?: boolean }} Ended `stood`: the line was open before. */
/**
 * @typedef {object} LineEvents
 * @property {(call: string) => void} open
 * @property {() => void} lost
 * @property {(loudness: { in: number, out: number }) => void} level dBFS
 * @property {(error: unknown) => void} microphone
 * @property {(how: Ended) => void} ended
 */
/** @typedef {{ press(key: string): void, mute(is: boolean): void, hangUp(): void }} Line */

/** The two tones of each key, in Hz, to be heard by whoever presses it. */
const TONES = { row: [697, 770, 852, 941], column: [1209, 1336, 1477] }
const PAD = ['123', '456', '789', '*0#']

/**
 * One telephone: a WebSocket to the service, a microphone and a speaker. `on` hears `open(call)`, `level({ in, out })`,
 * `microphone(error)` where there is none, `lost()` when a visitor's line broke and is tried again, after which comes another
 * `open`, and `ended({ by, code, stood })` once: `stood` where the line was open before. Whoever opens it closes it.
 * @param {{ role: Role, call?: string | undefined }} wanted
 * @param {LineEvents} on
 */
export async function openLine({ role, call }, on) {
  const audio = new AudioContext()
  const loudness = { in: -100, out: -100 }
  /** @type {WebSocket | undefined} */
  let socket
  /** @type {MediaStream | undefined} */
  let stream
  let ended = false
  let muted = false

  /** @param {Ended} how */
  const end = (how) => {
    if (ended) return
    ended = true
    for (const track of stream?.getTracks() ?? []) track.stop()
    if (audio.state !== 'closed') void audio.close()
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close(1000)
    on.ended(how)
  }

  const line = {
    /** @param {string} key */
    press(key) {
      if (socket?.readyState !== WebSocket.OPEN) return
      socket.send(JSON.stringify({ type: 'key', key }))
      beep(audio, key)
    },
    /** @param {boolean} is */
    mute(is) {
      muted = is
    },
    hangUp() {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'hangup' }))
      end({ by: 'us', code: 1000 })
    },
  }

  /** @type {AudioWorkletNode} */
  let speaker
  try {
    await Promise.all([
      audio.audioWorklet.addModule(urlOf('/assets/phone/microphone-worklet.js')),
      audio.audioWorklet.addModule(urlOf('/assets/phone/speaker-worklet.js')),
    ])
    speaker = new AudioWorkletNode(audio, 'speaker', { numberOfInputs: 0, outputChannelCount: [1] })
    speaker.connect(audio.destination)
    void audio.resume()
  } catch {
    // a page that is not on localhost needs https for sound
    end({ by: 'audio' })
    return line
  }

  /**
   * Resolves with true once it stands, with how it ended where it never did.
   * @param {string | undefined} id
   * @returns {Promise<true | Ended>}
   */
  const connect = (id) =>
    new Promise((resolve) => {
      const address = new URL(urlOf(withQuery('/api/phone', { role, call: id })), location.href)
      address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
      /** @type {string} */
      let place
      /** @type {number | undefined} */
      let openedAt
      let by = 'lost'
      const opened = new WebSocket(address)
      socket = opened
      opened.binaryType = 'arraybuffer'
      opened.onclose = ({ code }) => {
        resolve({ by, code })
        if (openedAt !== undefined) void broke(place, { by, code, stood: true }, performance.now() - openedAt)
      }
      opened.onmessage = ({ data }) => {
        if (typeof data !== 'string') return hear(data)
        const message = JSON.parse(data)
        if (message.type === 'open') {
          openedAt = performance.now()
          place = message.call
          on.open(place)
          resolve(true)
        } else if (message.by !== 'us') by = message.by
      }
    })

  /**
   * @param {string} id
   * @param {Ended} how
   * @param {number} stoodMs
   */
  const broke = async (id, how, stoodMs) => {
    if (ended) return
    if (role !== 'visitor' || !wasLost(how, stoodMs)) return end(how)
    on.lost()
    const found = await reattach(id, {
      isWanted: () => !ended,
      connect: async () => (await connect(id)) === true,
    })
    if (found !== 'open') end({ ...how, by: found })
  }

  /** @param {ArrayBuffer} data */
  const hear = (data) => {
    const samples = new Int16Array(data)
    loudness.out = levelOf(Float32Array.from(samples, (sample) => sample / 32768))
    on.level({ ...loudness })
    speaker.port.postMessage(samples, [data])
  }

  void connect(call).then((first) => first === true || end(first))
  // without a microphone the call goes on by keys
  listen().catch((error) => !ended && on.microphone(error))
  return line

  async function listen() {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    })
    if (ended) {
      for (const track of stream.getTracks()) track.stop()
      return
    }
    const microphone = new AudioWorkletNode(audio, 'microphone', { numberOfOutputs: 0 })
    audio.createMediaStreamSource(stream).connect(microphone)
    microphone.port.onmessage = ({ data: { frame, level } }) => {
      loudness.in = muted ? -100 : level
      on.level({ ...loudness })
      if (!muted && socket?.readyState === WebSocket.OPEN) socket.send(frame)
    }
  }
}

/**
 * 90 ms of a key's tones, quietly.
 * @param {AudioContext} audio
 * @param {string} key
 */
function beep(audio, key) {
  const row = PAD.findIndex((keys) => keys.includes(key))
  const tones = [TONES.row[row], TONES.column[PAD[row]?.indexOf(key) ?? -1]]
  if (audio.state !== 'running') return
  const gain = new GainNode(audio, { gain: 0.04 })
  gain.connect(audio.destination)
  for (const frequency of tones) {
    if (frequency === undefined) continue
    const tone = new OscillatorNode(audio, { frequency })
    tone.connect(gain)
    tone.start()
    tone.stop(audio.currentTime + 0.09)
  }
}
