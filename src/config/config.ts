import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import type { Locale } from '../platform/audio.ts'
import { fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import type { Variable } from './forms.ts'
import { unknownSettings } from './misspelt.ts'
import { OPENAI_URL, type Read, VARIABLES } from './variables.ts'

/** Characters of API_KEY: 20 of base64 are 120 bits. */
const API_KEY_MIN = 20

export type Config = ReturnType<typeof shape>
export type Environment = Record<string, string | undefined>

/** Names of the same settings in existing systems. */
const ALIASES: Record<string, string> = {
  MESSAGE_RETRY_LIMIT: 'UNOAPI_MESSAGE_RETRY_LIMIT',
  MESSAGE_RETRY_DELAY: 'UNOAPI_MESSAGE_RETRY_DELAY',
}

/**
 * The configuration from an environment.
 * @throws CONFIG_INVALID with every problem at once in `details.problems`
 */
export function parseConfig(environment: Environment): Config {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, { schema, default: byDefault }] of Object.entries<Variable<unknown>>(VARIABLES)) {
    // an empty variable counts as unset, because compose files pass unset variables on as empty
    const alias = ALIASES[name]
    const written = environment[name]?.trim() || (alias && environment[alias]?.trim()) || byDefault
    if (written === undefined) continue
    const result = schema.safeParse(written)
    if (result.success) values[name] = result.data
    else problems.push(...result.error.issues.map((issue) => `${name} ${issue.message}`))
  }
  const read = values as Read
  if (read.AUDIOSOCKET_VISITOR_PORT > 0 && read.AUDIOSOCKET_VISITOR_PORT === read.AUDIOSOCKET_RESIDENT_PORT) {
    problems.push('AUDIOSOCKET_RESIDENT_PORT must differ from AUDIOSOCKET_VISITOR_PORT')
  }
  if (read.CLICKTOCALL === 'amqp' && !environment['AMQP_URL']?.trim()) {
    problems.push('AMQP_URL is needed for CLICKTOCALL=amqp')
  }
  if (read.CLICKTOCALL === 'ari' && !environment['ARI_URL']?.trim()) {
    problems.push('ARI_URL is needed for CLICKTOCALL=ari')
  }
  const short = shortKey(read.API_KEY)
  if (short && values['API_HOST'] !== undefined && !isLoopback(read.API_HOST)) problems.push(short.message)
  problems.push(...speechProblems(read, environment))
  if (environment['LLM_BASE_URL']?.trim() && !environment['LLM_MODEL']?.trim()) {
    problems.push('LLM_MODEL is needed for LLM_BASE_URL')
  }
  problems.push(...channelProblems(environment))
  if (problems.length > 0) {
    // a missing variable may be set under a wrong name
    problems.push(...unknownSettings(environment).map(({ message }) => message))
    throw fail('CONFIG_INVALID', { count: problems.length, problems })
  }
  return shape(read)
}

/** The environment of this process, which wins over `.env` in the working directory. Errors: CONFIG_INVALID. */
export function readEnvironment(): Environment {
  return { ...(existsSync('.env') ? parseEnv(readEnvFile()) : {}), ...process.env }
}

function readEnvFile(): string {
  try {
    const bytes = readFileSync('.env')
    // editors and PowerShell of Windows mark the encoding; the mark would become a part of the first name
    const isWide = bytes[0] === 0xff && bytes[1] === 0xfe
    return bytes.toString(isWide ? 'utf16le' : 'utf8').replace(/^\ufeff/, '')
  } catch (error) {
    throw fail('CONFIG_INVALID', { count: 1, problems: [`.env cannot be read: ${reasonOf(error)}`] }, error)
  }
}

/** The configuration of this process. Errors: CONFIG_INVALID. */
export function loadConfig(): Config {
  return parseConfig(readEnvironment())
}

/** KEY_SHORT if the admin key may be guessed. */
export function shortKey(key: string | undefined): PorteiroError | undefined {
  return key !== undefined && key.length < API_KEY_MIN
    ? fail('KEY_SHORT', { length: key.length, min: API_KEY_MIN })
    : undefined
}

/** Whether only this machine can connect to the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function shape(read: Read) {
  return {
    databaseUrl: read.DATABASE_URL,
    databaseSchema: read.DATABASE_SCHEMA,
    secretKeys: { key: read.SECRET_KEY, others: read.SECRET_KEY_OLD ?? [] },
    dataDir: resolve(read.DATA_DIR),
    audiosocket: {
      host: read.AUDIOSOCKET_HOST,
      visitorPort: read.AUDIOSOCKET_VISITOR_PORT,
      residentPort: read.AUDIOSOCKET_RESIDENT_PORT,
      allow: read.AUDIOSOCKET_ALLOW,
      advertise: read.AUDIOSOCKET_ADVERTISE,
      idleAudio: read.IDLE_AUDIO,
    },
    api: {
      host: read.API_HOST,
      port: read.API_PORT,
      basePath: read.BASE_PATH ?? '',
      key: read.API_KEY,
      trustProxy: read.API_TRUST_PROXY ?? [],
    },
    healthPort: read.HEALTH_PORT,
    locale: read.LOCALE as Locale,
    nodeId: read.NODE_ID ?? hostname(),
    maxCalls: read.MAX_CALLS,
    mediaThreads: read.MEDIA_THREADS,
    clickToCall: {
      mode: read.CLICKTOCALL ?? (read.AMQP_URL ? 'amqp' : read.ARI_URL ? 'ari' : 'off'),
      queue: read.CLICKTOCALL_QUEUE,
      resultQueue: read.CLICKTOCALL_RESULT_QUEUE,
      cancels: read.CLICKTOCALL_CANCEL === 'on',
      license: read.CLICKTOCALL_LICENSE ?? '',
      operator: read.OPERATOR_EXTENSION,
      attempts: read.CLICKTOCALL_ATTEMPTS,
      ringMs: read.CLICKTOCALL_RING_SECONDS * 1000,
      answerMs: read.WHATSAPP_REPLY_SECONDS * 1000,
      loopbackKeys: read.LOOPBACK_KEYS,
    },
    amqp: read.AMQP_URL === undefined ? undefined : amqpOf(read, read.AMQP_URL),
    ari: read.ARI_URL === undefined ? undefined : ariOf(read, read.ARI_URL),
    speech: speechOf(read),
    channels: channelsOf(read),
    messages: {
      retryLimit: read.MESSAGE_RETRY_LIMIT,
      retryDelayMs: read.MESSAGE_RETRY_DELAY,
      rates: { whatsapp: read.MESSAGE_RATE, twilio: read.MESSAGE_RATE },
    },
    publicUrl: read.PUBLIC_URL?.replace(/\/+$/, ''),
    understanding: {
      baseUrl: read.LLM_BASE_URL,
      apiKey: read.LLM_API_KEY,
      model: read.LLM_MODEL,
      timeoutMs: read.LLM_TIMEOUT_MS,
    },
    call: {
      maxMs: read.CALL_MAX_SECONDS * 1000,
      reattachSeconds: read.REATTACH_SECONDS,
      hangupDelayMs: read.HANGUP_DELAY_MS,
      hangupGraceMs: read.HANGUP_GRACE_MS,
    },
    drainMs: read.DRAIN_SECONDS * 1000,
    recordCalls: read.RECORD_CALLS === 'on',
    retentionDays: read.RETENTION_DAYS,
    logLevel: read.LOG_LEVEL,
    sentryDsn: read.SENTRY_DSN,
  }
}

/** Maximum of the growing pauses under AMQP_FAILURE=recover. */
const RECOVERY_MAX_MS = 30_000

function amqpOf(read: Read, url: string) {
  return {
    url,
    connectMs: read.AMQP_SOCKET_TIMEOUT_MS,
    settings: {
      attempts: read.AMQP_CONNECTION_ATTEMPTS,
      retryMs: read.AMQP_RETRY_DELAY_MS,
      blockedMs: read.AMQP_BLOCKED_TIMEOUT_MS,
      onFailure: read.AMQP_FAILURE,
      recoveryAttempts: read.AMQP_RECOVERY_ATTEMPTS,
      recoveryMaxMs: RECOVERY_MAX_MS,
    },
  }
}

function ariOf(read: Read, url: string) {
  return {
    url,
    user: read.ARI_USER ?? '',
    password: read.ARI_PASSWORD ?? '',
    endpoint: read.ARI_ENDPOINT,
    context: read.ARI_CONTEXT,
    callerId: read.ARI_CALLER_ID,
    timeoutMs: read.ARI_TIMEOUT_MS,
  }
}

/** Missing settings of the chosen providers. */
function speechProblems(read: Read, environment: Environment): string[] {
  const absent = (name: string) => !environment[name]?.trim()
  return Object.entries({ TTS: read.TTS, STT: read.STT }).flatMap(([variable, provider]) => {
    const needs: string[] = []
    if (provider === 'vosk') needs.push('VOSK_URL')
    // a self-hosted service may need no key
    if (provider === 'openai' && read.OPENAI_BASE_URL === OPENAI_URL) needs.push('OPENAI_API_KEY')
    if (provider === 'azure') needs.push('AZURE_SPEECH_REGION', 'AZURE_SPEECH_KEY')
    return needs.filter(absent).map((name) => `${name} is needed for ${variable}=${provider}`)
  })
}

function speechOf(read: Read) {
  const limits = { timeoutMs: read.SPEECH_TIMEOUT_MS, concurrency: read.SPEECH_CONCURRENCY }
  const openai = { url: read.OPENAI_BASE_URL.replace(/\/+$/, ''), key: read.OPENAI_API_KEY }
  const azure = azureOf(read.AZURE_SPEECH_REGION, read.AZURE_SPEECH_KEY)
  return {
    /** For createSynthesizer, with a log. */
    tts: {
      provider: read.TTS ?? ('auto' as const),
      voice: read.TTS_VOICE,
      model: read.TTS_MODEL,
      cacheDir: resolve(read.DATA_DIR, 'speech'),
      cacheBytes: read.SPEECH_CACHE_MB * 1_000_000,
      openai,
      azure,
      ...limits,
    },
    /** For createTranscriber, with a log. */
    stt: {
      provider: read.STT,
      model: read.STT_MODEL,
      voskUrl: read.VOSK_URL,
      openai,
      azure,
      ...limits,
    },
  }
}

/** The endpoints of a region, or of one resource. */
function azureOf(region: string | undefined, key: string | undefined) {
  if (region === undefined || key === undefined) return undefined
  const own = region.includes('://') ? region.replace(/\/+$/, '') : undefined
  return {
    ttsUrl: `${own ? `${own}/tts` : `https://${region}.tts.speech.microsoft.com`}/cognitiveservices/v1`,
    sttUrl: `${own ? `${own}/stt` : `https://${region}.stt.speech.microsoft.com`}/speech/recognition/conversation/cognitiveservices/v1`,
    key,
  }
}

/** Accounts must be complete or absent: an incomplete one would fail at the first message instead of now. */
function channelProblems(environment: Environment): string[] {
  const accounts = [
    ['WHATSAPP_TOKEN', 'WHATSAPP_PHONE_ID'],
    ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'TWILIO_FROM'],
  ]
  const problems = accounts.flatMap((names) => {
    const absent = names.filter((name) => !environment[name]?.trim())
    if (absent.length === names.length) return []
    return absent.map((name) => `${name} is needed with ${names.find((other) => !absent.includes(other))}`)
  })
  const hasUrl = ['WEBHOOK_URL', 'WEBHOOK_URL_ABSOLUTE'].some((name) => environment[name]?.trim())
  if (environment['WEBHOOK_TOKEN']?.trim() && !hasUrl) {
    problems.push('WEBHOOK_URL is needed for WEBHOOK_TOKEN')
  }
  return problems
}

/** Channels of the environment; those of tenants are in the database. */
function channelsOf(read: Read) {
  const url = read.WEBHOOK_URL_ABSOLUTE ?? read.WEBHOOK_URL
  const bare = (url: string) => url.replace(/\/+$/, '')
  return {
    egressAllow: read.EGRESS_ALLOW ?? [],
    statusFailedUrl: read.STATUS_FAILED_WEBHOOK_URL,
    webhook: url === undefined ? undefined : { url, token: read.WEBHOOK_TOKEN, header: read.WEBHOOK_HEADER },
    whatsapp:
      read.WHATSAPP_TOKEN === undefined || read.WHATSAPP_PHONE_ID === undefined
        ? undefined
        : {
            provider: read.WHATSAPP_PROVIDER,
            url: bare(read.WHATSAPP_URL),
            token: read.WHATSAPP_TOKEN,
            phoneId: read.WHATSAPP_PHONE_ID,
            appSecret: read.WHATSAPP_APP_SECRET,
            verifyToken: read.WHATSAPP_VERIFY_TOKEN,
            template: read.WHATSAPP_TEMPLATE,
            questionTemplate: read.WHATSAPP_QUESTION_TEMPLATE,
          },
    twilio:
      read.TWILIO_ACCOUNT_SID === undefined ||
      read.TWILIO_AUTH_TOKEN === undefined ||
      read.TWILIO_FROM === undefined
        ? undefined
        : {
            url: bare(read.TWILIO_URL),
            accountSid: read.TWILIO_ACCOUNT_SID,
            authToken: read.TWILIO_AUTH_TOKEN,
            from: read.TWILIO_FROM,
          },
  }
}
