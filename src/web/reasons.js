/**
 * What went wrong, as a sentence in the reader's language, made from the code and the details that the service answers or keeps.
 * It imports nothing, so that a test compares it with the service's table of errors (src/platform/errors.ts).
 */

/** @typedef {Record<string, unknown>} Details */
/** @typedef {string | ((details: Details) => string)} Sentence `{name}` stands for a detail. */
/** @typedef {[portuguese: Sentence, english: Sentence, words?: Record<string, Record<string, [string, string]>>]} Reason `words`: details that are one of a few words, by their value. */

/** @type {Record<string, [string, string]>} Why an endpoint is disabled; other reasons are the operator's own words. */
const DISABLED = {
  'its receiver answered 410': ['o destinatário respondeu 410', 'its receiver answered 410'],
  'its secret was lost': ['o segredo se perdeu; defina-o de novo', 'its secret was lost; set it again'],
  'by its tenant': ['pelo próprio condomínio', 'by its tenant'],
}
/** @type {Record<string, [string, string]>} */
const UNQUOTED = {
  'it waits': ['ela ainda espera', 'it waits'],
  'it was never sent': ['ela nunca foi enviada', 'it was never sent'],
  'another account has it': ['ela é de outra conta', 'another account has it'],
}
/** @type {Record<string, [string, string]>} */
const MESSAGE_STATES = {
  pending: ['está na fila', 'is waiting'],
  processing: ['está sendo enviada', 'is being sent'],
  retrying: ['espera a próxima tentativa', 'waits for its next attempt'],
  sent: ['já foi enviada', 'has been sent already'],
  failed: ['falhou definitivamente', 'has failed for good'],
  expired: ['venceu', 'has expired'],
  cancelled: ['foi cancelada', 'has been cancelled'],
}
/** @type {Record<string, [string, string]>} */
const ROLES = { visitor: ['o visitante', 'the visitor'], resident: ['o morador', 'the resident'] }
/** @type {Record<string, [string, string]>} */
const OUTCOMES = {
  authorized: ['autorizada', 'authorised'],
  denied: ['negada', 'denied'],
  blocked: ['bloqueada', 'blocked'],
  unanswered: ['sem resposta', 'not answered'],
  undecided: ['sem decisão', 'undecided'],
  unreachable: ['sem contato', 'nobody could be reached'],
  abandoned: ['o visitante saiu', 'the visitor left'],
  expired: ['tempo esgotado', 'time ran out'],
}
/** @type {Record<string, [string, string]>} */
const MESSENGERS = { whatsapp: ['WhatsApp', 'WhatsApp'], twilio: ['Twilio', 'Twilio'] }
/** @type {Record<string, [string, string]>} */
const CHANNELS = {
  ...MESSENGERS,
  webhook: ['webhook', 'webhook'],
  gate: ['portão', 'gate command'],
}

/** @type {Record<string, Reason>} */
export const REASONS = {
  // the service itself
  BUG: ['Algo deu errado dentro do Porteiro.', 'Something went wrong inside Porteiro.'],
  SHUTTING_DOWN: [
    'O serviço está encerrando e não aceita novas chamadas.',
    'The service is shutting down and takes no new calls.',
  ],
  DATABASE_UNREACHABLE: ['Não há conexão com o Postgres: {reason}', 'Postgres cannot be reached: {reason}'],
  DATABASE_QUERY: ['O Postgres recusou uma consulta: {reason}', 'Postgres refused a query: {reason}'],
  SECRET_UNREADABLE: [
    'O segredo de {place} não pode ser decifrado; confira SECRET_KEY.',
    'The secret of {place} cannot be decrypted: {reason}',
  ],
  FALLBACK_UNWRITABLE: [
    'Não foi possível gravar, nem no Postgres nem no disco: {reason}',
    'It can be stored neither in Postgres nor on the disk: {reason}',
  ],
  PORT_IN_USE: [
    'A porta {port} em {host} está em uso por outro processo.',
    'Port {port} on {host} is taken by another process.',
  ],
  PORT_FORBIDDEN: [
    'Não é possível abrir a porta {port} em {host}: {reason}',
    'Port {port} on {host} cannot be opened: {reason}',
  ],

  // requests
  KEY_MISSING: ['Falta a chave de acesso.', 'The API key is missing.'],
  KEY_INVALID: ['Esta chave não existe ou foi revogada.', 'This API key is unknown or has been revoked.'],
  KEY_SCOPE: ['Esta chave não tem o escopo {scope}.', 'This API key lacks the scope {scope}.'],
  KEY_TENANT: [
    'Esta chave é de um só condomínio; isso exige uma chave de todos.',
    'This API key belongs to one tenant; this needs a key of all tenants.',
  ],
  KEY_UNKNOWN: ['A chave {id} não existe.', 'There is no API key {id}.'],
  CSRF_REFUSED: [
    'A sessão desta página não vale mais. Recarregue a página.',
    "This page's session is no longer valid. Reload the page.",
  ],
  AUTH_RATE_LIMITED: [
    'Este endereço enviou chaves erradas demais; espere {retryAfterSeconds} s.',
    'Too many wrong API keys came from this address; wait {retryAfterSeconds} s.',
  ],
  AUTH_UNAVAILABLE: [
    'Não é possível conferir as chaves agora; tente de novo.',
    'API keys cannot be checked at the moment; try again.',
  ],
  ORIGIN_REFUSED: ['Uma página de {origin} não pode abrir isso.', 'Pages of {origin} may not open this.'],
  ROUTE_UNKNOWN: ['{method} {path} não existe.', 'There is no {method} {path}.'],
  BODY_INVALID: ['A solicitação não tem a forma esperada.', 'The request does not have the expected form.'],
  BODY_NOT_JSON: ['O conteúdo não é JSON.', 'The body is not JSON.'],
  BODY_TYPE: ['O conteúdo precisa ser application/json.', 'The body must be application/json.'],
  BODY_TOO_LARGE: ['O conteúdo passa de {limit} bytes.', 'The body is larger than {limit} bytes.'],
  CURSOR_INVALID: ['Esta posição não é desta lista.', 'The cursor does not belong to this list.'],
  STREAMS_EXHAUSTED: [
    'Todas as {max} conexões de eventos estão em uso.',
    'All {max} event streams are in use.',
  ],

  // calls
  CALL_UNKNOWN: ['A chamada {callId} não existe.', 'There is no call {callId}.'],
  CALL_ENDED: ['A chamada {callId} terminou.', 'Call {callId} has ended.'],
  CALL_DECIDED: [
    'A chamada {callId} já foi decidida: {outcome}.',
    'Call {callId} has already been decided: {outcome}.',
    { outcome: OUTCOMES },
  ],
  CALL_ELSEWHERE_SILENT: [
    'O nó {node} atende chamadas, mas não respondeu.',
    'Node {node} takes calls but did not answer.',
  ],
  CALLS_EXHAUSTED: ['Todas as {max} linhas estão ocupadas.', 'All {max} calls are in use.'],
  LEG_ABSENT: [
    'Na chamada {callId}, {role} não está na linha.',
    'In call {callId}, {role} is not on the line.',
    { role: ROLES },
  ],
  PROMPT_UNKNOWN: [
    'Não existe uma mensagem {prompt} que o condomínio possa trocar.',
    'There is no prompt {prompt} that a tenant can replace.',
  ],
  PROMPT_ABSENT: [
    'O condomínio {tenant} não tem gravação própria para {prompt}.',
    'Tenant {tenant} has no sound of its own for {prompt}.',
  ],
  PROMPT_REFUSED: ['Este áudio não serve como mensagem: {reason}', 'This sound cannot be a prompt: {reason}'],
  RECORDING_UNKNOWN: [
    'A chamada {callId} não tem a gravação "{name}".',
    'Call {callId} has no recording "{name}".',
  ],
  STREAM_OVER: [
    'O processo que informava isso parou; pergunte de novo.',
    'The process that reported this has stopped; ask again.',
  ],
  PHONE_UNAVAILABLE: [
    'Este nó não tem porta para um telefone da página.',
    'This node has no port for browser telephones.',
  ],
  PHONES_EXHAUSTED: [
    'Todos os {max} telefones da página estão em uso.',
    'All {max} browser telephones are in use.',
  ],
  SPEECH_OFF: [
    'Nenhum provedor configurado ({variable}=none).',
    'No provider is configured ({variable}=none).',
  ],
  SPEECH_TEXT: [
    'Um texto de {length} caracteres não pode ser falado; o limite é {max}.',
    'A text of {length} characters cannot be spoken; the limits are 1 to {max}.',
  ],
  SPEECH_TIMEOUT: ['{provider} não respondeu em {ms} ms.', '{provider} did not answer within {ms} ms.'],
  SPEECH_UNREACHABLE: ['Não há conexão com {provider}: {reason}', '{provider} cannot be reached: {reason}'],
  SPEECH_REFUSED: ['{provider} recusou com o status {status}.', '{provider} refused with status {status}.'],
  SPEECH_INVALID: [
    '{provider} deu uma resposta que não serve: {reason}',
    '{provider} gave an unusable answer: {reason}',
  ],
  SPEECH_BUSY: [
    'Todas as {max} vagas em {provider} estão em uso.',
    'All {max} concurrent requests to {provider} are in use.',
  ],
  SPEECH_PAUSED: [
    '{provider} falhou {failures} vezes seguidas e está em pausa.',
    '{provider} failed {failures} times in a row and is paused.',
  ],
  SPEECH_CANCELLED: ['Ninguém mais espera por esta fala.', 'The speech request was cancelled.'],

  // inspector
  MACHINE_UNKNOWN: ['A máquina "{machine}" não existe.', 'There is no machine "{machine}".'],
  CHART_FAILED: ['Não foi possível desenhar um diagrama: {reason}', 'A chart could not be drawn: {reason}'],
  VIEWER_SLOW: [
    'A página não leu o que pediu; {waiting} mensagens esperavam.',
    'The viewer reads too slowly; {waiting} messages were waiting.',
  ],
  VIEWERS_EXHAUSTED: [
    'Todas as {max} vagas do inspetor estão em uso.',
    'All {max} inspector connections are in use.',
  ],
  VIEWER_GARBLED: [
    'Uma mensagem do inspetor não tem a forma esperada: {problem}',
    'An inspector message is invalid: {problem}',
  ],
  TICKET_INVALID: [
    'Este token não existe, já foi usado ou venceu.',
    'This ticket is unknown, used or expired.',
  ],
  ACTOR_UNKNOWN: ['Este ator não existe mais.', 'There is no such actor.'],
  EVENT_REFUSED: [
    'O evento {event} não pode ser enviado a {machine}.',
    'Event {event} cannot be sent to {machine}.',
  ],

  // directory
  DIRECTORY_INVALID: [
    ({ count }) =>
      count === 1
        ? 'O arquivo tem {count} problema; nada foi carregado.'
        : 'O arquivo tem {count} problemas; nada foi carregado.',
    ({ count }) =>
      count === 1
        ? 'The file has {count} problem; nothing was loaded.'
        : 'The file has {count} problems; nothing was loaded.',
  ],
  TENANT_UNKNOWN: ['O condomínio "{tenant}" não existe.', 'There is no tenant "{tenant}".'],
  TENANT_TAKEN: ['O condomínio "{tenant}" já existe.', 'Tenant "{tenant}" already exists.'],
  TENANT_MAIN: [
    'O condomínio principal "{tenant}" não pode ser excluído.',
    'The main tenant "{tenant}" cannot be deleted.',
  ],
  UNIT_UNKNOWN: ['A unidade {unit} não existe.', 'There is no unit {unit}.'],
  UNIT_AMBIGUOUS: [
    'Mais de uma unidade tem o número {unit}; informe o bloco ou a torre.',
    'Several units have the number {unit}; name the block or tower.',
  ],
  UNIT_TAKEN: ['A unidade {number} já existe.', 'Unit {number} already exists.'],
  LOOPBACK_GATE: [
    'CLICKTOCALL=loopback simula moradores que autorizam todo mundo: nenhum portão pode ser configurado.',
    'CLICKTOCALL=loopback simulates residents who let everybody in: no gate may be configured with it.',
  ],
  WINDOW_EMPTY: [
    'Das {time} às {time} é um período vazio. Para o dia todo, cadastre dois: das 00:00 às 12:00 e das 12:00 às 00:00.',
    'From {time} to {time} is empty. For all day, add two: 00:00 to 12:00, and 12:00 to 00:00.',
  ],
  RULE_UNKNOWN: ['A regra {id} não existe.', 'There is no rule {id}.'],
  EXTENSION_UNKNOWN: ['O ramal "{id}" não existe.', 'There is no extension "{id}".'],
  EXTENSION_TAKEN: [
    'O ramal "{id}", ou uma porta dele, é de outro condomínio.',
    'Extension "{id}", or one of its ports, belongs to another tenant.',
  ],

  // sending
  EGRESS_REFUSED: [
    ({ place, address }) =>
      place === address
        ? '{address} não é público nem está em EGRESS_ALLOW.'
        : '{host} leva a {address}, que não é público nem está em EGRESS_ALLOW.',
    '{place} is not public and not in EGRESS_ALLOW.',
  ],
  EGRESS_URL: ['Este endereço não pode ser usado: {reason}', 'This URL cannot be used: {reason}'],
  DELIVERY_TIMEOUT: ['{host} não respondeu em {ms} ms.', '{host} did not answer within {ms} ms.'],
  DELIVERY_DNS: ['{host} não tem endereço: {reason}', '{host} has no address: {reason}'],
  DELIVERY_TLS: ['{host} não tem TLS confiável: {reason}', '{host} offers no trusted TLS: {reason}'],
  DELIVERY_RESET: ['A conexão com {host} falhou: {reason}', 'The connection to {host} failed: {reason}'],
  DELIVERY_STATUS: ['{host} respondeu com o status {status}.', '{host} answered with status {status}.'],
  DELIVERY_TOO_LARGE: [
    'A resposta de {host} passou de {limit} bytes.',
    'The response of {host} was longer than {limit} bytes.',
  ],
  DELIVERY_REDIRECT: [
    '{host} redirecionou para outro lugar, o que não é seguido: {reason}',
    '{host} sent a redirect that is not followed: {reason}',
  ],
  DELIVERY_CANCELLED: [
    'A tentativa foi abandonada antes da resposta de {host}.',
    'The attempt was cancelled before {host} answered.',
  ],
  FREE_WEBHOOKS_OFF: [
    'O condomínio {tenant} só pode enviar webhooks aos seus destinos.',
    'Tenant {tenant} may send webhooks to its endpoints only.',
  ],
  FREE_WEBHOOK_HOST: [
    '{host} só recebe webhooks de quem é dono dele.',
    '{host} takes no webhooks other than those of its owner.',
  ],
  HEADER_REFUSED: [
    'O cabeçalho {header} não pode ser enviado: {reason}',
    'The header {header} cannot be sent: {reason}',
  ],
  MEDIA_REFUSED: [
    'O arquivo ({kind}) de {host} não pode ser enviado: {reason}',
    'The {kind} of {host} cannot be sent: {reason}',
  ],
  ENDPOINT_UNKNOWN: ['O destino {endpoint} não existe.', 'There is no endpoint {endpoint}.'],
  ENDPOINT_DISABLED: [
    'O destino {endpoint} está desativado: {reason}',
    'Endpoint {endpoint} is disabled: {reason}',
    { reason: DISABLED },
  ],
  ENDPOINT_PAUSED: [
    'O destino {endpoint} falhou {failures} vezes seguidas e está em pausa por {seconds} s.',
    'Endpoint {endpoint} failed {failures} times in a row and is paused for {seconds} s.',
  ],
  INSTANCE_UNKNOWN: [
    '{tenant} não tem conta "{instance}" de {carrier}.',
    'Tenant {tenant} has no {carrier} account "{instance}".',
    { carrier: MESSENGERS },
  ],
  INSTANCE_INVALID: [
    'A conta "{instance}" de {carrier} de {tenant} tem um problema: {problem}',
    'The {carrier} account "{instance}" of {tenant} is invalid: {problem}',
    { carrier: MESSENGERS },
  ],
  CONTENT_INVALID: [
    'Não é possível enviar isso por {channel}: {problem}',
    'The channel {channel} cannot send this: {problem}',
    { channel: CHANNELS },
  ],
  MEDIA_ABSENT: [
    'A gravação {recording} da chamada {callId} não está neste nó.',
    'The recording {recording} of call {callId} is not on this machine.',
  ],
  MEDIA_UNKNOWN: ['A conta não tem o arquivo {media}.', 'The account has no file {media}.'],
  MEDIA_GARBLED: [
    '{host} respondeu sem o endereço do arquivo.',
    '{host} answered without the address of the file.',
  ],
  MEDIA_UNSUPPORTED: [
    '{carrier} não aceita gravações daqui: {reason}',
    '{carrier} cannot send the recording: {reason}',
  ],
  QUOTED_UNSENT: [
    'A conta não enviou a mensagem {messageId}, que esta cita: {reason}',
    'The account has not sent message {messageId}, which this one names: {reason}',
    { reason: UNQUOTED },
  ],
  WHATSAPP_REFUSED: ['O WhatsApp recusou ({number}): {reason}', 'WhatsApp refused ({number}): {reason}'],
  WHATSAPP_LIMITED: [
    'O WhatsApp não aceita mais mensagens agora ({number}).',
    'WhatsApp accepts no more messages for now ({number}).',
  ],
  WHATSAPP_WINDOW: [
    'A pessoa escreveu há mais de um dia, e não há modelo (131047).',
    'The person last wrote more than a day ago, and no template is configured (131047).',
  ],
  WHATSAPP_WARNED: [
    'A UnoAPI aceitou a mensagem e não a enviou: {reason}',
    'UnoAPI took the message but did not send it: {reason}',
  ],
  WHATSAPP_GARBLED: ['{host} respondeu sem o id de uma mensagem.', '{host} answered without a message id.'],
  WHATSAPP_UNAVAILABLE: [
    'O condomínio {tenantId} não tem conta para perguntar aos moradores por escrito.',
    'Tenant {tenantId} has no account that can write to residents.',
  ],
  WHATSAPP_NOBODY: [
    'Ninguém da unidade {unit} pode ser consultado por escrito.',
    'No resident of unit {unit} can be asked in writing.',
  ],
  TWILIO_REFUSED: ['A Twilio recusou ({number}): {reason}', 'Twilio refused ({number}): {reason}'],
  TWILIO_LIMITED: [
    'A Twilio não aceita mais mensagens agora ({number}).',
    'Twilio accepts no more messages for now ({number}).',
  ],
  TWILIO_GARBLED: ['{host} respondeu sem o id de uma mensagem.', '{host} answered without a message id.'],
  GATE_UNKNOWN: ['{tenant} não tem portão {gate} ativado.', 'Tenant {tenant} has no enabled gate {gate}.'],
  GATE_LATE: ['O comando do portão está {ms} ms atrasado.', 'The command to the gate is {ms} ms too late.'],
  GATE_OFF: ['Portões por AMQP precisam de AMQP_URL.', 'Gates over AMQP need AMQP_URL.'],
  GATE_UNREACHABLE: [
    'O RabbitMQ não aceitou o comando do portão: {reason}',
    'RabbitMQ did not take the command for the gate: {reason}',
  ],
  GATE_UNROUTABLE: [
    'Nenhuma fila está ligada ao exchange {exchange} com a chave {routingKey}.',
    'No queue is bound to exchange {exchange} with the key {routingKey}.',
  ],
  MESSAGE_INVALID: ['A mensagem tem um problema: {problem}', 'The message is invalid: {problem}'],
  MESSAGE_UNKNOWN: ['A mensagem {messageId} não existe.', 'There is no message {messageId}.'],
  MESSAGE_STATE: [
    'A mensagem {messageId} {status}; isso não é mais possível.',
    'Message {messageId} {status}; this is not possible any more.',
    { status: MESSAGE_STATES },
  ],
  MESSAGE_TIMEOUT: ['A tentativa levou mais de {ms} ms.', 'The attempt took longer than {ms} ms.'],
  MESSAGE_EXPIRED: [
    'O prazo da mensagem passou antes do envio.',
    'The message expired before it could be sent.',
  ],
  MESSAGE_UNCERTAIN: [
    'O processo terminou durante a tentativa, e quem recebe por {channel} não reconhece uma mensagem repetida.',
    'The worker ended during the attempt, and {channel} does not detect duplicates.',
    { channel: CHANNELS },
  ],
  MESSAGE_BOUNCED: [
    'O provedor não conseguiu entregar: {reason}',
    'The provider could not deliver it: {reason}',
  ],
  CHANNEL_UNAVAILABLE: [
    'Não há como enviar por {channel} nesta configuração.',
    'Channel {channel} is not configured.',
    { channel: CHANNELS },
  ],
}

/** The service gives no details to a client that is not logged in. */
const WITHHELD = ['O serviço não consegue fazer isso agora.', 'The service cannot do this at the moment.']

/**
 * The sentence for an error. For the code of another version, or an error that an older version stored without details, it is
 * the service's own text.
 * @param {'pt-BR' | 'en'} locale
 * @param {{ code?: string | undefined, message?: string | null | undefined, details?: Details | null | undefined }} error
 * @returns {string}
 */
export function sentenceIn(locale, { code, message, details }) {
  const language = locale === 'en' ? 1 : 0
  const reason = code === undefined ? undefined : REASONS[code]
  if (!reason) return message ?? ''
  const facts = details ?? {}
  const words = reason[2] ?? {}
  const sentence = reason[language]
  let isWhole = true
  const text = (typeof sentence === 'string' ? sentence : sentence(facts)).replace(
    /\{(\w+)\}/g,
    (_, /** @type {string} */ name) => {
      const fact = facts[name]
      if (fact === undefined || fact === null) isWhole = false
      return words[name]?.[String(fact)]?.[language] ?? String(fact)
    },
  )
  if (isWhole) return text
  return details ? (WITHHELD[language] ?? '') : (message ?? '')
}

/**
 * Why an endpoint is disabled.
 * @param {'pt-BR' | 'en'} locale
 * @param {string} reason
 */
export function disabledIn(locale, reason) {
  return DISABLED[reason]?.[locale === 'en' ? 1 : 0] ?? reason
}
