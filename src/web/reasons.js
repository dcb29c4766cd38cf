/** Why a delivery failed, by code: the English message, also as older versions stored it, and the Portuguese one. */
const KNOWN = {
  DELIVERY_TIMEOUT: [/^(.+) did not answer within (\d+) ms\.$/, '$1 não respondeu em $2 ms.'],
  DELIVERY_DNS: [/^(.+) has no address: (.*)$/, '$1 não tem endereço: $2'],
  DELIVERY_TLS: [
    /^(.+) (?:offers no trusted TLS|has no TLS that can be trusted): (.*)$/,
    '$1 não tem TLS confiável: $2',
  ],
  DELIVERY_RESET: [/^The connection to (.+) failed: (.*)$/, 'A conexão com $1 falhou: $2'],
  DELIVERY_STATUS: [/^(.+) answered with status (\d+)\.$/, '$1 respondeu com o status $2.'],
  DELIVERY_REDIRECT: [
    /^(.+) sent (?:a redirect that is not followed|us elsewhere, where we do not go): (.*)$/,
    '$1 redirecionou para outro lugar: $2',
  ],
  DELIVERY_CANCELLED: [
    /^The (?:attempt was cancelled|try was given up) before (.+) answered\.$/,
    'A tentativa foi abandonada antes de $1 responder.',
  ],
  EGRESS_REFUSED: [
    /^(.+?)(?: leads to (.+), which)? is not public and not in EGRESS_ALLOW\.$/,
    (_, host, address) =>
      `${host}${address ? ` leva a ${address}, que` : ''} não é público nem está em EGRESS_ALLOW.`,
  ],
  EGRESS_URL: [/^This URL cannot be used: (.*)$/, 'Este endereço não pode ser usado: $1'],
  ENDPOINT_UNKNOWN: [/^There is no endpoint (.+)\.$/, 'O destino $1 não existe.'],
  ENDPOINT_DISABLED: [
    /^Endpoint (.+) is disabled: (.*)$/,
    (_, id, why) => `O destino ${id} está desligado: ${disabledInPortuguese(why)}`,
  ],
  ENDPOINT_PAUSED: [
    /^Endpoint (.+) failed (\d+) times in a row and is (?:paused|left alone) for (\d+) s\.$/,
    'O destino $1 falhou $2 vezes seguidas e fica em paz por $3 s.',
  ],
  INSTANCE_UNKNOWN: [/^Tenant (.+) has no (.+) account "(.*)"\.$/, '$1 não tem conta "$3" de $2.'],
  INSTANCE_INVALID: [
    /^The (.+) account "(.*)" of (.+) is (?:invalid|not in order): (.*)$/,
    'A conta "$2" de $1 de $3 não está em ordem: $4',
  ],
  CONTENT_INVALID: [/^The channel (.+) cannot send this: (.*)$/, 'O canal $1 não consegue enviar isto: $2'],
  WHATSAPP_REFUSED: [/^WhatsApp refused \((.+?)\): (.*)$/, 'O WhatsApp recusou ($1): $2'],
  WHATSAPP_LIMITED: [
    /^WhatsApp (?:accepts no more messages for|takes no more just) now \((.+)\)\.$/,
    'O WhatsApp não aceita mais agora ($1).',
  ],
  WHATSAPP_WINDOW: [
    /^The person (?:last )?wrote more than a day ago, and (?:no template is configured|there is no template) \((.+)\)\.$/,
    'A pessoa escreveu há mais de um dia, e não há modelo ($1).',
  ],
  WHATSAPP_WARNED: [
    /^UnoAPI took the message (?:but|and) did not send it: (.*)$/,
    'A UnoAPI aceitou a mensagem e não a enviou: $1',
  ],
  WHATSAPP_GARBLED: [
    /^(.+) (?:answered without a message id|gave an answer without the id of a message)\.$/,
    '$1 respondeu sem a identificação de uma mensagem.',
  ],
  TWILIO_GARBLED: [
    /^(.+) (?:answered without a message id|gave an answer without the id of a message)\.$/,
    '$1 respondeu sem a identificação de uma mensagem.',
  ],
  TWILIO_REFUSED: [/^Twilio refused \((.+?)\): (.*)$/, 'A Twilio recusou ($1): $2'],
  TWILIO_LIMITED: [
    /^Twilio (?:accepts no more messages for|takes no more just) now \((.+)\)\.$/,
    'A Twilio não aceita mais agora ($1).',
  ],
  GATE_UNKNOWN: [
    /^Tenant (.+) has no (?:enabled )?gate (.+?)(?: that is enabled)?\.$/,
    '$1 não tem portão $2 ligado.',
  ],
  GATE_LATE: [
    /^The command for call (.+) is (\d+) ms too (?:late|old)\.$/,
    'O comando da chamada $1 chegou $2 ms tarde demais.',
  ],
  GATE_OFF: [/^Gates over AMQP need AMQP_URL\.$/, 'Portões por AMQP precisam de AMQP_URL.'],
  GATE_UNREACHABLE: [
    /^RabbitMQ did not take the command for the gate: (.*)$/,
    'O RabbitMQ não aceitou o comando do portão: $1',
  ],
  GATE_UNROUTABLE: [
    /^No queue is bound to exchange (.+) with the key (.+)\.$/,
    'Nenhuma fila está ligada ao exchange $1 com a chave $2.',
  ],
  MEDIA_ABSENT: [
    /^The recording (.+) of call (.+) is not (?:here|on this machine)\.$/,
    'A gravação $1 da chamada $2 não está aqui.',
  ],
  MEDIA_UNSUPPORTED: [
    /^(.+) (?:cannot send the recording|takes no recording from here): (.*)$/,
    '$1 não aceita gravações daqui: $2',
  ],
  MESSAGE_INVALID: [/^The message is (?:invalid|not in order): (.*)$/, 'A mensagem não está em ordem: $1'],
  MESSAGE_UNKNOWN: [/^There is no message (.+)\.$/, 'A mensagem $1 não existe.'],
  MESSAGE_STATE: [/^Message (.+) .+; it cannot be .+\.$/, 'A mensagem $1 já mudou de estado.'],
  MESSAGE_EXPIRED: [
    /^The (?:message expired|time of the message passed) before it could be sent\.$/,
    'O prazo da mensagem passou antes que ela saísse.',
  ],
  MESSAGE_UNCERTAIN: [
    /^The worker ended during the (?:attempt|try), and (.+) does not (?:detect|recognise) .+\.$/,
    'O processo terminou durante a tentativa, e $1 não reconhece uma mensagem repetida.',
  ],
  MESSAGE_BOUNCED: [/^The provider could not deliver it: (.*)$/, 'O provedor não conseguiu entregar: $1'],
  CHANNEL_UNAVAILABLE: [
    /^(?:Channel|No way to send by) (.+) is (?:not )?configured\.$/,
    'Não há como enviar por $1 nesta configuração.',
  ],
  MESSAGE_TIMEOUT: [/^The (?:attempt|try) took longer than (\d+) ms\.$/, 'A tentativa levou mais de $1 ms.'],
}

/** The same for errors of the API. */
const REFUSED = {
  DATABASE_UNREACHABLE: [/^Postgres cannot be reached: (.*)$/, 'O Postgres não pode ser alcançado: $1'],
  SPEECH_OFF: [/^No provider is configured \((.+)\)\.$/, 'Nenhum provedor configurado ($1).'],
  CALL_UNKNOWN: [/^There is no call (.+)\.$/, 'A chamada $1 não existe.'],
  CALL_ENDED: [/^Call (.+) has ended\.$/, 'A chamada $1 terminou.'],
  CALL_DECIDED: [/^Call (.+) has already been decided: .+\.$/, 'A chamada $1 já foi decidida.'],
  CALL_ELSEWHERE_SILENT: [/^Node (.+) did not answer\.$/, 'O nó $1 não respondeu.'],
  LEG_ABSENT: [/^Call (.+) has no .+ leg\.$/, 'Na chamada $1 esse lado não está na linha.'],
  RECORDING_UNKNOWN: [/^Call (.+) has no recording "(.*)"\.$/, 'A chamada $1 não tem a gravação "$2".'],
  CHART_FAILED: [/^A chart could not be drawn: (.*)$/, 'Um diagrama não pôde ser desenhado: $1'],
  KEY_MISSING: [/^Send the API key as .+$/, 'Falta a chave de acesso.'],
  KEY_INVALID: [/^This API key is unknown or has been revoked\.$/, 'Esta chave não existe ou foi revogada.'],
  KEY_SCOPE: [/^This API key lacks the scope (.+)\.$/, 'Falta a esta chave o escopo $1.'],
  KEY_TENANT: [
    /^This API key is bound to one tenant; this needs a key for all tenants\.$/,
    'Esta chave é de um só condomínio; isto precisa de uma chave de todos.',
  ],
  KEY_UNKNOWN: [/^There is no API key (.+)\.$/, 'A chave $1 não existe.'],
  AUTH_RATE_LIMITED: [
    /^Too many wrong API keys came from this address; wait (\d+) s\.$/,
    'Chaves erradas demais vieram deste endereço; espere $1 s.',
  ],
  AUTH_UNAVAILABLE: [
    /^API keys cannot be checked at the moment; try again\.$/,
    'As chaves não podem ser conferidas agora; tente de novo.',
  ],
  BODY_INVALID: [/^The request does not have the expected form\.$/, 'O pedido não tem a forma esperada.'],
  BODY_NOT_JSON: [/^The body is not JSON\.$/, 'O conteúdo não é JSON.'],
  BODY_TOO_LARGE: [/^The body is larger than (\d+) bytes\.$/, 'O conteúdo passa de $1 bytes.'],
  SHUTTING_DOWN: [
    /^The service is shutting down and takes no new calls\.$/,
    'O serviço está encerrando e não recebe mais chamadas.',
  ],
  BUG: [/^Something went wrong inside Porteiro\.$/, 'Algo deu errado dentro do Porteiro.'],
  DIRECTORY_INVALID: [
    /^The directory file has (\d+) problems?; nothing was loaded\.$/,
    'O arquivo tem $1 problema(s); nada foi carregado.',
  ],
  TENANT_UNKNOWN: [/^There is no tenant "(.*)"\.$/, 'O condomínio "$1" não existe.'],
  TENANT_TAKEN: [/^Tenant "(.*)" already exists\.$/, 'Já existe o condomínio "$1".'],
  TENANT_MAIN: [
    /^The main tenant "(.*)" cannot be deleted\.$/,
    'O condomínio principal "$1" não pode ser apagado.',
  ],
  UNIT_UNKNOWN: [/^There is no unit (.+)\.$/, 'A unidade $1 não existe.'],
  UNIT_TAKEN: [/^Unit (.+) already exists\.$/, 'Já existe a unidade $1.'],
  RULE_UNKNOWN: [/^There is no rule (.+)\.$/, 'A regra $1 não existe.'],
  EXTENSION_UNKNOWN: [/^There is no extension "(.*)"\.$/, 'O ramal "$1" não existe.'],
  EXTENSION_TAKEN: [
    /^Extension "(.*)", or one of its ports, belongs to another tenant\.$/,
    'O ramal "$1", ou uma porta dele, é de outro condomínio.',
  ],
}

export const REASONS = { ...KNOWN, ...REFUSED }

/** Why endpoints are disabled. */
const DISABLED = {
  'its receiver answered 410': 'o recebedor respondeu 410',
  'by its tenant': 'pelo próprio condomínio',
}

/** A message of the service in Portuguese; an unknown message stays as it is. */
export function inPortuguese(code, message) {
  const [form, words] = REASONS[code] ?? []
  return form ? message.replace(form, words) : message
}

/** Why an endpoint is disabled, in Portuguese. */
export function disabledInPortuguese(reason) {
  return DISABLED[reason] ?? reason
}
