import { RATES } from './resample.ts'

const HEADER_BYTES = 44

/**
 * Mono 16-bit PCM and its rate, from a WAV of any chunks; undefined for anything else. A length that was not known when
 * it was written goes to the end.
 */
export function readRiff(bytes: Buffer): { rate: number; pcm: Buffer } | undefined {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
    return undefined
  let rate = 0
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = bytes.toString('latin1', at, at + 4)
    const length = bytes.readUInt32LE(at + 4)
    const start = at + 8
    if (id === 'fmt ' && start + 16 <= bytes.length) {
      if (bytes.readUInt16LE(start + 2) !== 1 || bytes.readUInt16LE(start + 14) !== 16) return undefined
      rate = bytes.readUInt32LE(start + 4)
    } else if (id === 'data') {
      const pcm = bytes.subarray(start, Math.min(bytes.length, start + length))
      return RATES.includes(rate) ? { rate, pcm: pcm.subarray(0, pcm.length & ~1) } : undefined
    }
    at = start + length + (length % 2)
  }
  return undefined
}

/** Mono 16-bit PCM as a WAV. */
export function writeRiff(pcm: Uint8Array, rate: number): Buffer<ArrayBuffer> {
  const wav = Buffer.alloc(HEADER_BYTES + pcm.length)
  wav.write('RIFF', 0, 'latin1')
  wav.writeUInt32LE(HEADER_BYTES - 8 + pcm.length, 4)
  wav.write('WAVEfmt ', 8, 'latin1')
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(rate, 24)
  wav.writeUInt32LE(rate * 2, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36, 'latin1')
  wav.writeUInt32LE(pcm.length, 40)
  wav.set(pcm, HEADER_BYTES)
  return wav
}
