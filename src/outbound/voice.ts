import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** ms for a recording of some seconds. */
const ENCODE_MS = 10_000
/** Bytes of Ogg/Opus that a recording of ours may become; WhatsApp takes 16 MB. */
const MAX_BYTES = 4 * 1024 * 1024
/** A voice at 8 kHz needs no more. */
const ARGUMENTS =
  '-hide_banner -loglevel error -i pipe:0 -ac 1 -ar 48000 -c:a libopus -b:a 24k -f ogg pipe:1'.split(' ')

/**
 * Ogg/Opus of a WAV by ffmpeg, the one form that WhatsApp plays as a voice message. Undefined where ffmpeg is not
 * installed, lacks libopus, or cannot read the sound.
 */
export async function encodeVoice(
  wav: Buffer,
  signal: AbortSignal,
  program = 'ffmpeg',
): Promise<Buffer | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ENCODE_MS)])
  const child = spawn(program, ARGUMENTS, { stdio: ['pipe', 'pipe', 'ignore'], signal: limit })
  const parts: Buffer[] = []
  let size = 0
  child.stdout.on('data', (part: Buffer) => {
    size += part.length
    if (size > MAX_BYTES) child.kill('SIGKILL')
    else parts.push(part)
  })
  // it may end before it has read everything
  child.stdin.on('error', () => {})
  child.stdin.end(wav)
  try {
    const [code] = await once(child, 'close')
    return code === 0 && size > 0 ? Buffer.concat(parts) : undefined
  } catch {
    // not installed, or aborted
    return undefined
  }
}

/** Whether a recording can be encoded here. */
export async function hasVoiceEncoder(program = 'ffmpeg'): Promise<boolean> {
  const child = spawn(program, ['-hide_banner', '-encoders'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => parts.push(part))
  try {
    await once(child, 'close')
    return Buffer.concat(parts).includes('libopus')
  } catch {
    return false
  }
}
