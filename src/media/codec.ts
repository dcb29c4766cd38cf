import { powerAt } from './level.ts'

/** The two companded codings of ITU-T G.711: a byte a sample at 8 kHz. */
export type Law = 'ulaw' | 'alaw'

/** µ-law: complemented sign, 3 bits of segment, 4 of interval; bias 33 × 4. */
const ULAW = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84
  return bits & 0x80 ? -magnitude : magnitude
})

/** A-law: every second bit inverted; sign, 3 bits of segment, 4 of interval; the lowest segment is linear. */
const ALAW = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0x55
  const segment = (bits >> 4) & 7
  const interval = ((bits & 0x0f) << 4) + 8
  const magnitude = segment === 0 ? interval : (interval + 0x100) << (segment - 1)
  return bits & 0x80 ? magnitude : -magnitude
})

/** Linear values of the 256 codes. */
export const LAWS: Readonly<Record<Law, Int16Array>> = { ulaw: ULAW, alaw: ALAW }

/** `foreign`: neither signed linear nor G.711, such as G.722 or Opus. */
export type CodecVerdict = 'slin' | Law | 'foreign' | 'undecided'

/** The size of 20 ms of G.711 or G.722, and of 10 ms of slin: only these can be either. */
export const AMBIGUOUS_BYTES = 160
/** From the size of 20 ms of slin on a payload is slin; fewer bytes than the second number prove nothing. */
const SLIN_BYTES = 320
const SHORT_BYTES = 20
/** Audible payloads that are judged together. */
const WINDOW = 10
const MIN_EVIDENCE = 5
/** Windows, or payloads of other sizes, in a row that must be foreign: a wrong refusal ends a leg. */
const FOREIGN_WINDOWS = 2
const FOREIGN_PAYLOADS = 4
/** Codes of G.711 read as slin are always near full scale, because their sign is the highest bit. */
const LOUD = powerAt(-18)
const QUIETER = 3
/** Those of A-law in every payload, because it inverts every second bit. */
const ALWAYS = powerAt(-14)
/** The right law is at least 3 dB quieter than the other: a wrong one turns quiet samples into loud ones. */
const RIGHT_LAW = 2
/** Codes of the highest segment are above half of full scale: rare in sound, one in eight in the low bytes of slin. */
const MAX_TOP_SHARE = 0.06
/**
 * Roughness is the power of the differences over the power: speech has 0.2 to 1, white noise and compressed bytes 2. Sound may be
 * as rough as noise while it is softer than NOISE, which no reading of compressed bytes is.
 */
const SMOOTH = 1.2
const WHITE = 2.3
const NOISE = powerAt(-24)
/** Compressed bytes read as slin: white at -4.8 dBFS. */
const FULL = powerAt(-9)
const COARSE = 1.4
/** As slin, this would be heard as noise; few bytes vary more. */
const HARSH = 0.8
const SHORT_FULL = powerAt(-12)
const SHORT_HARSH = 0.5
/** Codes of one sign only: an offset of the line is smooth, G.722 of narrowband sound is not. */
const ONE_SIGNED = 0.3
const SILENT = powerAt(-60)

interface CodecTrap {
  /** Takes the next payload of kind slin8; 'undecided' until there is enough sound. A verdict is final. */
  judge(bytes: Uint8Array, start: number, end: number): CodecVerdict
  readonly verdict: CodecVerdict
  /** True after the first audible payload: before that all readings are silence. */
  readonly hasSound: boolean
  /** True while what is undecided would be noise if it were played as slin. */
  readonly harsh: boolean
}

/** One reading of the payloads in the window: sums of mean squares, of samples and of their differences. */
interface Reading {
  power: number
  steps: number
}

/** A reading by a law, with its codes of the highest segment in even and odd bytes. */
interface LawReading extends Reading {
  topEven: number
  topOdd: number
}

/**
 * Tells by content what the payloads of a leg are: `Dial(AudioSocket/…)` without `/c(slin)` labels the caller's codec as
 * 8 kHz slin. G.711 must be much quieter than its bytes read as slin, quieter by its own law than by the other, and both even and odd
 * bytes must be without codes that mean full scale: in slin the low bytes are spread over all codes and the high bytes of
 * quiet sound are such codes. Slin, on the other hand, must be the quieter reading. What is noise in every reading is foreign.
 * Silence proves nothing.
 */
export function createCodecTrap(): CodecTrap {
  let verdict: CodecVerdict = 'undecided'
  let measured = 0
  let positive = 0
  let foreign = 0
  let harsh = false
  /** Power of the payload in the window that is quietest as slin. */
  let least = Number.POSITIVE_INFINITY
  /** Payloads of other sizes. */
  const others = { samples: 0, power: 0, steps: 0, count: 0 }
  const slin: Reading = { power: 0, steps: 0 }
  const ulaw: LawReading = { power: 0, steps: 0, topEven: 0, topOdd: 0 }
  const alaw: LawReading = { power: 0, steps: 0, topEven: 0, topOdd: 0 }

  function judge(bytes: Uint8Array, start: number, end: number): CodecVerdict {
    if (verdict !== 'undecided') return verdict
    if (end - start === AMBIGUOUS_BYTES) weigh(bytes, start, end)
    else judgeSize(bytes, start, end)
    return verdict
  }

  /** No size of G.711: slin, unless it is loud noise, as the packets of Opus are. */
  function judgeSize(bytes: Uint8Array, start: number, end: number): void {
    const samples = (end - start) >> 1
    if (end - start < SHORT_BYTES) return
    let power = 0
    let steps = 0
    let last = ((bytes[start]! | (bytes[start + 1]! << 8)) << 16) >> 16
    for (let at = start; at < end; at += 2) {
      const sample = ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16
      power += sample * sample
      steps += (sample - last) ** 2
      last = sample
    }
    harsh = end - start < SLIN_BYTES && power > SHORT_FULL * samples && steps > power * SHORT_HARSH
    if (!harsh) {
      verdict = 'slin'
      return
    }
    others.samples += samples
    others.power += power
    others.steps += steps
    if (++others.count < FOREIGN_PAYLOADS) return
    verdict =
      others.power > FULL * others.samples && others.steps > others.power * COARSE ? 'foreign' : 'slin'
  }

  function weigh(bytes: Uint8Array, start: number, end: number): void {
    if (!add(bytes, start, end)) return
    measured++
    harsh = foreign > 0 || (slin.steps > slin.power * HARSH && slin.power > measured * FULL)
    if (measured < MIN_EVIDENCE) return
    const [law, reading, other] =
      alaw.power < ulaw.power ? (['alaw', alaw, ulaw] as const) : (['ulaw', ulaw, alaw] as const)
    if (isSound(reading) && (law === 'ulaw' || least > ALWAYS) && reading.power * RIGHT_LAW < other.power)
      verdict = law
    if (verdict !== 'undecided' || measured < WINDOW) return
    if (slin.power < ulaw.power) verdict = 'slin'
    else if (isForeign(reading)) {
      harsh = true
      if (++foreign === FOREIGN_WINDOWS) verdict = 'foreign'
    } else foreign = 0
    // loud in all readings: the next payloads will be quieter
    measured = 0
    positive = 0
    least = Number.POSITIVE_INFINITY
    for (const one of [slin, ulaw, alaw]) one.power = one.steps = 0
    for (const one of [ulaw, alaw]) one.topEven = one.topOdd = 0
  }

  /** Adds a payload to the three readings, unless it is silence. */
  function add(bytes: Uint8Array, start: number, end: number): boolean {
    let slinPower = 0
    let slinSteps = 0
    let ulawPower = 0
    let ulawSteps = 0
    let alawPower = 0
    let alawSteps = 0
    let lastSlin = 0
    let lastUlaw = ULAW[bytes[start]!]!
    let lastAlaw = ALAW[bytes[start]!]!
    let signs = 0
    let ulawTops = 0
    let alawTops = 0
    let ulawEven = 0
    let alawEven = 0
    for (let at = start; at < end; at++) {
      const code = bytes[at]!
      const parity = (at - start) & 1
      if (parity === 1) {
        const sample = ((bytes[at - 1]! | (code << 8)) << 16) >> 16
        slinPower += sample * sample
        if (at > start + 1) slinSteps += (sample - lastSlin) ** 2
        lastSlin = sample
      }
      const byUlaw = ULAW[code]!
      const byAlaw = ALAW[code]!
      ulawPower += byUlaw * byUlaw
      alawPower += byAlaw * byAlaw
      ulawSteps += (byUlaw - lastUlaw) ** 2
      alawSteps += (byAlaw - lastAlaw) ** 2
      lastUlaw = byUlaw
      lastAlaw = byAlaw
      signs += code >> 7
      if ((code & 0x70) === 0) {
        ulawTops++
        ulawEven += 1 - parity
      } else if ((code & 0x70) === 0x20) {
        alawTops++
        alawEven += 1 - parity
      }
    }
    const samples = AMBIGUOUS_BYTES / 2
    if (slinPower / samples < SILENT && ulawPower / AMBIGUOUS_BYTES < SILENT) return false
    least = Math.min(least, slinPower / samples)
    slin.power += slinPower / samples
    slin.steps += slinSteps / samples
    ulaw.power += ulawPower / AMBIGUOUS_BYTES
    ulaw.steps += ulawSteps / AMBIGUOUS_BYTES
    alaw.power += alawPower / AMBIGUOUS_BYTES
    alaw.steps += alawSteps / AMBIGUOUS_BYTES
    ulaw.topEven += ulawEven
    ulaw.topOdd += ulawTops - ulawEven
    alaw.topEven += alawEven
    alaw.topOdd += alawTops - alawEven
    positive += signs
    return true
  }

  const oneSigned = ({ power, steps }: Reading) =>
    (positive === 0 || positive === measured * AMBIGUOUS_BYTES) && steps > power * ONE_SIGNED

  /** Whether the bytes are sound by this law. */
  function isSound(reading: LawReading): boolean {
    const { power, steps, topEven, topOdd } = reading
    const most = ((measured * AMBIGUOUS_BYTES) / 2) * MAX_TOP_SHARE
    return (
      slin.power > measured * LOUD &&
      slin.power > power * QUIETER &&
      topEven <= most &&
      topOdd <= most &&
      steps <= power * (power < measured * NOISE ? WHITE : SMOOTH) &&
      !oneSigned(reading)
    )
  }

  /** Whether the bytes are noise in every reading; `quieter` is that of the likelier law. */
  function isForeign(quieter: LawReading): boolean {
    if (slin.power < measured * LOUD) return false
    if (oneSigned(quieter)) return true
    return (
      slin.power > measured * FULL &&
      slin.steps > slin.power * COARSE &&
      quieter.steps > quieter.power * COARSE &&
      quieter.power > measured * NOISE
    )
  }

  return {
    judge,
    get verdict() {
      return verdict
    },
    get hasSound() {
      return measured > 0 || foreign > 0 || others.count > 0
    },
    get harsh() {
      return harsh
    },
  }
}
