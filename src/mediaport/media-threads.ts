import {
  type AudioSocketListener,
  type AudioSocketPort,
  createLatenessRecord,
  type LatenessRecord,
} from '../audiosocket/index.ts'
import type { Role } from '../platform/audio.ts'
import type { MediaPlane, MediaPlaneCounts } from './media-plane.ts'
import type { ArrivedLeg, MediaCommand, MediaFact, MediaLeg } from './port.ts'
import {
  endLeg,
  type Happened,
  LOOK_MS,
  NEVER_LOUD,
  ThreadedPlane,
  type ThreadedPlaneOptions,
} from './threaded-plane.ts'

/** ms without a turn of the main thread that are reported. */
const STALL_MS = 2000
/** The entrance of the ports by which legs come from another thread; the name of no entrance has spaces. */
const BETWEEN = 'between threads'

interface MediaThreadsOptions extends Omit<ThreadedPlaneOptions, 'onLost'> {
  /** MEDIA_THREADS */
  threads: number
  /** A thread died, with the legs of these calls; it is started again. Their last facts come after this. */
  onLost: (error: Error, isLost: (callId: string) => boolean) => void
}

interface MediaThreads extends MediaPlane {
  /** False while a thread that died is not started again yet. */
  isUp(): boolean
  /** How often the main thread was blocked for 2 s and more, and how often a media thread died. */
  faults(): { mainBlocked: Happened | undefined; mediaDied: Happened | undefined }
}

/** Where a leg goes that is relayed to the thread of its call. */
interface Awaited {
  home: number
  arrive(leg: number): void
  lose(): void
}

/**
 * The media plane in threads of its own. The kernel spreads connections among them. All legs of a call live in the thread of its
 * first one, as they all live on one node: a leg that comes in by another thread is relayed there, over loopback. Legs are
 * numbered through: leg L of the N threads is leg ⌊L / N⌋ of thread L mod N.
 */
export function startMediaThreads(options: MediaThreadsOptions): MediaThreads {
  return new ThreadedPlanes(options)
}

class ThreadedPlanes implements MediaThreads {
  readonly options: MediaThreadsOptions
  readonly threads: ThreadedPlane[]
  readonly lateness: LatenessRecord['lateness']
  readonly latenessWithin: LatenessRecord['latenessWithin']
  /** The thread of each call that has legs. */
  readonly homes = new Map<string, number>()
  /** Legs that nobody has taken yet. */
  readonly waiting = new Map<number, ArrivedLeg>()
  /** Legs on their way to another thread, by UUID and role. */
  readonly awaited = new Map<string, Awaited>()
  /** Legs that were relayed, by their number here: thread and number there. */
  readonly moved = new Map<number, { home: number; leg: number }>()
  /** The ports of each thread for legs from the others. */
  readonly between: Promise<Record<Role, number>[]>
  lookedAt = performance.now()
  readonly looking = setInterval(() => this.look(), LOOK_MS).unref()
  mainBlocked: Happened | undefined

  constructor(options: MediaThreadsOptions) {
    this.options = options
    const { threads, onLost, ...rest } = options
    this.threads = Array.from(
      { length: threads },
      (_, at) =>
        new ThreadedPlane({
          ...rest,
          onArrival: (leg) => this.arrive(at, leg),
          onLost: (error) => this.lose(at, error),
        }),
    )
    const [memory, ...others] = this.threads.map((thread) => thread.memory)
    const record = createLatenessRecord(memory, others)
    this.lateness = record.lateness
    this.latenessWithin = record.latenessWithin
    this.between = threads > 1 ? Promise.all(this.threads.map(openBetween)) : Promise.resolve([])
    // `listen` rejects with it
    this.between.catch(() => {})
  }

  /** Here, of a leg of a thread. */
  numberOf(thread: number, leg: number): number {
    return leg * this.threads.length + thread
  }

  threadOf(leg: number): number {
    return leg % this.threads.length
  }

  /** There, of a leg here. */
  legOf(leg: number): number {
    return Math.floor(leg / this.threads.length)
  }

  arrive(thread: number, arrived: ArrivedLeg): void {
    if (arrived.entrance === BETWEEN) {
      const key = keyOf(arrived)
      const awaited = this.awaited.get(key)
      this.awaited.delete(key)
      // it was given up meanwhile
      if (awaited?.home !== thread) this.threads[thread]!.reject(arrived.leg)
      else awaited.arrive(arrived.leg)
      return
    }
    const leg = this.numberOf(thread, arrived.leg)
    this.waiting.set(leg, { ...arrived, leg })
    this.options.onArrival({ ...arrived, leg })
  }

  lose(thread: number, error: Error): void {
    const isLost = (callId: string) => this.homes.get(callId) === thread
    this.options.onLost(error, isLost)
    for (const [callId, home] of this.homes) if (home === thread) this.homes.delete(callId)
    for (const leg of this.waiting.keys()) if (this.threadOf(leg) === thread) this.waiting.delete(leg)
    for (const [key, { home, lose }] of this.awaited)
      if (home === thread) {
        this.awaited.delete(key)
        lose()
      }
  }

  /** Ends media threads that hang, and reports that this thread was blocked. */
  look(): void {
    for (const thread of this.threads) thread.watch()
    const now = performance.now()
    const ms = Math.round(now - this.lookedAt)
    this.lookedAt = now
    if (ms < STALL_MS) return
    this.mainBlocked = { count: (this.mainBlocked?.count ?? 0) + 1, last: new Date() }
    this.options.log.warn({ ms }, 'the main thread was blocked; sound went on')
  }

  isUp(): boolean {
    return this.threads.every((thread) => thread.isUp())
  }

  faults() {
    const deaths = this.threads.map(({ mediaDied }) => mediaDied).filter((died) => died !== undefined)
    const mediaDied = deaths.length > 0 ? deaths.reduce(both) : undefined
    return { mainBlocked: this.mainBlocked, mediaDied }
  }

  open: MediaPlane['open'] = (leg, callId, locale, onFact, speech) => {
    const thread = this.threadOf(leg)
    const home = this.homes.get(callId) ?? thread
    this.homes.set(callId, home)
    const arrived = this.waiting.get(leg)
    this.waiting.delete(leg)
    const openAt = (there: number) =>
      this.translated(
        this.threads[home]!.open(
          there,
          callId,
          locale,
          (fact) => {
            if (fact.type === 'released') this.moved.delete(leg)
            onFact(fact)
          },
          speech,
        ),
      )
    return home === thread || !arrived ? openAt(this.legOf(leg)) : this.move(arrived, home, onFact, openAt)
  }

  /** Commands wait until the leg is there. */
  move(
    arrived: ArrivedLeg,
    home: number,
    onFact: (fact: MediaFact) => void,
    openAt: (leg: number) => MediaLeg,
  ): MediaLeg {
    const { leg } = arrived
    const key = keyOf(arrived)
    const commands: MediaCommand[] = []
    let media: MediaLeg | undefined
    const awaited: Awaited = {
      home,
      arrive: (there) => {
        this.moved.set(leg, { home, leg: there })
        media = openAt(there)
        for (const command of commands) media.send(command)
      },
      lose: () => endLeg(onFact),
    }
    this.awaited.get(key)?.lose()
    this.awaited.set(key, awaited)
    const moving = async () => {
      const [thread, ports] = [this.threads[this.threadOf(leg)]!, await this.between]
      if (await thread.move(this.legOf(leg), ports[home]![arrived.role])) return
      if (this.awaited.get(key) !== awaited) return
      this.awaited.delete(key)
      awaited.lose()
    }
    void moving()
    return {
      send: (command) => void (media ? media.send(command) : commands.push(command)),
      level: () => media?.level() ?? NEVER_LOUD,
    }
  }

  /** A bridge names the other leg by its number here. */
  translated(media: MediaLeg): MediaLeg {
    return {
      send: (command) => {
        if (command.type !== 'bridge') return media.send(command)
        const { other } = command
        media.send({ ...command, other: this.moved.get(other)?.leg ?? this.legOf(other) })
      },
      level: () => media.level(),
    }
  }

  hold: MediaPlane['hold'] = (leg, locale) => this.threads[this.threadOf(leg)]!.hold(this.legOf(leg), locale)

  reject: MediaPlane['reject'] = (leg, said) => {
    this.waiting.delete(leg)
    const at = this.moved.get(leg) ?? { home: this.threadOf(leg), leg: this.legOf(leg) }
    this.threads[at.home]!.reject(at.leg, said)
  }

  relay: MediaPlane['relay'] = (leg, address) => {
    this.waiting.delete(leg)
    this.threads[this.threadOf(leg)]!.relay(this.legOf(leg), address)
  }

  finishRecordings: MediaPlane['finishRecordings'] = (callId) =>
    this.threads[this.homes.get(callId) ?? 0]!.finishRecordings(callId)

  /** In every thread: the call has no home before its visitor's leg is opened. */
  loadRecordings: MediaPlane['loadRecordings'] = async (callId, names) => {
    const loaded = await Promise.all(this.threads.map((thread) => thread.loadRecordings(callId, names)))
    return [...new Set(loaded.flat())]
  }

  forgetCall: MediaPlane['forgetCall'] = (callId) => {
    this.homes.delete(callId)
    for (const thread of this.threads) thread.forgetCall(callId)
  }

  /** Opens it in every thread. */
  listen: MediaPlane['listen'] = async (port): Promise<AudioSocketListener> => {
    await this.between
    const shared: AudioSocketPort = { ...port, shared: this.threads.length > 1 }
    // a port that is shared may be taken by another process, and nobody would be told
    if (shared.shared) {
      const probe = await this.threads[0]!.listen(port)
      probe.close()
      shared.port = probe.port
    }
    const listeners: AudioSocketListener[] = []
    const close = () => {
      for (const listener of listeners) listener.close()
    }
    try {
      for (const thread of this.threads) {
        const listener = await thread.listen(shared)
        listeners.push(listener)
        shared.port = listener.port
      }
    } catch (error) {
      // in all of them, or in none
      close()
      throw error
    }
    return { port: shared.port, close }
  }

  counts: MediaPlane['counts'] = () => this.threads.map((thread) => thread.counts()).reduce(sumOf)

  drained: MediaPlane['drained'] = () => this.inAll((thread) => thread.drained())

  endForeign: MediaPlane['endForeign'] = () => this.inAll((thread) => thread.endForeign())

  close: MediaPlane['close'] = async () => {
    clearInterval(this.looking)
    await this.inAll((thread) => thread.close())
  }

  async inAll(work: (thread: ThreadedPlane) => Promise<void>): Promise<void> {
    await Promise.all(this.threads.map(work))
  }
}

const keyOf = ({ uuid, role }: ArrivedLeg) => `${role} ${uuid}`

/** A port for each role. */
async function openBetween(thread: ThreadedPlane): Promise<Record<Role, number>> {
  const open = async (role: Role) => {
    const here = { host: '127.0.0.1', port: 0, allow: ['127.0.0.1'] }
    return (await thread.listen({ ...here, role, entrance: BETWEEN })).port
  }
  const [visitor, resident] = await Promise.all([open('visitor'), open('resident')])
  return { visitor, resident }
}

function both(one: Happened, other: Happened): Happened {
  return {
    count: one.count + other.count,
    last: new Date(Math.max(one.last.getTime(), other.last.getTime())),
  }
}

function sumOf(one: MediaPlaneCounts, other: MediaPlaneCounts): MediaPlaneCounts {
  const refused = { ...one.refused }
  for (const [code, count] of Object.entries(other.refused) as [keyof typeof refused, number][])
    refused[code] = (refused[code] ?? 0) + count
  return {
    open: one.open + other.open,
    handshaking: one.handshaking + other.handshaking,
    accepted: one.accepted + other.accepted,
    refused,
    detectors: one.detectors + other.detectors,
    talks: {
      dropped: one.talks.dropped + other.talks.dropped,
      skipped: one.talks.skipped + other.talks.skipped,
      concealed: one.talks.concealed + other.talks.concealed,
      delays: one.talks.delays.map((seconds, at) => seconds + other.talks.delays[at]!),
    },
  }
}
