import { headerOf, readChunks } from '../platform/wav.ts'
import { RATES } from './resample.ts'

/**
 * Mono 16-bit PCM and its rate, from a WAV with any chunks; undefined for anything else. If the length was unknown when
 * the WAV was written, the data runs to the end.
 */
export function readRiff(bytes: Buffer): { rate: number; pcm: Buffer } | undefined {
  const wav = readChunks(bytes)
  if ('problem' in wav || wav.channels !== 1 || wav.bits !== 16 || !RATES.includes(wav.rate)) return undefined
  return { rate: wav.rate, pcm: wav.data.subarray(0, wav.data.length & ~1) }
}

/** Mono 16-bit PCM as a WAV. */
export function writeRiff(pcm: Uint8Array, rate: number): Buffer<ArrayBuffer> {
  return Buffer.concat([headerOf(pcm.length, rate), pcm])
}
