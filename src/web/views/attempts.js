import { html } from '../lib.js'
import { now } from '../live/clock.js'
import { Icon, Mark } from '../parts/icons.js'
import { lasted, moment, outcomeOf, tr } from '../words.js'

/** @typedef {import('../live/call-fold.js').TriedAttempt} Tried */
/** @typedef {{ name: string | null, number: string | null }} Person */

/**
 * The attempts to reach a resident in order, each with its result.
 * @param {{ attempts: Tried[], people: Map<string, Person> }} props `people`: by the id of an attempt
 */
export function Attempts({ attempts, people }) {
  if (attempts.length === 0) return null
  return html`<section class="panel attempts" aria-labelledby="attempts-title">
    <h2 id="attempts-title">${tr('Tentativas', 'Attempts')} <span class="number">${attempts.length}</span></h2>
    <ol>
      ${attempts.map((attempt) => html`<${Attempt} key=${attempt.id} attempt=${attempt} person=${people.get(attempt.id)} />`)}
    </ol>
  </section>`
}

/** @param {{ attempt: Tried, person: Person | undefined }} props */
function Attempt({ attempt, person }) {
  const { kind, beganAt, end } = attempt
  return html`<li class="attempt ${end === null ? 'open' : ''}" data-attempt=${attempt.id}>
    <time datetime=${beganAt}>${moment(beganAt)}</time>
    <span class="whom">
      <${Icon} name=${kind === 'whatsapp' ? 'talk' : 'phone'} />
      <b>${whomOf(kind, person)}</b>
      ${person?.number && html`<span class="number">${person.number}</span>`}
      ${manner(kind) && html`<small>${manner(kind)}</small>`}
    </span>
    <${Mark} ...${markOf(attempt)} />
    <small class="lengths">${lengthsOf(attempt).join(' · ')}</small>
  </li>`
}

/**
 * @param {Tried['kind']} kind
 * @param {Person | undefined} person
 */
function whomOf(kind, person) {
  if (kind === 'operator') return tr('Operador', 'Operator')
  if (kind === 'whatsapp') return tr('Moradores, por WhatsApp', 'Residents, on WhatsApp')
  return person?.name ?? tr('Morador', 'Resident')
}

/** @param {Tried['kind']} kind */
function manner(kind) {
  if (kind === 'call') return tr('um por vez', 'one after the other')
  if (kind === 'together') return tr('ao mesmo tempo', 'all at once')
  return ''
}

/**
 * How far an attempt is, or why it is over.
 * @param {Tried} attempt
 * @returns {import('../words.js').Mark}
 */
function markOf({ kind, progress, end, verdict }) {
  const isWritten = kind === 'whatsapp'
  if (end === null) {
    /** @type {import('../words.js').Marks} */
    const open = {
      calling: [
        isWritten ? tr('enviando a pergunta', 'sending the question') : tr('chamando', 'calling'),
        isWritten ? 'talk' : 'ring',
        'busy',
      ],
      ringing: [tr('tocando', 'ringing'), 'ring', 'busy'],
      answered: [tr('atendeu', 'answered'), 'ask', 'busy'],
      proving: [
        tr('atendeu; verificando se é uma pessoa', 'answered; making sure it is a person'),
        'ask',
        'busy',
      ],
      consulting: [tr('ouve quem está no portão', 'hears who is at the gate'), 'ask', 'busy'],
      talking: [tr('fala com o visitante', 'talks with the visitor'), 'talking', 'busy'],
      releasing: [tr('não decidiu; ouve a despedida', 'did not decide; hears the goodbye'), 'ask', 'busy'],
      asked: [
        tr('pergunta enviada; aguardando resposta', 'question sent; waiting for a reply'),
        'ask',
        'busy',
      ],
    }
    return marked(open[progress])
  }
  if (end === 'decided') {
    const { word, shape, tone } = outcomeOf(verdict)
    return { word: `${tr('decidiu', 'decided')}: ${word.toLowerCase()}`, shape, tone }
  }
  /** @type {import('../words.js').Marks} */
  const over = {
    unanswered: [
      isWritten ? tr('ninguém respondeu', 'nobody replied') : tr('não atendeu', 'did not answer'),
      'missed',
      'warn',
    ],
    busy: [tr('estava ocupado', 'was busy'), 'pause', 'warn'],
    declined: [tr('recusou a ligação', 'declined the call'), 'cross', 'warn'],
    unallocated: [tr('o número não existe', 'the number does not exist'), 'warning', 'bad'],
    congested: [tr('a rede estava congestionada', 'the network was congested'), 'warning', 'warn'],
    failed: [tr('a ligação não pôde ser feita', 'the call could not be placed'), 'warning', 'bad'],
    hopeless: [tr('o serviço de ligações falhou', 'the way to place calls has failed'), 'warning', 'bad'],
    unasked: [tr('não foi possível perguntar', 'could not be asked'), 'warning', 'bad'],
    machine: [tr('caiu na caixa postal', 'a mailbox answered'), 'block', 'warn'],
    silent: [tr('atendeu e ficou em silêncio', 'answered and stayed silent'), 'pause', 'warn'],
    undecided: [
      progress === 'talking'
        ? tr('falou com o visitante e não decidiu', 'talked with the visitor and did not decide')
        : tr('ouviu e não decidiu', 'listened and did not decide'),
      'ask',
      'warn',
    ],
    left: [leftAt(progress), 'left', 'warn'],
    lost: [
      tr('a linha caiu com o processo; chamado de novo', 'the line was lost with its process; called again'),
      'warning',
      'warn',
    ],
    concluded: [tr('a visita terminou durante a ligação', 'the visit ended during the call'), 'left', 'calm'],
    elsewhere: [
      tr('parou de tocar: outro atendeu', 'stopped ringing: somebody else answered'),
      'dot',
      'calm',
    ],
    cancelled: [tr('parou de tocar: a busca acabou', 'stopped ringing: the search was over'), 'dot', 'calm'],
  }
  return marked(over[end] ?? [end, 'dot', 'calm'])
}

/** @param {[word: string, shape: string, tone: string] | undefined} known */
function marked([word, shape, tone] = ['', 'dot', 'calm']) {
  return { word, shape, tone }
}

/** @param {Tried['progress']} progress */
function leftAt(progress) {
  if (progress === 'talking')
    return tr('falou com o visitante e desligou', 'talked with the visitor and hung up')
  if (progress === 'consulting' || progress === 'releasing')
    return tr('desligou sem decidir', 'hung up without deciding')
  return tr('atendeu e desligou logo', 'answered and hung up at once')
}

/**
 * How long it rang and was on the line.
 * @param {Tried} attempt
 */
function lengthsOf({ kind, progress, beganAt, rangAt, answeredAt, endedAt }) {
  const until = endedAt ? Date.parse(endedAt) : now.value
  /** @param {string} from @param {number} to */
  const length = (from, to) => lasted(to - Date.parse(from))
  if (kind === 'whatsapp')
    return progress === 'asked' ? [`${tr('esperou', 'waited')} ${length(beganAt, until)}`] : []
  const answered = answeredAt ? Date.parse(answeredAt) : until
  return [
    rangAt
      ? `${tr('tocou', 'rang')} ${length(rangAt, answered)}`
      : `${tr('chamou', 'called')} ${length(beganAt, answered)}`,
    ...(answeredAt ? [`${tr('na linha', 'on the line')} ${length(answeredAt, until)}`] : []),
  ]
}
