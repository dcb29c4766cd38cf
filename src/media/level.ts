/** Mean square of the samples; a full-scale square wave has 2^30. */
export function powerOf(samples: Int16Array): number {
  let sum = 0
  for (let i = 0; i < samples.length; i++) sum += samples[i]! * samples[i]!
  return sum / samples.length
}

/** A mean square in dB below a full-scale square wave (a full-scale sine has -3); silence is -100. */
export function dbfs(power: number): number {
  return Math.max(-100, 10 * Math.log10(power / 2 ** 30))
}

/** The mean square of a level in dBFS. */
export function powerAt(level: number): number {
  return 2 ** 30 * 10 ** (level / 10)
}

/** The ratio of two powers that are so many dB apart. */
export function ratioOf(decibel: number): number {
  return 10 ** (decibel / 10)
}
