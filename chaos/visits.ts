/** Visitors and residents: telephones behind an Asterisk whose dialplan connects again, and what people do with them. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPhone, type Phone, type Sounds } from '../src/simulator/index.ts'
import { createRandom, type Random } from './random.ts'
import type { ChaosRecord, Moment } from './records.ts'

/** ms after which a visitor goes, whatever happens. */
const LIMIT_MS = 240_000
/** Refused connections in a row until the dialplan gives up: a start takes its time on a busy machine. */
const MISSES = 90

/** What a visitor does. */
const VISITORS = { ordinary: 78, slow: 8, silent: 4, leaves: 10 }
/** What a resident does who is called. */
const RESIDENTS = { yes: 52, no: 12, talk: 14, api: 10, absent: 6, leaves: 6 }
const UNIT_PROMPTS = ['greeting', 'ask-unit', 'ask-unit-again']

export interface VisitsOptions {
  seed: number
  prompts: Sounds
  /** Ports of the nodes, by the node's name. */
  ports: Record<string, { visitor: number; resident: number }>
  /** Whether a node takes calls, so that a call to the address that all share goes to another. */
  isUp: (node: string) => boolean
  /** Decides by the API; resolves with whether it answered 200. */
  decide: (call: string, verdict: string) => Promise<boolean>
  note: (record: ChaosRecord) => void
  /** Called when a resident presses the key that decides. */
  onDeciding: (node: string) => void
}

export interface Visit {
  call: string
  /** Where its visitor is connected. */
  node(): string
  /** Whether the visitor hears something and has not heard the end. */
  isLive(): boolean
  ended: Promise<void>
}

export type Visits = ReturnType<typeof createVisits>

/** Each visit does what its number and the seed say. */
export function createVisits({ seed, prompts, ports, isUp, decide, note, onDeciding }: VisitsOptions) {
  const nodes = Object.keys(ports)
  const live = new Map<
    string,
    { visit: Visit; phone: Phone; random: Random; resident: keyof typeof RESIDENTS }
  >()
  const residents = new Set<Phone>()
  let count = 0

  /** Of a visitor at one node, or at the address that all nodes share. */
  const wayOf = (random: Random) => {
    const fixed = random.next() < 0.5 ? nodes[Math.floor(random.next() * nodes.length)] : undefined
    let node = fixed ?? nodes[0]!
    return {
      node: () => node,
      port: (role: 'visitor' | 'resident') => () => {
        if (!fixed) {
          const up = nodes.filter(isUp)
          node = up[Math.floor(random.next() * up.length)] ?? node
        }
        return ports[node]![role]
      },
    }
  }

  const begin = (): Visit => {
    const random = createRandom(seed * 100_003 + ++count)
    const kind = random.pick(VISITORS)
    const call = randomUUID()
    const way = wayOf(random)
    const phone = createPhone({
      id: call,
      port: way.port('visitor'),
      prompts,
      strict: 'dial',
      reconnect: true,
      misses: MISSES,
    })
    const moments = momentsOf(phone)
    const think = () => sleep(kind === 'slow' ? random.between(4000, 12_000) : random.between(300, 3500))
    const speaks = random.next() < 0.3
    const leavesAt = random.pick({
      'ask-name': 1,
      'calling-unit': 2,
      'resident-answered': 2,
      'one-moment': 1,
    })
    let isOver = false
    phone.on((happening) => {
      if (happening.type !== 'hearing' || happening.prompt === undefined || kind === 'silent') return
      const { prompt } = happening
      if (kind === 'leaves' && prompt === leavesAt) void think().then(() => phone.hangUp())
      if (UNIT_PROMPTS.includes(prompt)) void think().then(() => phone.press('101#'))
      else if (prompt.startsWith('ask-name') || prompt === 'ask-purpose')
        void think().then(() => (speaks ? phone.say({ prompt: 'sample-visitor-name' }) : phone.press('#')))
    })
    const limit = setTimeout(() => phone.hangUp(), LIMIT_MS)
    const ended = phone.ended.then(() => {
      isOver = true
      clearTimeout(limit)
      live.delete(call)
      note({ kind: 'visit', call, moments })
    })
    const visit: Visit = {
      call,
      node: way.node,
      isLive: () => !isOver && moments.some(({ type }) => type === 'hearing'),
      ended,
    }
    live.set(call, { visit, phone, random, resident: random.pick(RESIDENTS) })
    return visit
  }

  /** A resident is wanted for this call: answers, or not. */
  const call = async (id: string): Promise<void> => {
    const visit = live.get(id)
    if (!visit || visit.resident === 'absent') return
    const { random, resident } = visit
    await sleep(random.between(300, 5000))
    if (!visit.visit.isLive()) return
    const phone = createPhone({
      id,
      role: 'resident',
      port: wayOf(random).port('resident'),
      prompts,
      strict: 'dial',
    })
    residents.add(phone)
    const moments = momentsOf(phone)
    let hasAnswered = false
    const press = (key: string) => {
      if (resident !== 'leaves') onDeciding(visit.visit.node())
      return phone.press(key)
    }
    const answer = async () => {
      await sleep(random.between(200, 4000))
      if (resident === 'yes') await press('1')
      else if (resident === 'no') await press('2')
      else if (resident === 'talk') await phone.press('3')
      else if (resident === 'leaves') phone.hangUp()
      else if (await decide(id, 'authorized'))
        note({ kind: 'api', call: id, verdict: 'authorized', at: Date.now() })
    }
    phone.on((happening) => {
      if (happening.type !== 'hearing') return
      if (happening.prompt === 'menu' && !hasAnswered) {
        hasAnswered = true
        void answer()
      }
      if (happening.prompt === 'talk-resident') void sleep(random.between(1000, 4000)).then(() => press('1'))
    })
    await phone.ended
    residents.delete(phone)
    note({ kind: 'resident', call: id, moments })
  }

  return {
    begin,
    call,
    /** Visits that are not over. */
    all: (): Visit[] => [...live.values()].map(({ visit }) => visit),
    live: (): number => [...live.values()].filter(({ visit }) => visit.isLive()).length,
    /** Everybody hangs up. */
    async close(): Promise<void> {
      const phones = [...[...live.values()].map(({ phone }) => phone), ...residents]
      await Promise.all(phones.map((phone) => phone.close()))
    },
  }
}

/** Grows as the phone hears and does things. */
function momentsOf(phone: Phone): Moment[] {
  const bornAt = Date.now() - performance.now()
  const born = performance.now()
  const moments: Moment[] = []
  phone.on((happening) => {
    const at = Math.round(bornAt + born + happening.at)
    const add = (type: Moment['type'], what: string) => moments.push({ at, type, what })
    if (happening.type === 'connected') add('connected', String(happening.connection))
    else if (happening.type === 'hearing' && happening.prompt !== undefined) add('hearing', happening.prompt)
    else if (happening.type === 'key') add('key', happening.key)
    else if (happening.type === 'lost') add('lost', happening.reason)
    else if (happening.type === 'hangup') add('hangup', happening.by)
    else if (happening.type === 'ended') add('ended', happening.outcome.by)
  })
  return moments
}
