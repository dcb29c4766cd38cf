/** Samples that each output sample is made of, on either side, at the lower of the two rates. */
const REACH = 8
/** Of the lower rate's band; what lies above would be folded into what is heard. */
const CUTOFF = 0.88

/**
 * Sound from one rate to another, block by block without a seam: a windowed sinc, evaluated where each sample falls, so that the
 * rates need not divide each other. Float samples in, a fresh Float32Array out.
 * @param {number} from Hz
 * @param {number} to Hz
 * @returns {(block: Float32Array) => Float32Array}
 */
export function createResampler(from, to) {
  const scale = Math.min(1, to / from) * CUTOFF
  const reach = Math.ceil(REACH / Math.min(1, to / from))
  const step = from / to
  // what the next block still needs of those before it
  let kept = new Float32Array(2 * reach)
  // where the next output sample lies, in input samples from the beginning of `kept`
  let at = reach

  return (block) => {
    const samples = new Float32Array(kept.length + block.length)
    samples.set(kept)
    samples.set(block, kept.length)
    const made = new Float32Array(Math.max(0, Math.ceil((samples.length - reach - at) / step)))
    for (let index = 0; index < made.length; index++, at += step)
      made[index] = valueAt(samples, at, reach, scale)
    const done = Math.max(0, Math.floor(at) - reach)
    kept = samples.slice(done)
    at -= done
    return made
  }
}

/**
 * @param {Float32Array} samples
 * @param {number} at
 * @param {number} reach
 * @param {number} scale
 */
function valueAt(samples, at, reach, scale) {
  const first = Math.ceil(at - reach)
  const last = Math.floor(at + reach)
  let sum = 0
  for (let index = first; index <= last; index++)
    sum += (samples[index] ?? 0) * kernel(at - index, reach, scale)
  return sum
}

/**
 * A sinc of the wanted band below a Hann window.
 * @param {number} distance
 * @param {number} reach
 * @param {number} scale
 */
function kernel(distance, reach, scale) {
  const x = Math.PI * distance * scale
  const sinc = x === 0 ? 1 : Math.sin(x) / x
  return scale * sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / reach))
}

/**
 * dBFS of some samples; -100 is silence.
 * @param {Float32Array} samples
 */
export function levelOf(samples) {
  let sum = 0
  for (const sample of samples) sum += sample * sample
  return samples.length === 0 ? -100 : Math.max(-100, 10 * Math.log10(sum / samples.length + 1e-10))
}
