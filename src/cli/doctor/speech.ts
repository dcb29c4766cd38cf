import { connect } from 'node:net'
import type { Config } from '../../config/index.ts'
import { hasEspeak } from '../../speech/index.ts'
import type { Finding } from './finding.ts'

/** Limit in ms to connect to a provider. */
const REACH_MS = 3000

/**
 * Checks whether the providers of speech and understanding can be reached. Does not try their keys, which would cost
 * money.
 */
export async function examineSpeech({ speech, understanding }: Config): Promise<Finding[]> {
  const { tts, stt } = speech
  return Promise.all([
    tts.provider === 'auto' || tts.provider === 'espeak'
      ? espeak(tts.provider === 'espeak')
      : remote('tts', tts.provider, tts.provider === 'openai' ? tts.openai?.url : tts.azure?.ttsUrl),
    remote(
      'stt',
      stt.provider,
      { vosk: stt.voskUrl, openai: stt.openai?.url, azure: stt.azure?.sttUrl, none: undefined }[stt.provider],
    ),
    remote('llm', understanding.model ?? 'none', understanding.baseUrl),
  ])
}

async function espeak(wanted: boolean): Promise<Finding> {
  if (await hasEspeak()) return { name: 'tts', state: 'ok', detail: 'espeak-ng' }
  const detail = 'espeak-ng is not installed'
  if (!wanted) return { name: 'tts', state: 'off', detail: `${detail}; only prompts are spoken` }
  const remedy = 'Install espeak-ng, or set TTS to another provider or none.'
  return { name: 'tts', state: 'failed', detail, code: 'CONFIG_INVALID', remedy }
}

async function remote(name: string, provider: string, url: string | undefined): Promise<Finding> {
  if (provider === 'none' || url === undefined) return { name, state: 'off', detail: 'not configured' }
  const { hostname, port, protocol, host } = new URL(url)
  const secure = protocol === 'https:' || protocol === 'wss:'
  const problem = await refusal(hostname, Number(port) || (secure ? 443 : 80))
  if (problem === undefined) return { name, state: 'ok', detail: `${provider} at ${host} can be reached` }
  const remedy = `Check the URL, the firewall and the service at ${host}; until then calls go on with keys and rules.`
  return {
    name,
    state: 'warning',
    detail: `${provider} at ${host}: ${problem}`,
    code: 'SPEECH_UNREACHABLE',
    remedy,
  }
}

function refusal(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port, timeout: REACH_MS })
    const end = (problem?: string) => {
      socket.destroy()
      resolve(problem)
    }
    socket.once('connect', () => end())
    socket.once('timeout', () => end(`no connection in ${REACH_MS} ms`))
    socket.once('error', (error) => end(error.message))
  })
}
