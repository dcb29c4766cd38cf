import { z } from 'zod'
import {
  amqpUrl,
  basePath,
  cidrs,
  headerName,
  host,
  httpUrl,
  integer,
  line,
  name,
  oneOf,
  openUrl,
  port,
  postgresUrl,
  schema,
  secret,
  secretKey,
  secretKeys,
  sentryDsn,
  template,
  text,
  type Variable,
  variable,
  voice,
  voskUrl,
} from './forms.ts'

export const OPENAI_URL = 'https://api.openai.com/v1'

const DIAL_MODES = ['amqp', 'ari', 'manual', 'loopback', 'off'] as const

/**
 * Every variable that Porteiro reads. `.env.example` lists the same ones with the same defaults; `npm run check`
 * compares.
 */
export const VARIABLES = {
  // process
  NODE_ID: variable(text(), undefined, 'name of this node in the journal; unset: the host name'),
  LOG_LEVEL: variable(
    oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    'info',
    'fatal, error, warn, info, debug, trace or silent',
  ),
  SENTRY_DSN: variable(
    sentryDsn(),
    undefined,
    'where errors are reported, such as https://KEY@HOST/PROJECT; unset: only in the log',
  ),

  // store
  DATABASE_URL: variable(
    postgresUrl(),
    undefined,
    'Postgres to use; unset: an embedded Postgres 18 in DATA_DIR',
  ),
  DATABASE_SCHEMA: variable(
    schema(),
    'porteiro',
    'schema of the tables; the queue has a second one, with _jobs appended',
  ),
  DATA_DIR: variable(text(), './data', 'directory of the embedded Postgres and the recordings'),
  SECRET_KEY: variable(
    secretKey(),
    undefined,
    'encrypts the secrets of endpoints, gates and accounts in the database: openssl rand -base64 32; keep a copy elsewhere; unset: they are in clear text',
  ),
  SECRET_KEY_OLD: variable(
    secretKeys(),
    undefined,
    'further keys, comma-separated, that only decrypt: the last one while secrets are rotated, the next one before that',
  ),
  RECORD_CALLS: variable(
    oneOf(['off', 'on']),
    'off',
    'record whole calls, one stereo WAV per leg, in addition to the name and purpose of the visitor, which are always recorded; inform callers',
  ),
  RETENTION_DAYS: variable(
    integer(1, 3650),
    '90',
    'how long ended calls and their recordings are kept',
    'days',
  ),

  // AudioSocket
  AUDIOSOCKET_HOST: variable(host(), '127.0.0.1', 'address on which Asterisk reaches both AudioSocket ports'),
  AUDIOSOCKET_VISITOR_PORT: variable(port(), '8080', 'visitors: a connection here starts a call'),
  AUDIOSOCKET_RESIDENT_PORT: variable(
    port(),
    '8081',
    'residents: a connection here joins the call of its UUID',
  ),
  AUDIOSOCKET_ALLOW: variable(
    cidrs(),
    '127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7',
    'addresses and CIDR ranges that may connect to the AudioSocket ports',
  ),
  AUDIOSOCKET_ADVERTISE: variable(
    z.string().regex(/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}$/, 'must be host:port'),
    undefined,
    'host:port at which the PBX reaches the resident port; unset: the address it listens on',
  ),
  IDLE_AUDIO: variable(
    oneOf(['continuous', 'keepalive']),
    'continuous',
    'what telephones get while nothing is played: continuous (silence in every packet) or keepalive (silence once a second, which saves network and processor)',
  ),

  // HTTP
  API_HOST: variable(host(), '127.0.0.1', 'address of the HTTP API'),
  API_PORT: variable(port(), '8082', 'port of the HTTP API'),
  BASE_PATH: variable(
    basePath(),
    undefined,
    'path prefix under which a proxy serves the API and the page, such as /porteiro, whether it strips the prefix or not; unset: none',
  ),
  API_KEY: variable(
    text(),
    undefined,
    'admin key of the API; unset: a key is created and printed at the first start',
  ),
  HEALTH_PORT: variable(
    port(),
    undefined,
    'port on API_HOST of /healthz, /readyz and /metrics in a process without the role web; unset: none',
  ),
  API_TRUST_PROXY: variable(
    cidrs(),
    undefined,
    'addresses and CIDR ranges of reverse proxies whose X-Forwarded-For and -Proto are trusted; unset: none',
  ),

  MEDIA_THREADS: variable(
    integer(0, 16),
    '1',
    'threads for sound: 1 (nothing else that the process does is heard), more for many calls on a machine with many cores (Linux), or 0 (sound shares the main thread)',
  ),

  // click-to-call
  CLICKTOCALL: variable(
    oneOf(DIAL_MODES),
    undefined,
    'how residents are called: amqp (by a message to RabbitMQ), ari (by Asterisk), manual (by an external dialer), loopback (a simulated resident answers), off; unset: amqp with AMQP_URL, ari with ARI_URL, else off',
  ),
  CLICKTOCALL_QUEUE: variable(name(), 'api-to-voip1', 'queue of the click-to-call messages'),
  CLICKTOCALL_RESULT_QUEUE: variable(
    name(),
    undefined,
    'queue of the results that the PBX side sends: busy, declined, answered and others; unset: no results',
  ),
  CLICKTOCALL_CANCEL: variable(
    oneOf(['on', 'off']),
    'on',
    'off for PBX sides that take any message as an order to ring: no message of type cancel is sent',
  ),
  OPERATOR_EXTENSION: variable(
    z.string().regex(/^[\w.+*#@:-]{1,80}$/, 'must be an extension or a SIP address') as z.ZodType<
      string,
      string
    >,
    undefined,
    'extension to call for operator steps of contact plans; unset: such steps are skipped',
  ),
  CLICKTOCALL_LICENSE: variable(
    text(),
    undefined,
    'licence that each click-to-call message carries; a dialer that has it refuses messages with another one',
  ),
  CLICKTOCALL_ATTEMPTS: variable(
    integer(1, 20),
    '2',
    'how often each contact of a unit is called',
    'attempts',
  ),
  CLICKTOCALL_RING_SECONDS: variable(integer(1, 600), '30', 'how long one attempt rings', 's'),
  WHATSAPP_REPLY_SECONDS: variable(
    integer(5, 600),
    '60',
    'how long a WhatsApp step waits for an answer before the next step',
    's',
  ),
  LOOPBACK_KEYS: variable(
    z
      .string()
      .regex(/^([0-9A-D*#]{1,16}|-)$/, 'must be keys such as 1 or 31, or - for nobody answers') as z.ZodType<
      string,
      string
    >,
    '1',
    'keys that the simulated resident of CLICKTOCALL=loopback presses; - : does not answer',
  ),
  AMQP_URL: variable(
    amqpUrl(),
    undefined,
    'RabbitMQ, such as amqp://user:password@host:5672/vhost, or amqps:// with TLS',
  ),
  AMQP_CONNECTION_ATTEMPTS: variable(
    integer(1, 100),
    '3',
    'attempts to connect at the start, and again after the connection was lost',
    'tries',
  ),
  AMQP_RETRY_DELAY_MS: variable(integer(0, 600_000), '2000', 'pause between these attempts', 'ms'),
  AMQP_SOCKET_TIMEOUT_MS: variable(
    integer(100, 600_000),
    '10000',
    'limit of one attempt, from the connection to the open channel',
    'ms',
  ),
  AMQP_BLOCKED_TIMEOUT_MS: variable(
    integer(100, 600_000),
    '5000',
    'how long RabbitMQ may block messages or leave one unconfirmed',
    'ms',
  ),
  AMQP_FAILURE: variable(
    oneOf(['crash', 'recover']),
    'crash',
    'when RabbitMQ fails: crash (visitors hear an announcement, then the process exits with 69) or recover (calls go on with their next contact meanwhile)',
  ),
  AMQP_RECOVERY_ATTEMPTS: variable(
    integer(1, 10_000),
    '10',
    'attempts under AMQP_FAILURE=recover, with growing pauses up to 30 s; after the last one the process exits with 69',
    'tries',
  ),
  ARI_URL: variable(httpUrl(), undefined, 'ARI of Asterisk, such as http://pbx:8088/ari'),
  ARI_USER: variable(text(), undefined, 'user of ari.conf'),
  ARI_PASSWORD: variable(text(), undefined, 'its password'),
  ARI_ENDPOINT: variable(
    z.string().regex(/^\w+\/.*\{number\}/, 'must have the form TECHNOLOGY/{number}'),
    'PJSIP/{number}',
    'endpoint that Asterisk calls for a resident, such as PJSIP/{number}, PJSIP/{number}@trunk or Local/{number}@internal',
  ),
  ARI_CONTEXT: variable(name(), 'porteiro-resident', 'dialplan context that an answered resident enters'),
  ARI_CALLER_ID: variable(
    z.string().regex(/^[^\r\n]{1,80}$/, 'must be one line of at most 80 characters'),
    'Portaria',
    "what the resident's telephone shows",
  ),
  ARI_TIMEOUT_MS: variable(integer(100, 600_000), '5000', 'limit of one ARI request', 'ms'),

  // speech
  TTS: variable(
    oneOf(['espeak', 'openai', 'azure', 'none']),
    undefined,
    'speech synthesis beyond the prompts: espeak, openai (any compatible service), azure, none; unset: espeak if espeak-ng is installed',
  ),
  STT: variable(
    oneOf(['none', 'vosk', 'openai', 'azure']),
    'none',
    'speech recognition: vosk, openai (any compatible service), azure, or none (only keys)',
  ),
  VOSK_URL: variable(
    voskUrl(),
    undefined,
    'Vosk server, such as ws://host:2700; {locale} is replaced by pt-BR or en',
  ),
  OPENAI_BASE_URL: variable(openUrl(), OPENAI_URL, 'OpenAI or a compatible service, up to /v1'),
  OPENAI_API_KEY: variable(secret(), undefined, "its key; a service of one's own may need none"),
  TTS_VOICE: variable(voice(), undefined, 'voice of the TTS provider; unset: a default for the language'),
  TTS_MODEL: variable(voice(), 'gpt-4o-mini-tts', 'model for TTS=openai'),
  STT_MODEL: variable(voice(), 'gpt-4o-mini-transcribe', 'model for STT=openai'),
  AZURE_SPEECH_REGION: variable(
    z.union([z.string().regex(/^[a-z][a-z0-9]{1,40}$/), openUrl()], {
      error: 'must be a region such as brazilsouth, or the https:// endpoint of the resource',
    }),
    undefined,
    "region of Azure's speech service, such as brazilsouth, or the https:// endpoint of the resource",
  ),
  AZURE_SPEECH_KEY: variable(secret(), undefined, 'its key'),
  SPEECH_CACHE_MB: variable(
    integer(0, 100_000),
    '64',
    'maximum size of the synthesised speech in DATA_DIR/speech; 0: none',
    'MB',
  ),
  SPEECH_TIMEOUT_MS: variable(
    integer(100, 60_000),
    '5000',
    'limit of one request to a speech provider; after it Porteiro asks for keys',
    'ms',
  ),
  SPEECH_CONCURRENCY: variable(
    integer(1, 1000),
    '16',
    'concurrent requests to the TTS provider, and to the STT provider',
    'requests',
  ),

  // dialogue
  LLM_BASE_URL: variable(
    openUrl(),
    undefined,
    'OpenAI-compatible API whose model interprets what visitors say, such as http://host:11434/v1; unset: rules interpret it',
  ),
  LLM_API_KEY: variable(secret(), undefined, 'its key'),
  LLM_MODEL: variable(secret(), undefined, 'model, which must support structured output'),
  LLM_TIMEOUT_MS: variable(
    integer(100, 60_000),
    '3000',
    'limit of one request to the model; after it rules interpret the words',
    'ms',
  ),

  // what leaves
  EGRESS_ALLOW: variable(
    cidrs(),
    undefined,
    'private addresses and CIDR ranges that webhooks and gates may use; unset: only public addresses',
  ),
  PUBLIC_URL: variable(
    openUrl(),
    undefined,
    'public URL of the HTTP API, such as https://portaria.example.com; Twilio signs it and posts reports to it',
  ),
  WEBHOOK_URL: variable(httpUrl(), undefined, 'gets every event but message.* of every tenant'),
  WEBHOOK_URL_ABSOLUTE: variable(
    httpUrl(),
    undefined,
    'the name of WEBHOOK_URL in UnoAPI; it wins over WEBHOOK_URL',
  ),
  WEBHOOK_TOKEN: variable(
    line(),
    undefined,
    'sent to WEBHOOK_URL unchanged in WEBHOOK_HEADER; write "Bearer TOKEN" if required',
  ),
  WEBHOOK_HEADER: variable(
    headerName(),
    'Authorization',
    'name of the header that carries WEBHOOK_TOKEN, such as api_access_token',
  ),
  MESSAGE_RETRY_LIMIT: variable(
    integer(0, 100),
    '5',
    'attempts to send a message after the first one; UNOAPI_MESSAGE_RETRY_LIMIT is an alias',
  ),
  MESSAGE_RETRY_DELAY: variable(
    integer(0, 3_600_000),
    '10000',
    'delay before the first retry, doubled with each; UNOAPI_MESSAGE_RETRY_DELAY is an alias',
    'ms',
  ),
  MESSAGE_RATE: variable(
    integer(1, 10_000),
    '40',
    'limit of messages per WhatsApp or Twilio account, for all workers together',
    'messages/s',
  ),
  STATUS_FAILED_WEBHOOK_URL: variable(httpUrl(), undefined, 'gets a post for each message that was given up'),
  WHATSAPP_PROVIDER: variable(
    oneOf(['cloud', 'unoapi']),
    'cloud',
    "whose API WHATSAPP_URL is: cloud (Meta's) or unoapi",
  ),
  WHATSAPP_URL: variable(
    openUrl(),
    'https://graph.facebook.com/v23.0',
    'URL of the API including its version; for UnoAPI such as http://unoapi:9876/v15.0',
  ),
  WHATSAPP_TOKEN: variable(
    secret(),
    undefined,
    'token of the API; WhatsApp is enabled if this and the next are set',
  ),
  WHATSAPP_PHONE_ID: variable(secret(), undefined, 'id of the sending phone number; for UnoAPI the session'),
  WHATSAPP_APP_SECRET: variable(secret(), undefined, 'secret with which Meta signs its posts'),
  WHATSAPP_VERIFY_TOKEN: variable(
    secret(),
    undefined,
    'token that Meta sends once to verify the webhook, and UnoAPI with each post',
  ),
  WHATSAPP_TEMPLATE: variable(
    template(),
    undefined,
    'name:language of an approved template with one text, used if the last message of the person is older than a day',
  ),
  WHATSAPP_QUESTION_TEMPLATE: variable(
    template(),
    undefined,
    'the same for questions; its quick replies must be yes and no, in this order',
  ),
  TWILIO_URL: variable(openUrl(), 'https://api.twilio.com', 'API of Twilio, or of one of its regions'),
  TWILIO_ACCOUNT_SID: variable(secret(), undefined, 'account; Twilio is enabled if all three are set'),
  TWILIO_AUTH_TOKEN: variable(secret(), undefined, 'token of the account; Twilio also signs with it'),
  TWILIO_FROM: variable(
    secret(),
    undefined,
    'sender, such as +5511987654321, whatsapp:+5511987654321, or a messaging service (MG…)',
  ),

  // calls
  LOCALE: variable(oneOf(['pt-BR', 'en']), 'pt-BR', 'language that callers hear: pt-BR or en'),
  MAX_CALLS: variable(
    integer(1, 100_000),
    '500',
    'concurrent calls; further callers hear that the lines are busy',
    'calls',
  ),
  HANGUP_DELAY_MS: variable(
    integer(0, 60_000),
    '5000',
    'time from the beginning of the goodbye to the hangup',
    'ms',
  ),
  HANGUP_GRACE_MS: variable(
    integer(0, 60_000),
    '1000',
    'time from the hangup to the closing of the socket by Porteiro',
    'ms',
  ),
  CALL_MAX_SECONDS: variable(
    integer(5, 7200),
    '300',
    'maximum length of a call; then it ends with a goodbye',
    's',
  ),
  REATTACH_SECONDS: variable(
    integer(0, 600),
    '15',
    'how long calls of a killed process wait for their visitors to reconnect; 0: calls are not saved, and other nodes do not know them',
    's',
  ),
  DRAIN_SECONDS: variable(
    integer(0, 7200),
    '60',
    'how long live calls may continue after SIGTERM; a second signal ends them at once',
    's',
  ),
} satisfies Record<string, Variable<unknown>>

/** The variables as read: those without a default may be absent. */
export type Read = {
  [Name in keyof typeof VARIABLES]:
    | z.output<(typeof VARIABLES)[Name]['schema']>
    | ((typeof VARIABLES)[Name]['default'] extends string ? never : undefined)
}
