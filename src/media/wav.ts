import { readFile, writeFile } from 'node:fs/promises'
import { SAMPLE_RATE } from '../audio.ts'
import { fail, reasonOf } from '../errors.ts'

/** What a WAV file holds: `data` is the payload of its `data` chunk, a view of the bytes given. */
export interface Wav {
  readonly rate: number
  readonly channels: number
  readonly bits: number
  readonly data: Buffer
}

const HEADER_BYTES = 44
const PCM = 1
const EXTENSIBLE = 0xfffe
/** Encoders that write to a pipe cannot know the length and leave a huge one; their data goes on to the end. */
const STREAMED = 0x7fff0000

/**
 * Any PCM WAV taken apart; chunks other than `fmt ` and `data` are skipped. `name` stands in the error.
 * Throws PROMPT_FORMAT with `file`, `reason` and `remedy`.
 */
export function parseWav(bytes: Buffer, name = 'WAV'): Wav {
  const malformed = (reason: string) => fail('PROMPT_FORMAT', { file: name, reason, remedy: remedyFor(name) })
  if (bytes.length < 12) throw malformed(`${bytes.length} bytes are no WAV file`)
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw malformed('it does not begin with RIFF and WAVE')
  }
  let format: Omit<Wav, 'data'> | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = bytes.toString('latin1', at, at + 4)
    const length = bytes.readUInt32LE(at + 4)
    const start = at + 8
    const left = bytes.length - start
    if (id === 'fmt ') {
      if (length < 16 || left < length) throw malformed('its fmt chunk is cut short')
      const tag = bytes.readUInt16LE(start)
      // an extensible header keeps the real tag at the head of its sub-format, 24 bytes in
      const codec = tag === EXTENSIBLE && length >= 26 ? bytes.readUInt16LE(start + 24) : tag
      if (codec !== PCM) throw malformed(`its codec is number ${codec}, not PCM`)
      format = {
        channels: bytes.readUInt16LE(start + 2),
        rate: bytes.readUInt32LE(start + 4),
        bits: bytes.readUInt16LE(start + 14),
      }
    } else if (id === 'data') {
      if (format === undefined) throw malformed('its data comes before its format')
      if (length > left && length < STREAMED) throw malformed(`${left} of ${length} bytes of sound are there`)
      return { ...format, data: bytes.subarray(start, start + Math.min(length, left)) }
    }
    at = start + length + (length % 2)
  }
  throw malformed(format === undefined ? 'it has no fmt chunk' : 'it has no data chunk')
}

/** The sound of an 8 kHz, mono, 16-bit WAV in memory: s16le. Throws PROMPT_FORMAT for any other. */
export function pcmOf(bytes: Buffer, name = 'WAV'): Buffer {
  const { rate, channels, bits, data } = parseWav(bytes, name)
  if (rate !== SAMPLE_RATE || channels !== 1 || bits !== 16) {
    const reason = `it is ${rate} Hz, ${channels} channel(s), ${bits} bit`
    throw fail('PROMPT_FORMAT', { file: name, reason, remedy: remedyFor(name) })
  }
  return data.subarray(0, data.length & ~1)
}

/** The sound of an 8 kHz, mono, 16-bit WAV file: s16le. Throws PROMPT_FORMAT, also when it cannot be read. */
export async function readWav(file: string): Promise<Buffer> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (cause) {
    throw fail('PROMPT_FORMAT', { file, reason: reasonOf(cause) }, cause)
  }
  return pcmOf(bytes, file)
}

/** The 44 bytes before `bytes` bytes of 8 kHz, mono, s16le sound. */
export function wavHeader(bytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(HEADER_BYTES - 8 + bytes, 4)
  header.write('WAVEfmt ', 8, 'latin1')
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(PCM, 20)
  header.writeUInt16LE(1, 22)
  header.writeUInt32LE(SAMPLE_RATE, 24)
  header.writeUInt32LE(SAMPLE_RATE * 2, 28)
  header.writeUInt16LE(2, 32)
  header.writeUInt16LE(16, 34)
  header.write('data', 36, 'latin1')
  header.writeUInt32LE(bytes, 40)
  return header
}

/** Writes s16le sound as a WAV; `mode` are the file's permissions. */
export async function writeWav(file: string, pcm: Uint8Array, mode = 0o644): Promise<void> {
  await writeFile(file, Buffer.concat([wavHeader(pcm.length), pcm]), { mode })
}

function remedyFor(name: string): string {
  return `sox ${name} -r 8000 -c 1 -b 16 -e signed-integer new.wav`
}
