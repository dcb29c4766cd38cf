import { health } from '../health.js'
import { computed, html } from '../lib.js'
import { connection } from '../live.js'
import { amount, moment, tr } from '../words.js'

/** Frames since the start, 100 s of sound on one line, before how late they were says anything. */
const ENOUGH_FRAMES = 5000
/** ms of lateness at p99 that a jitter buffer still hides, and from which callers hear it. */
const LATE_MS = 20
const GAPS_MS = 60

/** Every part the service depends on: `{ title, lack, state, facts }`, `lack` as readiness names it; empty while the service has not answered. */
export function dependencies() {
  const { status, dead } = health.value
  if (!status || status.error) return []
  const { audiosocket, frameLateness, journal, broker, speech } = status
  const lateness = frameLateness?.count >= ENOUGH_FRAMES ? frameLateness.p99 : 0
  const refused = Object.entries(audiosocket?.refused ?? {}).filter(([, number]) => number > 0)
  // a key of one tenant, or a node without calls, is told less: what is not known is not shown
  return [
    {
      title: tr('Serviço', 'Service'),
      lack: 'not running',
      state: status.status === 'running' ? fine(tr('no ar', 'up')) : bad(tr('encerrando', 'shutting down')),
      facts: [
        [tr('Nó', 'Node'), status.node],
        [tr('Desde', 'Since'), status.startedAt && moment(status.startedAt)],
        [
          tr('Chamadas', 'Calls'),
          status.calls !== undefined &&
            [status.calls, status.maxCalls]
              .filter((number) => number !== undefined)
              .map(amount)
              .join(' / '),
        ],
        [tr('Linhas', 'Legs'), status.legs],
        [
          tr('Esta página', 'This page'),
          connection.value === 'open' ? tr('ao vivo', 'live') : tr('sem conexão', 'not connected'),
        ],
      ],
    },
    journal && {
      title: 'Postgres',
      state:
        journal?.lost > 0
          ? bad(tr('perdeu eventos', 'lost events'))
          : journal?.waiting > 1000
            ? careful(tr('atrasado', 'behind'))
            : fine(tr('escrevendo', 'writing')),
      facts: [
        [
          tr('Banco', 'Database'),
          status.database === 'embedded' ? tr('embutido', 'embedded') : tr('externo', 'external'),
        ],
        [tr('Eventos à espera', 'Events waiting'), amount(journal?.waiting ?? 0)],
        [tr('Eventos perdidos', 'Events lost'), amount(journal?.lost ?? 0)],
      ],
    },
    audiosocket && {
      title: 'AudioSocket',
      state:
        refused.length > 0
          ? careful(tr('recusou conexões', 'refused connections'))
          : fine(tr('escutando', 'listening')),
      facts: [
        [tr('Conexões', 'Connections'), amount(audiosocket?.open ?? 0)],
        [tr('Se apresentando', 'Introducing themselves'), amount(audiosocket?.handshaking ?? 0)],
        ...refused.map(([code, number]) => [html`<code>${code}</code>`, amount(number)]),
      ],
    },
    frameLateness && {
      title: tr('Som', 'Sound'),
      state:
        lateness > GAPS_MS
          ? bad(tr('com falhas', 'breaking up'))
          : lateness > LATE_MS
            ? careful(tr('atrasa', 'late'))
            : fine(tr('no tempo', 'on time')),
      facts: [
        [tr('Atraso p50', 'Lateness p50'), milliseconds(frameLateness?.p50)],
        [tr('Atraso p99', 'Lateness p99'), milliseconds(frameLateness?.p99)],
        [tr('Maior atraso', 'Latest'), milliseconds(frameLateness?.max)],
      ],
    },
    status.clickToCall && {
      title: tr('Tocar o morador', 'Ringing residents'),
      lack: 'broker',
      state: broker
        ? broker.state === 'open'
          ? fine(tr('conectado', 'connected'))
          : bad(broker.state)
        : status.clickToCall === 'off'
          ? careful(tr('desligado', 'off'))
          : fine(status.clickToCall),
      facts: [
        ['CLICKTOCALL', status.clickToCall],
        ['RabbitMQ', broker ? broker.state : broker === null ? tr('não usado', 'not used') : undefined],
        [tr('Quedas', 'Losses'), broker?.losses],
      ],
    },
    speech && {
      title: tr('Voz', 'Speech'),
      state: speechState(speech),
      facts: [
        ['TTS', speech?.tts?.provider],
        ['STT', speech?.stt?.provider],
      ],
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
  ].filter(Boolean)
}

function speechState(speech) {
  const paused = [speech?.tts, speech?.stt].some((one) => one?.paused || one?.breaker === 'open')
  if (paused) return careful(tr('em pausa', 'paused'))
  const used = [speech?.tts, speech?.stt].some((one) => one?.provider && one.provider !== 'none')
  return used
    ? fine(tr('pronta', 'ready'))
    : { word: tr('só teclas', 'keys only'), shape: 'dot', tone: 'calm' }
}

/** Everything that somebody should look at, worst first: `{ tone, text, to, ask }`, `ask` what the link of a list says instead. What is merely not in use is not among it. */
export const problems = computed(() => {
  const { ready, dead, status } = health.value
  const lacks = ready?.lacks ?? []
  const found = lacks.map((lack) => ({
    tone: 'bad',
    text: `${tr('Não pronto', 'Not ready')}: ${lack}`,
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
    const told = lack !== undefined && lacks.some((one) => one.startsWith(lack))
    if (state.tone === 'bad' && !told)
      found.push({ tone: 'bad', text: `${title}: ${state.word}`, to: '#/health' })
  }
  if (dead?.items?.length > 0)
    found.push({
      tone: 'warn',
      text: tr('Há mensagens que falharam', 'Some messages have failed'),
      to: '#/queue',
      ask: tr('Ler as mensagens mortas e reenviá-las', 'Read the dead letters and redrive them'),
    })
  return found
})

const fine = (word) => ({ word, shape: 'check', tone: 'ok' })
const careful = (word) => ({ word, shape: 'warning', tone: 'warn' })
const bad = (word) => ({ word, shape: 'cross', tone: 'bad' })

function milliseconds(value) {
  return value === undefined || value === null ? undefined : `${amount(Math.round(value * 10) / 10)} ms`
}
