/** Samples at 8 kHz: what is waited for before anything is played (60 ms), and what is kept at most (240 ms). */
const PRIMED = 480
const FULL = 1920

/**
 * What came and is not played yet. It waits for a little before it begins, and again after it ran dry; what is too much goes,
 * the oldest first, so that a stall does not stay as a delay.
 */
export function createJitterBuffer({ primed = PRIMED, full = FULL } = {}) {
  /** @type {Float32Array[]} */
  const frames = []
  let waiting = 0
  let offset = 0
  let playing = false
  const counts = { dropped: 0, dry: 0 }

  return {
    counts,
    /** @param {Float32Array} frame */
    push(frame) {
      frames.push(frame)
      waiting += frame.length
      while (waiting > full) {
        waiting -= (frames.shift()?.length ?? 0) - offset
        offset = 0
        counts.dropped++
      }
    },
    /**
     * So many samples, with silence where there are none.
     * @param {number} length
     */
    pull(length) {
      const out = new Float32Array(length)
      if (!playing && waiting < primed) return out
      playing = true
      let filled = 0
      while (filled < length) {
        const [frame] = frames
        if (!frame) break
        const taken = Math.min(frame.length - offset, length - filled)
        out.set(frame.subarray(offset, offset + taken), filled)
        filled += taken
        offset += taken
        waiting -= taken
        if (offset === frame.length) {
          frames.shift()
          offset = 0
        }
      }
      if (filled < length) {
        playing = false
        counts.dry++
      }
      return out
    },
  }
}
