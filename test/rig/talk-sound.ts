import { FRAME_BYTES } from '../../src/platform/audio.ts'
import { addNoise, silence } from './media-stream.ts'
import { utterances } from './noisy-speech.ts'

/** Bytes of an audio message before its sound, and of the sound those that go over from what filled a gap before it. */
const HEADER = 3
export const JOINED = 80
/** ms between two utterances, and the noise of the line, dBFS: it makes each frame differ from all others. */
const PAUSE_MS = 600
const NOISE = -62
/** Frames of delay within which speech is looked for. */
const LAGS = 10

/** So many seconds of people who speak and pause. */
export async function talkSound(seconds: number, seed = 1): Promise<Buffer> {
  const parts: Buffer[] = []
  const spoken = (await utterances()).map(({ pcm }) =>
    pcm.subarray(0, pcm.length - (pcm.length % FRAME_BYTES)),
  )
  for (let ms = 0, at = seed - 1; ms < seconds * 1000; at++) {
    const pcm = spoken[at % spoken.length]!
    parts.push(pcm, silence(PAUSE_MS))
    ms += pcm.length / 16 + PAUSE_MS
  }
  return addNoise(Buffer.concat(parts).subarray(0, seconds * 16_000), NOISE, seed)
}

/** Tells which of these messages was heard; undefined where it was none of them, as what fills a gap. */
export function frameNumbers(messages: readonly Buffer[]): (heard: Buffer) => number | undefined {
  const keyOf = (message: Buffer) => message.toString('latin1', HEADER + JOINED)
  const numbers = new Map(messages.map((message, number) => [keyOf(message), number]))
  return (heard) => numbers.get(keyOf(heard))
}

/** Of what was heard, from a moment of what was said on, with that; each second by its best delay. */
export function correlation(heard: Buffer, said: Buffer, from = 0): number {
  const second = 50 * FRAME_BYTES
  let [common, own, theirs] = [0, 0, 0]
  for (let at = 0; at + second <= Math.min(heard.length, said.length - from); at += second) {
    let best: [number, number, number] = [0, 0, 0]
    for (let lag = 0; lag <= Math.min(LAGS * FRAME_BYTES, from + at); lag += FRAME_BYTES) {
      let [product, left, right] = [0, 0, 0]
      for (let i = 0; i < second; i += 2) {
        const [a, b] = [heard.readInt16LE(at + i), said.readInt16LE(from + at + i - lag)]
        product += a * b
        left += a * a
        right += b * b
      }
      if (product > best[0]) best = [product, left, right]
    }
    common += best[0]
    own += best[1]
    theirs += best[2]
  }
  return common / Math.sqrt(own * theirs)
}
