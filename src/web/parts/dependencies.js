import { health } from '../health.js'
import { computed, html } from '../lib.js'
import { connection } from '../live/feed.js'
import { amount, brokerState, lackOf, moment, tr } from '../words.js'

/** @typedef {import('../health.js').Process} Process */
/** @typedef {import('../health.js').Status} Status */
/** @typedef {import('../lib.js').Part} Part */
/** @typedef {[name: Part, value: Part]} Fact */
/** @typedef {{ title: string, lack?: string, state: import('../words.js').Mark, facts: Fact[] }} Dependency */
/** @typedef {false | 0 | '' | null | undefined} Absent */

/** Frames since the start, 100 s of sound on one line, before how late they were says anything. */
const ENOUGH_FRAMES = 5000
/** ms of lateness at p99 that a jitter buffer still hides, and from which callers hear it. */
const LATE_MS = 20
const GAPS_MS = 60

/**
 * Every part the service depends on: `{ title, lack, state, facts }`, `lack` as readiness names it; empty while the service has not answered.
 * @returns {Dependency[]}
 */
export function dependencies() {
  const { status, dead } = health.value
  if (!status || status.error) return []
  const voices = callTakers(status)
  /** @type {(Dependency | Absent)[]} */
  const parts = [
    {
      title: tr('Serviço', 'Service'),
      lack: 'not running',
      state: status.status === 'running' ? fine(tr('no ar', 'up')) : bad(tr('encerrando', 'shutting down')),
      facts: [
        [tr('Nó', 'Node'), status.node],
        ...lifeOf(status),
        [
          tr('Esta página', 'This page'),
          connection.value === 'open' ? tr('ao vivo', 'live') : tr('sem conexão', 'not connected'),
        ],
      ],
    },
    ...(status.nodes ?? []).filter(({ isThis }) => !isThis).map(processPart),
    ...voices.flatMap((voice) => partsOf(voice, voices.length > 1 ? ` · ${voice.node}` : '')),
    status.nodes &&
      voices.length === 0 && {
        title: tr('Chamadas', 'Calls'),
        state: bad(tr('nenhum processo as recebe', 'no process takes them')),
        facts: [[tr('Solução', 'Fix'), html`<code>porteiro serve --role voice</code>`]],
      },
    {
      title: tr('Mensagens', 'Messages'),
      state: !dead?.items
        ? { word: tr('sem fila neste nó', 'no queue on this node'), shape: 'dot', tone: 'calm' }
        : dead.items.length > 0
          ? careful(tr('há falhas', 'some failed'))
          : fine(tr('nada falhou', 'nothing failed')),
      facts: [[tr('Fila', 'Queue'), html`<a href="#/queue">${tr('ver', 'see it')}</a>`]],
    },
  ]
  return parts.filter((part) => typeof part === 'object' && part !== null)
}

/**
 * The processes that take calls: this one as of now, the others as of their last heartbeat. A key of one tenant sees this one only.
 * @param {Status} status
 * @returns {Process[]}
 */
function callTakers(status) {
  const others = (status.nodes ?? []).filter(
    ({ isThis, isSilent, roles }) => !isThis && !isSilent && roles?.includes('voice'),
  )
  return status.roles === undefined || status.roles.includes('voice') ? [status, ...others] : others
}

/**
 * How long a process has run, and its part in calls.
 * @param {Process} process
 * @returns {Fact[]}
 */
function lifeOf({ startedAt, calls, maxCalls, legs }) {
  return [
    [tr('Desde', 'Since'), startedAt && moment(startedAt)],
    [
      tr('Chamadas', 'Calls'),
      calls !== undefined &&
        [calls, maxCalls]
          .filter((number) => number !== undefined)
          .map(amount)
          .join(' / '),
    ],
    [tr('Linhas', 'Legs'), legs],
  ]
}

/**
 * Another process on the same database, as of its last heartbeat.
 * @param {Process} node
 * @returns {Dependency}
 */
function processPart(node) {
  const [lack] = node.lacks ?? []
  if (node.isSilent)
    return {
      title: `${tr('Processo', 'Process')} ${node.node}`,
      state: careful(tr('sem sinal', 'no heartbeat')),
      facts: [
        [tr('Papéis', 'Roles'), node.roles?.join(', ')],
        [tr('Último sinal', 'Last seen'), node.seenAt && moment(node.seenAt)],
        [tr('Desde', 'Since'), node.startedAt && moment(node.startedAt)],
      ],
    }
  return {
    title: `${tr('Processo', 'Process')} ${node.node}`,
    // the dependency that it lacks is shown as bad already
    state: lack
      ? careful(lackOf(lack))
      : node.status === undefined
        ? careful(tr('iniciando', 'starting'))
        : node.status === 'running'
          ? fine(tr('no ar', 'up'))
          : careful(tr('encerrando', 'shutting down')),
    facts: [
      [tr('Papéis', 'Roles'), node.roles?.join(', ')],
      [tr('Visto por último', 'Last seen'), node.seenAt && moment(node.seenAt)],
      ...lifeOf(node),
    ],
  }
}

/**
 * The dependencies of a process that takes calls; those that it does not report are not shown.
 * @param {Process} voice
 * @param {string} of
 * @returns {(Dependency | Absent)[]}
 */
function partsOf({ audiosocket, frameLateness, journal, broker, speech, database, clickToCall }, of) {
  const lateness = frameLateness && frameLateness.count >= ENOUGH_FRAMES ? (frameLateness.p99 ?? 0) : 0
  const refused = Object.entries(audiosocket?.refused ?? {}).filter(([, number]) => number > 0)
  return [
    journal && {
      title: `Postgres${of}`,
      state:
        journal.lost > 0
          ? bad(tr('perdeu eventos', 'lost events'))
          : journal.waiting > 1000
            ? careful(tr('atrasado', 'behind'))
            : fine(tr('escrevendo', 'writing')),
      facts: [
        [
          tr('Banco', 'Database'),
          database === 'embedded' ? tr('embutido', 'embedded') : tr('externo', 'external'),
        ],
        [tr('Eventos em espera', 'Events waiting'), amount(journal.waiting ?? 0)],
        [tr('Eventos perdidos', 'Events lost'), amount(journal.lost ?? 0)],
      ],
    },
    audiosocket && {
      title: `AudioSocket${of}`,
      state:
        refused.length > 0
          ? careful(tr('recusou conexões', 'refused connections'))
          : fine(tr('escutando', 'listening')),
      facts: [
        [tr('Conexões', 'Connections'), amount(audiosocket.open ?? 0)],
        [tr('Conectando', 'Connecting'), amount(audiosocket.handshaking ?? 0)],
        ...refused.map(
          ([code, number]) => /** @type {Fact} */ ([html`<code>${code}</code>`, amount(number)]),
        ),
      ],
    },
    frameLateness && {
      title: tr('Som', 'Sound') + of,
      state:
        lateness > GAPS_MS
          ? bad(tr('com falhas', 'breaking up'))
          : lateness > LATE_MS
            ? careful(tr('atrasado', 'late'))
            : fine(tr('em dia', 'on time')),
      facts: [
        [tr('Atraso p50', 'Lateness p50'), milliseconds(frameLateness.p50)],
        [tr('Atraso p99', 'Lateness p99'), milliseconds(frameLateness.p99)],
        [tr('Maior atraso', 'Worst'), milliseconds(frameLateness.max)],
      ],
    },
    clickToCall && {
      title: tr('Chamar o morador', 'Calling residents') + of,
      lack: 'broker',
      state: broker
        ? broker.state === 'open'
          ? fine(tr('conectado', 'connected'))
          : bad(brokerState(broker.state))
        : clickToCall === 'off'
          ? careful(tr('desligado', 'off'))
          : fine(clickToCall),
      facts: [
        ['CLICKTOCALL', clickToCall],
        [
          'RabbitMQ',
          broker ? brokerState(broker.state) : broker === null ? tr('não usado', 'not used') : undefined,
        ],
        [tr('Quedas', 'Losses'), broker?.losses],
      ],
    },
    speech && {
      title: tr('Voz', 'Speech') + of,
      state: speechState(speech),
      facts: [
        ['TTS', speech.tts?.provider],
        ['STT', speech.stt?.provider],
      ],
    },
  ]
}

/** @param {Process['speech']} speech */
function speechState(speech) {
  const paused = [speech?.tts, speech?.stt].some((one) => one?.paused || one?.breaker === 'open')
  if (paused) return careful(tr('em pausa', 'paused'))
  const used = [speech?.tts, speech?.stt].some((one) => one?.provider && one.provider !== 'none')
  return used
    ? fine(tr('pronta', 'ready'))
    : { word: tr('só teclas', 'keys only'), shape: 'dot', tone: 'calm' }
}

/** Everything that needs attention, worst first: `{ tone, text, to, ask }`, `ask` the text of the link in a list. Parts that are merely not in use are not listed. */
export const problems = computed(() => {
  const { ready, dead, status } = health.value
  const lacks = ready?.lacks ?? []
  /** @type {{ tone: string, text: string, to: string, ask?: string }[]} */
  const found = lacks.map((lack) => ({
    tone: 'bad',
    text: `${tr('Não está pronto', 'Not ready')}: ${lackOf(lack)}`,
    to: '#/health',
  }))
  if (connection.value === 'lost')
    found.unshift({
      tone: 'bad',
      text: tr('Sem conexão com o serviço', 'No connection to the service'),
      to: '#/health',
    })
  if (status?.error)
    found.push({
      tone: 'bad',
      text: tr('O serviço não diz como está', 'The service does not say how it is'),
      to: '#/health',
    })
  for (const { title, state, lack } of dependencies()) {
    const isShown = lack !== undefined && lacks.some((one) => one.startsWith(lack))
    if (state.tone === 'bad' && !isShown)
      found.push({ tone: 'bad', text: `${title}: ${state.word}`, to: '#/health' })
  }
  if ((dead?.items?.length ?? 0) > 0)
    found.push({
      tone: 'warn',
      text: tr('Há mensagens que falharam', 'Some messages have failed'),
      to: '#/queue',
      ask: tr('Ver as mensagens não entregues e reenviá-las', 'See the dead letters and redrive them'),
    })
  return found
})

/** @param {string} word */
const fine = (word) => ({ word, shape: 'check', tone: 'ok' })
/** @param {string} word */
const careful = (word) => ({ word, shape: 'warning', tone: 'warn' })
/** @param {string} word */
const bad = (word) => ({ word, shape: 'cross', tone: 'bad' })

/** @param {number | null | undefined} value */
function milliseconds(value) {
  return value === undefined || value === null ? undefined : `${amount(Math.round(value * 10) / 10)} ms`
}
