import { createJitterBuffer } from './jitter.js'
import { createResampler } from './resampler.js'

/** Plays what comes as Int16Array of 8 kHz. `sampleRate` is the worklet's own global. */
class Speaker extends AudioWorkletProcessor {
  #buffer = createJitterBuffer()
  #resample = createResampler(8000, sampleRate)
  #ready = new Float32Array(0)

  constructor() {
    super()
    /** @param {MessageEvent<Int16Array>} message */
    this.port.onmessage = ({ data }) => this.#buffer.push(Float32Array.from(data, (sample) => sample / 32768))
  }

  /**
   * @param {Float32Array[][]} _
   * @param {Float32Array[][]} outputs
   */
  process(_, [output]) {
    const channel = output?.[0]
    if (!output || !channel) return true
    while (this.#ready.length < channel.length) {
      const more = this.#resample(this.#buffer.pull(32))
      const joined = new Float32Array(this.#ready.length + more.length)
      joined.set(this.#ready)
      joined.set(more, this.#ready.length)
      this.#ready = joined
    }
    channel.set(this.#ready.subarray(0, channel.length))
    for (const other of output.slice(1)) other.set(channel)
    this.#ready = this.#ready.slice(channel.length)
    return true
  }
}

registerProcessor('speaker', Speaker)
