/** The service's own messages in Portuguese, by code: what its English says, and the same with what it names. */
const KNOWN = {
  DELIVERY_TIMEOUT: [/^(.+) did not answer within (\d+) ms\.$/, '$1 não respondeu em $2 ms.'],
  DELIVERY_DNS: [/^(.+) has no address: (.*)$/, '$1 não tem endereço: $2'],
  DELIVERY_TLS: [/^(.+) has no TLS that can be trusted: (.*)$/, '$1 não tem TLS confiável: $2'],
  DELIVERY_RESET: [/^The connection to (.+) failed: (.*)$/, 'A conexão com $1 falhou: $2'],
  DELIVERY_STATUS: [/^(.+) answered with status (\d+)\.$/, '$1 respondeu com o status $2.'],
  DELIVERY_REDIRECT: [
    /^(.+) sent us elsewhere, where we do not go: (.*)$/,
    '$1 redirecionou para outro lugar: $2',
  ],
  DELIVERY_CANCELLED: [
    /^The try was given up before (.+) answered\.$/,
    'A tentativa foi abandonada antes de $1 responder.',
  ],
  EGRESS_REFUSED: [
    /^(.+) leads to (.+), which is not public and not in EGRESS_ALLOW\.$/,
    '$1 leva a $2, que não é público nem está em EGRESS_ALLOW.',
  ],
  ENDPOINT_UNKNOWN: [/^There is no endpoint (.+)\.$/, 'O destino $1 não existe.'],
  ENDPOINT_DISABLED: [
    /^Endpoint (.+) is disabled: (.*)$/,
    (_, id, why) => `O destino ${id} está desligado: ${disabledInPortuguese(why)}`,
  ],
  ENDPOINT_PAUSED: [
    /^Endpoint (.+) failed (\d+) times in a row and is left alone for (\d+) s\.$/,
    'O destino $1 falhou $2 vezes seguidas e fica em paz por $3 s.',
  ],
  INSTANCE_UNKNOWN: [/^Tenant (.+) has no (.+) account "(.*)"\.$/, '$1 não tem conta "$3" de $2.'],
  CONTENT_INVALID: [/^The channel (.+) cannot send this: (.*)$/, 'O canal $1 não consegue enviar isto: $2'],
  WHATSAPP_REFUSED: [/^WhatsApp refused \((.+?)\): (.*)$/, 'O WhatsApp recusou ($1): $2'],
  WHATSAPP_LIMITED: [
    /^WhatsApp takes no more just now \((.+)\)\.$/,
    'O WhatsApp não aceita mais agora ($1).',
  ],
  TWILIO_REFUSED: [/^Twilio refused \((.+?)\): (.*)$/, 'A Twilio recusou ($1): $2'],
  TWILIO_LIMITED: [/^Twilio takes no more just now \((.+)\)\.$/, 'A Twilio não aceita mais agora ($1).'],
  GATE_UNKNOWN: [/^Tenant (.+) has no gate (.+) that is enabled\.$/, '$1 não tem portão $2 ligado.'],
  GATE_LATE: [
    /^The command for call (.+) is (\d+) ms too old\.$/,
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
  MESSAGE_TIMEOUT: [/^The try took longer than (\d+) ms\.$/, 'A tentativa levou mais de $1 ms.'],
}

/** Why endpoints are disabled. */
const DISABLED = {
  'its receiver answered 410': 'o recebedor respondeu 410',
  'by its tenant': 'pelo próprio condomínio',
}

/** A message of the service in Portuguese; what is not known stays as it is. */
export function inPortuguese(code, message) {
  const [form, words] = KNOWN[code] ?? []
  return form ? message.replace(form, words) : message
}

/** Why an endpoint is disabled, in Portuguese. */
export function disabledInPortuguese(reason) {
  return DISABLED[reason] ?? reason
}
