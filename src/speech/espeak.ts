import { spawn } from 'node:child_process'
import { type Locale, SAMPLE_RATE } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Speak } from './provider.ts'
import { pcmFrom, resample, samplesOf } from './resample.ts'
import { readRiff } from './riff.ts'
import { endingOf, within } from './time-limit.ts'

/** Words a minute and pitch of a calm porter; espeak-ng's own defaults are 175 and 50. */
export const ESPEAK_VOICES: Record<Locale, readonly string[]> = {
  'pt-BR': ['-v', 'pt-br', '-s', '152', '-p', '42'],
  en: ['-v', 'en-us', '-s', '155', '-p', '42'],
}
/** 90 s of espeak-ng's 22,050 Hz: 1,000 characters take some 70 s. */
const MAX_BYTES = 4_000_000
/** ms for the first start from a cold disk. */
const VERSION_MS = 5000

interface EspeakOptions {
  /** A voice of `espeak-ng --voices`, or `voice+variant`, for all locales; it keeps rate and pitch. */
  voice?: string | undefined
  binary?: string
}

/** Synthesizes with the espeak-ng binary, one process per text. */
export function createEspeak({ voice, binary = 'espeak-ng' }: EspeakOptions = {}): Speak {
  return async (text, locale, signal) => {
    const [flag, byLocale, ...pace] = ESPEAK_VOICES[locale] as [string, string, ...string[]]
    // the text goes to standard input: as an argument, a leading dash would make it an option
    const wav = await run(binary, [flag, voice ?? byLocale, ...pace, '--stdout', '--stdin'], text, signal)
    const sound = readRiff(wav)
    if (!sound || sound.pcm.length === 0) {
      throw fail('SPEECH_INVALID', { provider: 'espeak', reason: 'no sound' })
    }
    return pcmFrom(await resample(samplesOf(sound.pcm), sound.rate, SAMPLE_RATE))
  }
}

/** Whether espeak-ng is installed and prints its version. */
export async function hasEspeak(binary = 'espeak-ng'): Promise<boolean> {
  try {
    const version = await within(VERSION_MS, 'espeak', new AbortController().signal, (signal) =>
      run(binary, ['--version'], '', signal),
    )
    return version.length > 0
  } catch {
    return false
  }
}

/** The output of a command. The process has ended when this settles, also after a kill. */
function run(binary: string, args: string[], input: string, signal: AbortSignal): Promise<Buffer> {
  const provider = 'espeak'
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(endingOf(signal))
    const child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    const parts: Buffer[] = []
    let length = 0
    const kill = () => child.kill('SIGKILL')
    const settle = (act: () => void) => {
      signal.removeEventListener('abort', kill)
      act()
    }
    signal.addEventListener('abort', kill, { once: true })
    child.stdout.on('data', (part: Buffer) => {
      length += part.length
      if (length > MAX_BYTES) kill()
      else parts.push(part)
    })
    // the process may end before it has read everything; its exit code has the reason
    child.stdin.on('error', () => {})
    child.once('error', (cause) =>
      settle(() => reject(fail('SPEECH_UNREACHABLE', { provider, reason: reasonOf(cause) }, cause))),
    )
    child.once('close', (code, killedBy) =>
      settle(() => {
        if (signal.aborted) reject(endingOf(signal))
        else if (length > MAX_BYTES) {
          reject(fail('SPEECH_INVALID', { provider, reason: `more than ${MAX_BYTES} bytes` }))
        } else if (code === 0) resolve(Buffer.concat(parts, length))
        else reject(fail('SPEECH_INVALID', { provider, reason: `it ended with ${code ?? killedBy}` }))
      }),
    )
    child.stdin.end(spoken(input))
  })
}

/** Removes `[[`, which would start phonemes. */
function spoken(input: string): string {
  return `${input.replaceAll('[[', '[ [')}\n`
}
