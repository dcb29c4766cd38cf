import { dbfs, powerAt } from './level.ts'

/**
 * Linear values of the 256 codes of µ-law (ITU-T G.711): complemented sign, 3 bits of segment, 4 of interval; bias 33 ×
 * 4.
 */
export const ULAW = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84
  return bits & 0x80 ? -magnitude : magnitude
})

export type UlawVerdict = 'slin' | 'ulaw' | 'undecided'

/** The size of 20 ms of µ-law, and of 10 ms of slin: only these can be either. */
export const AMBIGUOUS_BYTES = 160
/** Audible payloads that are judged together. */
const WINDOW = 10
const MIN_EVIDENCE = 5
/** µ-law read as slin is always near full scale, because its sign is the highest bit. */
const LOUD = powerAt(-18)
const QUIETER = 3
/** Codes of the highest segment are above half of full scale: rare in sound, one in eight in the low bytes of slin. */
const MAX_TOP_SHARE = 0.06

interface UlawTrap {
  /** Takes the next payload of kind slin8; 'undecided' until there is enough sound. A verdict is final. */
  judge(bytes: Uint8Array, start: number, end: number): UlawVerdict
  readonly verdict: UlawVerdict
  /** True after the first audible payload: before that both readings are silence. */
  readonly heard: boolean
}

/**
 * Distinguishes raw µ-law labelled as 8 kHz slin (`Dial(AudioSocket/…)` from a µ-law caller without `/c(slin)`) from real
 * slin in packets of 10 ms, by content. µ-law must be the much quieter of both readings, and both even and odd bytes must
 * be without codes that in µ-law mean full scale: in slin the low bytes are spread over all codes and the high bytes of
 * quiet sound are such codes. Slin, on the other hand, must be the quieter reading. Silence in both proves nothing.
 */
export function createUlawTrap(): UlawTrap {
  let verdict: UlawVerdict = 'undecided'
  let heard = 0
  let slinPower = 0
  let ulawPower = 0
  let topEven = 0
  let topOdd = 0

  function judge(bytes: Uint8Array, start: number, end: number): UlawVerdict {
    if (verdict !== 'undecided') return verdict
    if (end - start !== AMBIGUOUS_BYTES) {
      verdict = 'slin'
      return verdict
    }
    let slin = 0
    let ulaw = 0
    let even = 0
    let odd = 0
    for (let at = start; at < end; at += 2) {
      const low = bytes[at]!
      const high = bytes[at + 1]!
      const sample = ((low | (high << 8)) << 16) >> 16
      slin += (sample * sample) / 80
      ulaw += (ULAW[low]! ** 2 + ULAW[high]! ** 2) / 160
      if ((low & 0x70) === 0) even++
      if ((high & 0x70) === 0) odd++
    }
    if (dbfs(slin) < -60 && dbfs(ulaw) < -60) return verdict
    heard++
    slinPower += slin
    ulawPower += ulaw
    topEven += even
    topOdd += odd
    const most = heard * 80 * MAX_TOP_SHARE
    const isUlaw =
      slinPower > heard * LOUD && slinPower > ulawPower * QUIETER && topEven <= most && topOdd <= most
    if (heard >= MIN_EVIDENCE && isUlaw) verdict = 'ulaw'
    else if (heard >= WINDOW && slinPower < ulawPower) verdict = 'slin'
    else if (heard >= WINDOW) {
      // loud in both readings: the next payloads will be quieter
      heard = 0
      slinPower = 0
      ulawPower = 0
      topEven = 0
      topOdd = 0
    }
    return verdict
  }

  return {
    judge,
    get verdict() {
      return verdict
    },
    get heard() {
      return heard > 0
    },
  }
}
