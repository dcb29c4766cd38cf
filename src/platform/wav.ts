/** Reads and writes the container of WAV files. The caller decides which formats it accepts. */
export interface Wav {
  readonly rate: number
  readonly channels: number
  readonly bits: number
  /** The payload of the `data` chunk, a view of the given bytes. */
  readonly data: Buffer
  /** The length that the `data` chunk declares; too large in a truncated file, or one written to a pipe. */
  readonly declared: number
}

export const WAV_HEADER_BYTES = 44
const PCM = 1
const EXTENSIBLE = 0xfffe

/**
 * Reads any PCM WAV; chunks other than `fmt ` and `data` are skipped. For other files `problem` says what is wrong, as
 * half a sentence.
 */
export function readChunks(bytes: Buffer): Wav | { problem: string } {
  if (bytes.length < 12) return { problem: `${bytes.length} bytes are not a WAV file` }
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    return { problem: 'it does not begin with RIFF and WAVE' }
  }
  let format: Pick<Wav, 'rate' | 'channels' | 'bits'> | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = bytes.toString('latin1', at, at + 4)
    const length = bytes.readUInt32LE(at + 4)
    const start = at + 8
    const left = bytes.length - start
    if (id === 'fmt ') {
      if (length < 16 || left < length) return { problem: 'its fmt chunk is cut short' }
      const tag = bytes.readUInt16LE(start)
      // an extensible header keeps the real tag at the head of its sub-format, 24 bytes in
      const codec = tag === EXTENSIBLE && length >= 26 ? bytes.readUInt16LE(start + 24) : tag
      if (codec !== PCM) return { problem: `its codec is number ${codec}, not PCM` }
      format = {
        channels: bytes.readUInt16LE(start + 2),
        rate: bytes.readUInt32LE(start + 4),
        bits: bytes.readUInt16LE(start + 14),
      }
    } else if (id === 'data') {
      if (format === undefined) return { problem: 'its data comes before its format' }
      return { ...format, data: bytes.subarray(start, start + Math.min(length, left)), declared: length }
    }
    at = start + length + (length % 2)
  }
  return { problem: format === undefined ? 'it has no fmt chunk' : 'it has no data chunk' }
}

/** The 44 bytes before `bytes` bytes of s16le sound of `rate` Hz. */
export function headerOf(bytes: number, rate: number, channels = 1): Buffer {
  const header = Buffer.alloc(WAV_HEADER_BYTES)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(WAV_HEADER_BYTES - 8 + bytes, 4)
  header.write('WAVEfmt ', 8, 'latin1')
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(PCM, 20)
  header.writeUInt16LE(channels, 22)
  header.writeUInt32LE(rate, 24)
  header.writeUInt32LE(rate * 2 * channels, 28)
  header.writeUInt16LE(2 * channels, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36, 'latin1')
  header.writeUInt32LE(bytes, 40)
  return header
}
