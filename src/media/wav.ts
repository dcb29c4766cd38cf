import { readFile, writeFile } from 'node:fs/promises'
import { SAMPLE_RATE } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import { headerOf, readChunks, type Wav } from '../platform/wav.ts'

/** Encoders that write to a pipe do not know the length and write a huge one; their data runs to the end of the file. */
const STREAMED = 0x7fff0000

/** Any PCM WAV taken apart. `name` stands in the error. Throws PROMPT_FORMAT with `file`, `reason` and `remedy`. */
export function parseWav(bytes: Buffer, name = 'WAV'): Wav {
  const malformed = (reason: string) => fail('PROMPT_FORMAT', { file: name, reason, remedy: remedyFor(name) })
  const wav = readChunks(bytes)
  if ('problem' in wav) throw malformed(wav.problem)
  const { data, declared } = wav
  if (data.length < declared && declared < STREAMED) {
    throw malformed(`${data.length} of ${declared} bytes of sound are present`)
  }
  return wav
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
  return headerOf(bytes, SAMPLE_RATE)
}

/** Writes s16le sound as a WAV; `mode` are the file's permissions. */
export async function writeWav(file: string, pcm: Uint8Array, mode = 0o644): Promise<void> {
  await writeFile(file, Buffer.concat([wavHeader(pcm.length), pcm]), { mode })
}

function remedyFor(name: string): string {
  return `sox ${name} -r 8000 -c 1 -b 16 -e signed-integer new.wav`
}
