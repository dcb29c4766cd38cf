import { get, urlOf, withQuery } from '../api.js'
import { html } from '../lib.js'
import { useLoad } from '../parts/load.js'
import { Empty, Failure } from '../parts/notice.js'
import { Plot } from '../parts/plot.js'
import { go, route } from '../route.js'
import { amount, channelName, lasted, messageStateOf, moment, outcomeOf, tr } from '../words.js'

/** @typedef {import('../api-types.d.ts').MessageHistory} MessageHistory */
/** @typedef {import('../api-types.d.ts').CallHistory} CallHistory */
/** @typedef {MessageHistory['points'][number] & Partial<CallHistory['points'][number]>} Point */

/** ms between two polls: the service counts each minute. */
const LOOK_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** What is plotted: the most frequent keys; the table has all of them. */
const LINES = 5
/** Lines differ by their dashes too. @type {{ tone: string, dash?: number[] }[]} */
const STYLES = [
  { tone: 'accent' },
  { tone: 'bad', dash: [6, 4] },
  { tone: 'ok', dash: [2, 3] },
  { tone: 'warn', dash: [10, 4] },
  { tone: 'muted', dash: [2, 6] },
]

/** @type {Record<string, { days: number, step: 'hour' | 'day', name: () => string }>} */
const RANGES = {
  day: { days: 1, step: 'hour', name: () => tr('24 horas', '24 hours') },
  week: { days: 7, step: 'hour', name: () => tr('7 dias', '7 days') },
  month: { days: 30, step: 'day', name: () => tr('30 dias', '30 days') },
  year: { days: 365, step: 'day', name: () => tr('1 ano', '1 year') },
}
/** @type {Record<string, Record<string, () => string>>} */
const KINDS = {
  messages: {
    outcome: () => tr('resultado', 'outcome'),
    channel: () => tr('canal', 'channel'),
    tenant: () => tr('condomínio', 'tenant'),
  },
  calls: { outcome: () => tr('resultado', 'outcome'), tenant: () => tr('condomínio', 'tenant') },
}

/** History of messages and calls. What is chosen is in the address, and the counts are the service's: a reload changes nothing. */
export function Analytics() {
  const [askedKind = '', askedRange = '', askedBy = ''] = route.value.rest
  const kind = KINDS[askedKind] ? askedKind : 'messages'
  const range = RANGES[askedRange] ? askedRange : 'month'
  const by = KINDS[kind]?.[askedBy] ? askedBy : 'outcome'
  const { days, step } = /** @type {(typeof RANGES)[string]} */ (RANGES[range])
  const timeZone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const path = () => {
    const to = Date.now()
    const from = new Date(to - days * DAY_MS).toISOString()
    return withQuery(`/api/analytics/${kind}`, { from, to: new Date(to).toISOString(), step, by, timeZone })
  }
  const { value, error, again } = useLoad(() => get(path()), [kind, range, by], LOOK_MS)
  /** @type {MessageHistory | undefined} */
  const history = value && value.by === by && value.step === step ? value : undefined
  /** @param {Record<string, string>} changed */
  const choose = (changed) => {
    const next = { kind, range, by, ...changed }
    go(`#/analytics/${next.kind}/${next.range}/${next.by}`)
  }
  return html`
    <div class="view-head">
      <h1>${tr('Histórico', 'History')}</h1>
      <div class="row">
        ${choice('kind', tr('De', 'Of'), kind, { messages: tr('mensagens', 'messages'), calls: tr('chamadas', 'calls') }, choose)}
        ${choice('range', tr('Período', 'Period'), range, named(RANGES), choose)}
        ${choice('by', tr('Por', 'By'), by, namesOf(kind), choose)}
        <a class="button" href=${urlOf(`${path()}&format=csv`)} download>CSV</a>
      </div>
    </div>
    <div class="stack">
      ${error && !history && html`<section class="panel"><${Failure} error=${error} again=${again} /></section>`}
      ${history && (history.points.length === 0 ? html`<section class="panel"><${Empty} icon="clock" title=${tr('Nada neste período', 'Nothing in this period')}>${tr('As contagens são feitas a cada minuto.', 'Counts are made each minute.')}<//></section>` : html`<${Charts} history=${history} kind=${kind} /><${Totals} points=${history.points} kind=${kind} by=${by} />`)}
      ${history?.countedAt && html`<p class="help">${tr('Contado', 'Counted')} ${moment(history.countedAt)}</p>`}
    </div>
  `
}

/** @param {string} kind */
function namesOf(kind) {
  return Object.fromEntries(Object.entries(KINDS[kind] ?? {}).map(([name, word]) => [name, word()]))
}

/** @param {typeof RANGES} ranges */
function named(ranges) {
  return Object.fromEntries(Object.entries(ranges).map(([name, range]) => [name, range.name()]))
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string} value
 * @param {Record<string, string>} options
 * @param {(changed: Record<string, string>) => void} choose
 */
function choice(name, label, value, options, choose) {
  return html`<label class="row">${label}
    <select style=${{ width: 'auto' }} value=${value} onChange=${(/** @type {{ currentTarget: HTMLSelectElement }} */ event) => choose({ [name]: event.currentTarget.value })}>
      ${Object.entries(options).map(([key, word]) => html`<option value=${key}>${word}</option>`)}
    </select>
  </label>`
}

/** @param {{ history: MessageHistory, kind: string }} props */
function Charts({ history: { from, to, step, points, by }, kind }) {
  const times = timesOf(from, to, step, points)
  const keys = totalsOf(points)
    .slice(0, LINES)
    .map(({ key }) => key)
  const counted = new Map(points.map(({ at, key, count }) => [`${Date.parse(at)} ${key}`, count]))
  const lines = keys.map((key, place) => ({
    label: nameOf(kind, by, key),
    values: times.map((time) => counted.get(`${time * 1000} ${key}`) ?? 0),
    .../** @type {(typeof STYLES)[number]} */ (STYLES[place]),
  }))
  const speed = speedOf(/** @type {Point[]} */ (points), kind, times)
  const isDaily = step === 'day'
  return html`<div class="cards">
    <section class="panel">
      <h2>${kind === 'calls' ? tr('Chamadas', 'Calls') : tr('Mensagens', 'Messages')} <small>${isDaily ? tr('por dia', 'by day') : tr('por hora', 'by hour')}</small></h2>
      <${Plot} key=${kind + by} times=${times} lines=${lines} dates=${isDaily} summary=${lines.map(({ label, values }) => `${label}: ${amount(values.reduce((sum, one) => sum + one, 0))}`).join(', ')} />
      <p class="help plot-legend">${lines.map(({ label, tone, dash }) => html`<span><svg width="22" height="8" aria-hidden="true"><line x1="1" y1="4" x2="21" y2="4" stroke=${`var(--${tone})`} stroke-width="2" stroke-dasharray=${dash?.join(' ')} /></svg> ${label}</span> `)}</p>
    </section>
    <section class="panel">
      <h2>${kind === 'calls' ? tr('Até atender', 'Until answered') : tr('Até ser enviada', 'Until sent')} <small>${tr('média, em segundos', 'mean, in seconds')}</small></h2>
      <${Plot} key=${kind} times=${times} lines=${[{ label: 'mean', tone: 'accent', values: speed }]} dates=${isDaily} summary=${tr('Tempo médio em segundos', 'Mean time in seconds')} />
    </section>
  </div>`
}

/**
 * Seconds since 1970 of each hour or day, also of those without points.
 * @param {string} from
 * @param {string} to
 * @param {string} step
 * @param {{ at: string }[]} points
 */
function timesOf(from, to, step, points) {
  const found = new Set(points.map(({ at }) => Date.parse(at) / 1000))
  const begin = new Date(from)
  if (step === 'day') begin.setHours(0, 0, 0, 0)
  else begin.setMinutes(0, 0, 0)
  for (let at = begin; at.getTime() <= Date.parse(to); ) {
    found.add(at.getTime() / 1000)
    // a day of summer time has 23 or 25 hours
    if (step === 'day') at.setDate(at.getDate() + 1)
    else at.setTime(at.getTime() + HOUR_MS)
  }
  return [...found].sort((one, other) => one - other)
}

/**
 * @param {Point[]} points
 * @param {string} kind
 * @param {number[]} times
 */
function speedOf(points, kind, times) {
  /** @type {Map<number, { ms: number, count: number }>} */
  const sums = new Map()
  for (const { at, key, count, deliverMs, answerMs, answered = 0 } of points) {
    const [ms, number] = kind === 'calls' ? [answerMs, answered] : [deliverMs, count]
    if (ms === null || ms === undefined || (kind !== 'calls' && key === 'failed')) continue
    const time = Date.parse(at) / 1000
    const sum = sums.get(time) ?? { ms: 0, count: 0 }
    sums.set(time, { ms: sum.ms + ms * number, count: sum.count + number })
  }
  return times.map((time) => {
    const sum = sums.get(time)
    return sum ? sum.ms / Math.max(1, sum.count) / 1000 : 0
  })
}

/** @param {{ key: string, count: number }[]} points */
function totalsOf(points) {
  /** @type {Map<string, number>} */
  const totals = new Map()
  for (const { key, count } of points) totals.set(key, (totals.get(key) ?? 0) + count)
  return [...totals].map(([key, count]) => ({ key, count })).sort((one, other) => other.count - one.count)
}

/** @param {{ points: Point[], kind: string, by: string }} props */
function Totals({ points, kind, by }) {
  const totals = totalsOf(points)
  const sum = totals.reduce((all, { count }) => all + count, 0)
  /** @param {string} key */
  const slowest = (key) =>
    Math.max(0, ...points.filter((point) => point.key === key).map(({ deliverMsMax }) => deliverMsMax ?? 0))
  return html`<section class="panel">
    <h2>${tr('No período', 'In this period')}</h2>
    <div class="scroll"><table>
      <thead><tr><th>${KINDS[kind]?.[by]?.()}</th><th>${tr('Quantas', 'Count')}</th><th>%</th>${kind === 'messages' && html`<th>${tr('Envio mais demorado', 'Slowest')}</th>`}</tr></thead>
      <tbody>
        ${totals.map(({ key, count }) => html`<tr key=${key}><td>${nameOf(kind, by, key)}</td><td>${amount(count)}</td><td>${amount(Math.round((1000 * count) / sum) / 10)}</td>${kind === 'messages' && html`<td>${slowest(key) > 0 ? lasted(slowest(key)) : '–'}</td>`}</tr>`)}
        <tr><td><b>${tr('Total', 'Total')}</b></td><td><b>${amount(sum)}</b></td><td></td>${kind === 'messages' && html`<td></td>`}</tr>
      </tbody>
    </table></div>
  </section>`
}

/**
 * @param {string} kind
 * @param {string} by
 * @param {string} key
 */
function nameOf(kind, by, key) {
  if (by === 'tenant') return key
  if (by === 'channel') return channelName(key)
  if (kind === 'calls') return outcomeOf(key, null).word
  return key === 'waiting' ? tr('ainda na fila', 'still in the queue') : messageStateOf(key).word
}
