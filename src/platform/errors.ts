/**
 * The table of all errors. `status` is the status of the HTTP answer. `exit` (where present) is the exit code of the
 * process: 1 the demo failed, 64 wrong usage, 69 a required dependency is unreachable, 70 a bug, 78 invalid
 * configuration (sysexits.h). `{name}` in a message is filled from the error's details. docs/errors.md lists the same
 * codes; `npm run check` compares both.
 */
export const ERRORS = {
  // process
  CONFIG_INVALID: { status: 500, exit: 78, message: 'The configuration has {count} problem(s).' },
  KEY_SHORT: {
    status: 500,
    exit: 78,
    message: 'API_KEY has {length} characters; it needs {min}, or anybody may guess it.',
  },
  MEDIA_THREAD_LOST: {
    status: 503,
    message: 'The media thread ended ({reason}); it is started again, and its calls wait for their visitors.',
  },
  LOOPBACK_GATE: {
    status: 409,
    exit: 78,
    message:
      'CLICKTOCALL=loopback simulates residents who let everybody in: no gate may be configured with it.',
  },
  CONFIG_UNKNOWN: { status: 500, message: '{name} is not a setting; {hint}' },
  USAGE_WRONG: { status: 400, exit: 64, message: '{problem}' },
  NODE_TOO_OLD: { status: 500, exit: 78, message: 'Porteiro needs Node {wanted} or newer; this is {found}.' },
  SENTRY_MISSING: {
    status: 500,
    exit: 78,
    message: 'SENTRY_DSN is set, but @sentry/node is not installed: npm install @sentry/node@11',
  },
  BUG: { status: 500, exit: 70, message: 'Something went wrong inside Porteiro.' },
  NODE_TAKEN: {
    status: 500,
    exit: 78,
    message: 'A live process is already node "{nodeId}" with the role {roles}; give each its own NODE_ID.',
  },
  SHUTTING_DOWN: { status: 503, message: 'The service is shutting down and takes no new calls.' },

  // store
  DATA_DIR_UNUSABLE: { status: 500, exit: 78, message: 'DATA_DIR {directory} cannot be used: {reason}' },
  DATABASE_UNREACHABLE: { status: 503, exit: 69, message: 'Postgres cannot be reached: {reason}' },
  DATABASE_UNSUPPORTED: {
    status: 500,
    exit: 78,
    message: 'There is no embedded Postgres for {platform}; set DATABASE_URL.',
  },
  DATABASE_LOCKED: {
    status: 500,
    exit: 69,
    message: 'Another process is starting the Postgres in {directory}.',
  },
  DATABASE_SEARCH_PATH: {
    status: 500,
    exit: 78,
    message: 'Sessions of {database} do not have the search_path {schema}: {reason}. {remedy}',
  },
  DATABASE_POOLED: {
    status: 500,
    exit: 78,
    message:
      'DATABASE_URL leads to a pooler that lends out sessions by the transaction ({reason}). Use pool_mode = session, or connect to Postgres itself.',
  },
  DATABASE_QUERY: { status: 500, message: 'Postgres refused a query: {reason}' },
  MIGRATION_CHANGED: { status: 500, exit: 78, message: 'Migration {file} has changed since it was applied.' },
  MIGRATION_LOCKED: {
    status: 503,
    exit: 69,
    message: 'Another process has the lock of the migrations: {holder}',
  },
  MIGRATION_FAILED: { status: 500, exit: 69, message: 'Migration {file} failed: {reason}' },
  BACKUP_FAILED: { status: 500, exit: 69, message: 'There is no backup at {target}: {reason}' },
  BACKUP_DAMAGED: { status: 500, exit: 78, message: 'The backup {directory} is damaged: {reason}' },
  BACKUP_NEWER: {
    status: 500,
    exit: 78,
    message: 'The backup {directory} is of Porteiro {version}, which is newer: {reason}',
  },
  RESTORE_OCCUPIED: { status: 409, exit: 78, message: 'Nothing was restored: {reason}' },
  RESTORE_FAILED: {
    status: 500,
    exit: 69,
    message: 'The backup {directory} was not restored: {reason}',
  },
  SECRET_KEY_UNKNOWN: {
    status: 500,
    exit: 78,
    message: 'No configured key decrypts {count} secret(s) of the database.',
  },
  SECRET_KEY_MISSING: {
    status: 500,
    exit: 78,
    message: 'SECRET_KEY is not set; this command encrypts with it.',
  },
  SECRET_UNREADABLE: { status: 503, message: 'The secret of {place} cannot be decrypted: {reason}' },
  DIRECTORY_INVALID: {
    status: 400,
    exit: 64,
    message: 'The directory file has {count} problem(s); nothing was loaded.',
  },

  // AudioSocket
  FRAME_UNKNOWN_KIND: { status: 400, message: 'AudioSocket message of unknown kind {kind}.' },
  FRAME_MALFORMED: { status: 400, message: 'AudioSocket message of kind {kind} with {length} bytes.' },
  FRAME_OVERSIZED: { status: 400, message: 'AudioSocket audio of {length} bytes is more than a second.' },
  FRAME_EMPTY: { status: 400, message: 'AudioSocket messages without content, {count} in a row.' },
  FRAME_KEY_UNKNOWN: { status: 400, message: 'An unknown key was ignored: {byte}.' },
  CODEC_UNSUPPORTED: {
    status: 400,
    message:
      'The audio is neither signed linear nor G.711; write /c(slin) behind the UUID in Dial(AudioSocket/…).',
  },
  HANDSHAKE_TIMEOUT: { status: 408, message: 'No call UUID arrived within {ms} ms.' },
  HANDSHAKE_INVALID: {
    status: 400,
    message: 'The first AudioSocket message was of kind {kind}, not the call UUID.',
  },
  UUID_NIL: { status: 400, message: 'The call UUID is nil.' },
  UUID_REPEATED: { status: 400, message: 'A second UUID arrived on a connection that has one.' },
  ADDRESS_REFUSED: { status: 403, message: '{address} is not in AUDIOSOCKET_ALLOW.' },
  HANDSHAKE_ABANDONED: { status: 400, message: 'The connection ended before the call UUID arrived.' },
  HANDSHAKE_CROWDED: { status: 503, message: 'More than {max} connections waited for their call UUID.' },
  PEER_LOST: { status: 502, message: 'The connection to the PBX broke: {reason}' },
  PEER_ERROR: { status: 502, message: 'The PBX reported AudioSocket error {number}.' },
  PEER_STALLED: { status: 504, message: 'The PBX stopped reading; {bytes} bytes were waiting.' },
  RELAY_FAILED: {
    status: 502,
    message: 'The leg could not be relayed to the node at {host}:{port}: {reason}',
  },
  PORT_IN_USE: { status: 500, exit: 69, message: 'Port {port} on {host} is taken by another process.' },
  PORT_FORBIDDEN: { status: 500, exit: 69, message: 'Port {port} on {host} cannot be opened: {reason}' },

  // simulator
  PHONE_ENDED: {
    status: 409,
    exit: 1,
    message: 'The simulated call ended ({by}) before this came: {wanted}.',
  },
  PHONE_TIMEOUT: {
    status: 504,
    exit: 1,
    message: 'The simulated phone did not get this within {ms} ms: {wanted}.',
  },
  VOICE_LOST: {
    status: 502,
    exit: 1,
    message:
      'The {listener} heard only {percent} % of the sentence of the {speaker}, after {tries} attempts.',
  },
  DEMO_TIMEOUT: {
    status: 504,
    exit: 1,
    message: 'The demo waited {seconds} s in vain for {wanted}.',
  },

  // media
  PROMPT_MISSING: { status: 500, exit: 78, message: 'Prompt {prompt} is missing for {locale}: {file}' },
  PROMPT_FORMAT: { status: 500, exit: 78, message: '{file} is not 8 kHz, mono, 16-bit PCM WAV: {reason}' },
  PROMPT_UNKNOWN: { status: 404, message: 'There is no prompt {prompt} that a tenant can replace.' },
  PROMPT_ABSENT: { status: 404, message: 'Tenant {tenant} has no sound of its own for {prompt}.' },
  PROMPT_REFUSED: { status: 422, message: 'This sound cannot be a prompt: {reason}' },
  RECORDING_UNKNOWN: { status: 404, message: 'Call {callId} has no recording "{name}".' },
  RECORDING_FAILED: { status: 500, message: 'A recording could not be saved: {reason}' },

  // speech
  SPEECH_OFF: { status: 503, message: 'No provider is configured ({variable}=none).' },
  SPEECH_TEXT: {
    status: 400,
    message: 'A text of {length} characters cannot be spoken; the limits are 1 to {max}.',
  },
  SPEECH_TIMEOUT: { status: 504, message: '{provider} did not answer within {ms} ms.' },
  SPEECH_UNREACHABLE: { status: 502, message: '{provider} cannot be reached: {reason}' },
  SPEECH_REFUSED: { status: 502, message: '{provider} refused with status {status}.' },
  SPEECH_INVALID: { status: 502, message: '{provider} gave an unusable answer: {reason}' },
  SPEECH_BUSY: { status: 503, message: 'All {max} concurrent requests to {provider} are in use.' },
  SPEECH_PAUSED: { status: 503, message: '{provider} failed {failures} times in a row and is paused.' },
  SPEECH_CANCELLED: { status: 409, message: 'The speech request was cancelled.' },

  // calls
  CALL_UNKNOWN: { status: 404, message: 'There is no call {callId}.' },
  CALL_ENDED: { status: 404, message: 'Call {callId} has ended.' },
  CALL_DUPLICATE: { status: 409, message: 'Call {callId} already has a {role} leg.' },
  CALLS_EXHAUSTED: { status: 503, message: 'All {max} call slots are in use.' },
  CALL_ELSEWHERE_SILENT: {
    status: 503,
    message: 'Node {node} did not answer.',
  },
  STREAM_OVER: {
    status: 503,
    message: 'The process that publishes this stream has stopped; subscribe again.',
  },
  CALL_DECIDED: { status: 409, message: 'Call {callId} has already been decided: {outcome}.' },
  LEG_ABSENT: { status: 404, message: 'Call {callId} has no {role} leg.' },
  LEG_UNEXPECTED: {
    status: 409,
    message: 'A resident leg came for call {callId} while nobody was being called.',
  },
  LEG_MISPLACED: {
    status: 409,
    message: "A resident leg for call {callId} arrived through another tenant's entrance, port {port}.",
  },
  DIALER_FAILED: { status: 503, exit: 69, message: 'Residents can no longer be called: {reason}' },
  DIAL_UNAVAILABLE: { status: 503, message: 'No way to call residents is configured (CLICKTOCALL=off).' },
  CONTACT_NOBODY: { status: 404, message: 'No resident of the unit has a telephone number.' },
  TOGETHER_UNAVAILABLE: {
    status: 503,
    message: 'Telephones ring together only over ARI, or with a PBX side that sends results.',
  },
  OPERATOR_UNAVAILABLE: { status: 503, message: 'No operator is configured (OPERATOR_EXTENSION).' },

  // click-to-call: every BROKER_ error has host, virtual host and queue in its details
  BROKER_REFUSED: { status: 503, exit: 69, message: 'RabbitMQ at {host} refused the connection: {reason}' },
  BROKER_RESET: { status: 503, exit: 69, message: 'RabbitMQ at {host} broke the connection: {reason}' },
  BROKER_DNS: { status: 503, exit: 69, message: 'The host of AMQP_URL, {host}, has no address: {reason}' },
  BROKER_TIMEOUT: { status: 504, exit: 69, message: 'RabbitMQ at {host} did not answer: {reason}' },
  BROKER_AUTHENTICATION: {
    status: 503,
    exit: 69,
    message: 'RabbitMQ at {host} refused the login of {user}.',
  },
  BROKER_VHOST: {
    status: 503,
    exit: 69,
    message: 'RabbitMQ at {host} does not let {user} into the virtual host "{vhost}".',
  },
  BROKER_CHANNEL: {
    status: 503,
    exit: 69,
    message: 'RabbitMQ at {host} closed the channel (queue {queue}): {reason}',
  },
  BROKER_CLOSED: { status: 503, exit: 69, message: 'RabbitMQ at {host} closed the connection: {reason}' },
  BROKER_BLOCKED: {
    status: 503,
    exit: 69,
    message: 'RabbitMQ at {host} has taken no messages for {ms} ms: it is short of memory or disk.',
  },
  BROKER_UNROUTABLE: { status: 502, exit: 69, message: 'The queue {queue} does not exist: {reason}' },
  BROKER_NACKED: { status: 502, exit: 69, message: 'The queue {queue} refused the message.' },
  MESSAGE_MALFORMED: { status: 400, message: 'A click-to-call message is invalid: {problem}' },
  MESSAGE_LICENSE: {
    status: 403,
    message: 'A click-to-call message for call {callId} has a wrong licence.',
  },
  MESSAGE_STALE: { status: 410, message: 'A click-to-call message was {seconds} s old.' },
  ARI_UNREACHABLE: { status: 503, message: 'ARI at {host} cannot be reached: {reason}' },
  ARI_TIMEOUT: { status: 504, message: 'ARI at {host} did not answer within {ms} ms.' },
  ARI_AUTHENTICATION: { status: 503, message: 'ARI at {host} refused the login of {user}.' },
  ARI_REJECTED: { status: 502, message: 'Asterisk did not ring {endpoint} ({answer}): {reason}' },

  // dialogue
  MODEL_FAILED: { status: 502, message: 'The request to the language model failed: {reason}' },
  MODEL_TIMEOUT: { status: 504, message: 'The language model did not answer within {ms} ms.' },
  MODEL_ANSWER_INVALID: {
    status: 502,
    message: 'The language model did not answer in the required form: {reason}',
  },

  // outgoing requests and channels
  EGRESS_REFUSED: {
    status: 400,
    message: '{place} is not public and not in EGRESS_ALLOW.',
  },
  EGRESS_URL: { status: 400, message: 'This URL cannot be used: {reason}' },
  DELIVERY_TIMEOUT: { status: 504, message: '{host} did not answer within {ms} ms.' },
  DELIVERY_DNS: { status: 502, message: '{host} has no address: {reason}' },
  DELIVERY_TLS: { status: 502, message: '{host} offers no trusted TLS: {reason}' },
  DELIVERY_RESET: { status: 502, message: 'The connection to {host} failed: {reason}' },
  DELIVERY_STATUS: { status: 502, message: '{host} answered with status {status}.' },
  DELIVERY_TOO_LARGE: { status: 502, message: 'The response of {host} was longer than {limit} bytes.' },
  DELIVERY_REDIRECT: { status: 502, message: '{host} sent a redirect that is not followed: {reason}' },
  DELIVERY_CANCELLED: { status: 409, message: 'The attempt was cancelled before {host} answered.' },
  ENDPOINT_UNKNOWN: { status: 404, message: 'There is no endpoint {endpoint}.' },
  ENDPOINT_DISABLED: { status: 409, message: 'Endpoint {endpoint} is disabled: {reason}' },
  ENDPOINT_PAUSED: {
    status: 503,
    message: 'Endpoint {endpoint} failed {failures} times in a row and is paused for {seconds} s.',
  },
  FREE_WEBHOOKS_OFF: {
    status: 403,
    message: 'Tenant {tenant} may send webhooks to its endpoints only: its freeWebhooks is off.',
  },
  FREE_WEBHOOK_HOST: { status: 403, message: '{host} takes no webhooks other than those of its owner.' },
  HEADER_REFUSED: { status: 400, message: 'The header {header} cannot be sent: {reason}' },
  INSTANCE_UNKNOWN: { status: 404, message: 'Tenant {tenant} has no {carrier} account "{instance}".' },
  INSTANCE_INVALID: {
    status: 500,
    message: 'The {carrier} account "{instance}" of {tenant} is invalid: {problem}',
  },
  CONTENT_INVALID: { status: 400, message: 'The channel {channel} cannot send this: {problem}' },
  MEDIA_ABSENT: {
    status: 404,
    message: 'The recording {recording} of call {callId} is not on this machine.',
  },
  MEDIA_REFUSED: { status: 422, message: 'The {kind} of {host} cannot be sent: {reason}' },
  MEDIA_UNKNOWN: { status: 404, message: 'The account has no file {media}.' },
  MEDIA_GARBLED: { status: 502, message: '{host} answered without the address of the file.' },
  MEDIA_UNSUPPORTED: { status: 501, message: '{carrier} cannot send the recording: {reason}' },
  QUOTED_UNSENT: {
    status: 409,
    message: 'The account has not sent message {messageId}, which this one names: {reason}',
  },
  WHATSAPP_REFUSED: { status: 502, message: 'WhatsApp refused ({number}): {reason}' },
  WHATSAPP_LIMITED: { status: 429, message: 'WhatsApp accepts no more messages for now ({number}).' },
  WHATSAPP_WINDOW: {
    status: 409,
    message: 'The person last wrote more than a day ago, and no template is configured (131047).',
  },
  WHATSAPP_WARNED: { status: 502, message: 'UnoAPI took the message but did not send it: {reason}' },
  WHATSAPP_GARBLED: { status: 502, message: '{host} answered without a message id.' },
  TWILIO_REFUSED: { status: 502, message: 'Twilio refused ({number}): {reason}' },
  TWILIO_LIMITED: { status: 429, message: 'Twilio accepts no more messages for now ({number}).' },
  TWILIO_GARBLED: { status: 502, message: '{host} answered without a message id.' },
  GATE_UNKNOWN: { status: 404, message: 'Tenant {tenant} has no enabled gate {gate}.' },
  GATE_LATE: { status: 410, message: 'The command to the gate is {ms} ms too late.' },
  GATE_OFF: { status: 503, message: 'Gates over AMQP need AMQP_URL.' },
  GATE_UNREACHABLE: { status: 503, message: 'RabbitMQ did not take the command for the gate: {reason}' },
  GATE_UNROUTABLE: {
    status: 502,
    message: 'No queue is bound to exchange {exchange} with the key {routingKey}.',
  },

  // messages
  MESSAGE_INVALID: { status: 400, message: 'The message is invalid: {problem}' },
  MESSAGE_UNKNOWN: { status: 404, exit: 64, message: 'There is no message {messageId}.' },
  MESSAGE_STATE: {
    status: 409,
    exit: 64,
    message: 'Message {messageId} {state}; it cannot be {event}.',
  },
  MESSAGE_TIMEOUT: { status: 504, message: 'The attempt took longer than {ms} ms.' },
  MESSAGE_EXPIRED: { status: 410, message: 'The message expired before it could be sent.' },
  MESSAGE_UNCERTAIN: {
    status: 502,
    message: 'The worker ended during the attempt, and {channel} does not detect duplicates.',
  },
  MESSAGE_BOUNCED: { status: 502, message: 'The provider could not deliver it: {reason}' },
  CHANNEL_UNAVAILABLE: { status: 503, message: 'Channel {channel} is not configured.' },
  JOB_UNKNOWN: { status: 500, message: 'Queue {queue} has no handler for jobs of type "{type}".' },
  FALLBACK_UNWRITABLE: {
    status: 500,
    message: 'It can be stored neither in Postgres nor on the disk: {reason}',
  },

  // inbound
  WEBHOOK_UNKNOWN: { status: 404, message: 'No account for {channel} has the webhook "{instance}".' },
  WEBHOOK_SIGNATURE: { status: 401, message: 'The signature in {header} does not match the body.' },
  WEBHOOK_TOKEN: { status: 403, message: 'The token does not match this webhook.' },
  WEBHOOK_UNREADY: {
    status: 503,
    message: 'This webhook cannot accept posts: {lacks} is not configured.',
  },
  INBOUND_BUSY: { status: 503, message: '{waiting} posts wait to be stored; post it again.' },
  INBOUND_JOB: { status: 400, message: 'An inbound job is invalid: {problem}' },
  WHATSAPP_UNAVAILABLE: {
    status: 503,
    message: 'Tenant {tenantId} has no account that can write to residents.',
  },
  WHATSAPP_NOBODY: { status: 404, message: 'No resident of unit {unit} can be asked in writing.' },

  // HTTP
  KEY_MISSING: { status: 401, message: 'Send the API key as "Authorization: Bearer KEY".' },
  KEY_INVALID: { status: 401, message: 'This API key is unknown or has been revoked.' },
  KEY_SCOPE: { status: 403, message: 'This API key lacks the scope {scope}.' },
  REQUEST_MALFORMED: { status: 400, message: 'This is not an HTTP request.' },
  BODY_INVALID: { status: 400, message: 'The request does not have the expected form.' },
  BODY_NOT_JSON: { status: 400, message: 'The body is not JSON.' },
  BODY_TYPE: { status: 415, message: 'Send the body as application/json.' },
  BODY_TOO_LARGE: { status: 413, message: 'The body is larger than {limit} bytes.' },
  MACHINE_UNKNOWN: { status: 404, message: 'There is no machine "{machine}".' },
  CHART_FAILED: { status: 500, message: 'A chart could not be drawn: {reason}' },
  VIEWER_SLOW: {
    status: 408,
    message: 'The viewer reads too slowly; {waiting} messages were waiting.',
  },
  VIEWERS_EXHAUSTED: { status: 503, message: 'All {max} inspector connections are in use.' },
  VIEWER_GARBLED: { status: 400, message: 'An inspector message is invalid: {problem}' },
  ORIGIN_REFUSED: { status: 403, message: 'Pages of {origin} may not open this.' },
  PHONE_UNAVAILABLE: { status: 503, message: 'This node has no port for browser telephones.' },
  PHONES_EXHAUSTED: { status: 503, message: 'All {max} browser telephones are in use.' },
  TICKET_INVALID: { status: 401, message: 'This ticket is unknown, used or expired.' },
  ACTOR_UNKNOWN: { status: 404, message: 'There is no such actor.' },
  EVENT_REFUSED: { status: 400, message: 'Event {event} cannot be sent to {machine}.' },
  ROUTE_UNKNOWN: { status: 404, message: 'There is no {method} {path}.' },
  KEY_TENANT: {
    status: 403,
    message: 'This API key is bound to one tenant; this needs a key for all tenants.',
  },
  KEY_UNKNOWN: { status: 404, message: 'There is no API key {id}.' },
  CSRF_REFUSED: {
    status: 403,
    message: 'Send the session\'s csrf token in the header "x-csrf-token".',
  },
  AUTH_RATE_LIMITED: {
    status: 429,
    message: 'Too many wrong API keys came from this address; wait {retryAfterSeconds} s.',
  },
  AUTH_UNAVAILABLE: { status: 503, message: 'API keys cannot be checked at the moment; try again.' },
  CURSOR_INVALID: { status: 400, message: 'The cursor does not belong to this list.' },
  STREAMS_EXHAUSTED: { status: 503, message: 'All {max} event streams are in use.' },
  TENANT_UNKNOWN: { status: 404, exit: 64, message: 'There is no tenant "{tenant}".' },
  TENANT_TAKEN: { status: 409, message: 'Tenant "{tenant}" already exists.' },
  TENANT_MAIN: { status: 409, message: 'The main tenant "{tenant}" cannot be deleted.' },
  UNIT_UNKNOWN: { status: 404, message: 'There is no unit {unit}.' },
  UNIT_AMBIGUOUS: { status: 409, message: 'Several units have the number {unit}; name block or tower.' },
  UNIT_TAKEN: { status: 409, message: 'Unit {number} already exists.' },
  WINDOW_EMPTY: {
    status: 400,
    message:
      'A window from {time} to {time} is empty; for all day write two: 00:00 to 12:00, 12:00 to 00:00.',
  },
  RULE_UNKNOWN: { status: 404, message: 'There is no rule {id}.' },
  EXTENSION_UNKNOWN: { status: 404, message: 'There is no extension "{id}".' },
  EXTENSION_TAKEN: {
    status: 409,
    message: 'Extension "{id}", or one of its ports, belongs to another tenant.',
  },
} as const satisfies Record<string, { status: number; message: string; exit?: number }>

export type ErrorCode = keyof typeof ERRORS
export type Details = Record<string, unknown>

/** An error with a code of the table above and its facts as details. */
export class PorteiroError extends Error {
  readonly code: ErrorCode
  readonly details: Details

  constructor(code: ErrorCode, details: Details = {}, cause?: unknown) {
    super(fill(ERRORS[code].message, details), cause === undefined ? undefined : { cause })
    this.name = 'PorteiroError'
    this.code = code
    this.details = details
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  /** The exit code when this error ends the process. */
  get exit(): number {
    const entry = ERRORS[this.code]
    return 'exit' in entry ? entry.exit : 70
  }
}

type Placeholder<Message extends string> = Message extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never
type IsOne<Code, Codes = Code> = Code extends unknown ? ([Codes] extends [Code] ? true : false) : never
/** What the message of an error names, and whatever else is known. Of a code that only run time knows, anything. */
export type DetailsOf<Code extends ErrorCode> =
  IsOne<Code> extends true
    ? Details & { [Name in Placeholder<(typeof ERRORS)[Code]['message']>]: unknown }
    : Details
type Facts<Code extends ErrorCode> =
  Details extends DetailsOf<Code>
    ? [details?: Details, cause?: unknown]
    : [details: DetailsOf<Code>, cause?: unknown]

/** `throw fail('CALL_UNKNOWN', { callId })` */
export function fail<Code extends ErrorCode>(code: Code, ...[details, cause]: Facts<Code>): PorteiroError {
  return new PorteiroError(code, details, cause)
}

/** Any thrown value as a PorteiroError; any other error becomes a BUG with that error as its cause. */
export function asPorteiroError(error: unknown): PorteiroError {
  return error instanceof PorteiroError ? error : new PorteiroError('BUG', {}, error)
}

/** The message of any thrown value. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error ? error.message || error.name : String(error)
}

/** `{count} problem(s)` becomes `1 problem` or `2 problems`. */
function fill(template: string, details: Details): string {
  const filled = template.replace(/\{(\w+)\} (\w+)\(s\)/g, (_, name: string, thing: string) => {
    const number = details[name] ?? '?'
    return `${number} ${thing}${number === 1 ? '' : 's'}`
  })
  return filled.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? '?'))
}
