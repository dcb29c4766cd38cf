import { createResampler, levelOf } from './resampler.js'

/** 20 ms at 8 kHz. */
const FRAME = 160

/** What the microphone hears, as frames of 8 kHz s16le with their loudness. `sampleRate` is the worklet's own global. */
class Microphone extends AudioWorkletProcessor {
  #resample = createResampler(sampleRate, 8000)
  #frame = new Int16Array(FRAME)
  #filled = 0

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    const samples = input?.[0]
    if (!samples) return true
    const made = this.#resample(samples)
    for (const sample of made) {
      this.#frame[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)))
      if (this.#filled < FRAME) continue
      const frame = this.#frame
      const level = levelOf(Float32Array.from(frame, (one) => one / 32768))
      this.port.postMessage({ frame, level }, [frame.buffer])
      this.#frame = new Int16Array(FRAME)
      this.#filled = 0
    }
    return true
  }
}

registerProcessor('microphone', Microphone)
