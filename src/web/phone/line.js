import { withQuery } from '../api.js'
import { reattach, wasLost } from './reattach.js'
import { levelOf } from './resampler.js'

/** The two tones of each key, in Hz, to be heard by whoever presses it. */
const TONES = { row: [697, 770, 852, 941], column: [1209, 1336, 1477] }
const PAD = ['123', '456', '789', '*0#']

/**
 * One telephone: a WebSocket to the service, a microphone and a speaker. `on` hears `open(call)`, `level({ in, out })`,
 * `microphone(error)` where there is none, `lost()` when a visitor's line broke and is tried again, after which comes another
 * `open`, and `ended({ by, code, stood })` once: `stood` where the line was open before. Whoever opens it closes it.
 */
export async function openLine({ role, call }, on) {
  const audio = new AudioContext()
  const loudness = { in: -100, out: -100 }
  let socket
  let stream
  let ended = false
  let muted = false

  const end = (how) => {
    if (ended) return
    ended = true
    for (const track of stream?.getTracks() ?? []) track.stop()
    if (audio.state !== 'closed') void audio.close()
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close(1000)
    on.ended(how)
  }

  const line = {
    press(key) {
      if (socket?.readyState !== WebSocket.OPEN) return
      socket.send(JSON.stringify({ type: 'key', key }))
      beep(audio, key)
    },
    mute(is) {
      muted = is
    },
    hangUp() {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'hangup' }))
      end({ by: 'us', code: 1000 })
    },
  }

  let speaker
  try {
    await Promise.all([
      audio.audioWorklet.addModule('/assets/phone/microphone-worklet.js'),
      audio.audioWorklet.addModule('/assets/phone/speaker-worklet.js'),
    ])
    speaker = new AudioWorkletNode(audio, 'speaker', { numberOfInputs: 0, outputChannelCount: [1] })
    speaker.connect(audio.destination)
    void audio.resume()
  } catch {
    // a page that is not on localhost needs https for sound
    end({ by: 'audio' })
    return line
  }

  /** Resolves with true once it stands, with how it ended where it never did. */
  const connect = (id) =>
    new Promise((resolve) => {
      const address = new URL(withQuery('/api/phone', { role, call: id }), location.href)
      address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
      let place
      let openedAt
      let by = 'lost'
      socket = new WebSocket(address)
      socket.binaryType = 'arraybuffer'
      socket.onclose = ({ code }) => {
        resolve({ by, code })
        if (openedAt !== undefined) void broke(place, { by, code, stood: true }, performance.now() - openedAt)
      }
      socket.onmessage = ({ data }) => {
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
      if (!muted && socket.readyState === WebSocket.OPEN) socket.send(frame)
    }
  }
}

/** 90 ms of a key's tones, quietly. */
function beep(audio, key) {
  const row = PAD.findIndex((keys) => keys.includes(key))
  if (row === -1 || audio.state !== 'running') return
  const gain = new GainNode(audio, { gain: 0.04 })
  gain.connect(audio.destination)
  for (const frequency of [TONES.row[row], TONES.column[PAD[row].indexOf(key)]]) {
    const tone = new OscillatorNode(audio, { frequency })
    tone.connect(gain)
    tone.start()
    tone.stop(audio.currentTime + 0.09)
  }
}
