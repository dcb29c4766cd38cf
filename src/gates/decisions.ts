import { createHash, randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import { fromPromise } from 'xstate'
import type { Decision, GateAnswer } from '../../machines/index.ts'
import { type Calls, type DecidedCall, keepDecision, keepFirstDecision } from '../calls/index.ts'
import {
  type AttemptResult,
  type CallEventMessages,
  type CallPlace,
  type Claim,
  createOutbox,
  type GateContent,
  type NewMessage,
  type Outbound,
  PRIORITY,
} from '../outbound/index.ts'
import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import { removeFile } from '../platform/line-file.ts'
import type { Logger } from '../platform/log.ts'
import type { Lane, Transaction } from '../platform/postgres/index.ts'
import { delay, withTimeout } from '../platform/time.ts'
import {
  createDecisionJournal,
  type Fact,
  type Line,
  readFacts,
  type Told,
  takeFile,
} from './decision-journal.ts'
import type { GateReplies, GateSender } from './sender.ts'
import {
  addGateCommand,
  addNewGateCommand,
  findGateCommand,
  type GateCommand,
  type GateCommandRow,
  type GateTarget,
  MAIN_GATE,
  markFailed,
  noteGateCommand,
  takeFailed,
} from './sql/gates.ts'
import type { GateTargets } from './targets.ts'

/** ms from the decision in which the gate may open; later it would open for somebody else. */
const GATE_MS = 30_000
/** ms that a worker's clock may be ahead: the sender measures the command's age by the database's clock. */
const CLOCKS_MS = 10 * 60_000
/** Retries within that time: after half a second, one, two, four … */
const GATE_RETRY = { maxRetries: 8, retryDelayMs: 500 }
/** ms for the database to keep a decision; then the disk does. */
const KEEP_MS = 300
/** ms for either of them; a disk may hang too. Then nobody hears of the decision, which may still become durable. */
const DURABLE_MS = 3000
/** Age in ms up to which a decision on the disk may be about a visit that still lasts; its UUID may come again. */
const VISIT_MS = 10 * 60_000
/** ms between two looks for the gate's answer while a visitor waits for it, and between two looks for failures. */
const LOOK_MS = 250
const WATCH_MS = 5000
/** ms that closing waits for the database. */
const CLOSE_MS = 3000
/** ms between two readings of all gates. */
const LOAD_MS = 60_000

interface DecisionsOptions {
  outbound: Pick<Outbound, 'claim'>
  callEvents: Pick<CallEventMessages, 'writeDecided' | 'writeGateFailed'>
  database: Pick<Lane, 'query' | 'transaction'>
  targets: GateTargets
  sender: Pick<GateSender, 'tell' | 'numberWithin'>
  replies: Pick<GateReplies, 'of'>
  /** DATA_DIR/decisions */
  directory: string
  /** Id of this process, and whether another one may still be alive. */
  instance: string
  mayLive: (instance: string) => boolean
  /** KEEP_MS, or more in tests. */
  keepMs?: number
  /** DURABLE_MS, or another in tests. */
  durableMs?: number
  log: Logger
}

type OpeningByHand = {
  tenantId: string
  gateId: string
  /** Name of the key. */
  by: string
  reason?: string | undefined
}

/** What is to be in the database, or a line on the disk until it is. */
interface Owed {
  readonly line: Line
  readonly facts: object
  /** ms since the epoch. */
  readonly since: number
  /** Whether the database has it. */
  isStored: boolean
  store(): Promise<void>
}

/** A decision that this process acts on. */
interface Order extends Owed {
  readonly fact: Fact
  readonly gate: GateTarget | undefined
  /** Undefined where nothing opens. */
  readonly claim: Claim | undefined
  /** The entrance's gate could not be looked up. */
  readonly isUnknown: boolean
  /** Whether the command was new to the database; undefined: not known yet. */
  isNew?: boolean | undefined
  /** An older version has told the gate. */
  isOlders?: boolean
  /** The number of the first attempt, where the transaction gave one. */
  counter?: number | undefined
  /** The decision that stands, where this one came second. */
  first?: Decision
  /** What the gate answers; undefined: nothing opens. */
  telling?: Promise<GateAnswer>
  /** Aborted when nobody waits for the answer any more. */
  readonly waiting: AbortController
  /** What the first attempt brought, and whether the database has that. */
  told?: Told | undefined
  isTold?: boolean
}

export type Decisions = Awaited<ReturnType<typeof openDecisions>>

/**
 * The id of the command that a decision leads to: the same wherever and however often the decision is told, another one for
 * each decision about a call.
 */
export function commandIdOf(callId: string, decidedAt: Date): string {
  const hash = createHash('sha256').update(`${callId} ${decidedAt.toISOString()}`).digest('hex')
  // version 8 of RFC 9562: what its bits mean is ours to say
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

/**
 * Decisions, from the moment they are made until their gate has answered. A decision, its gate command and its webhooks are one
 * transaction, or one line on the disk while the database is away; only then does anybody hear of it. The process that has the
 * decision makes the first attempt to tell the gate; the queue makes the others. A command that opens nothing is reported once.
 * Before it resolves, the database has what killed processes left on the disk, unless it is away.
 */
export async function openDecisions(options: DecisionsOptions) {
  const {
    outbound,
    callEvents,
    database,
    targets,
    sender,
    replies,
    instance,
    mayLive,
    keepMs = KEEP_MS,
    durableMs = DURABLE_MS,
    log,
  } = options
  const disk = createDecisionJournal(options.directory, instance)
  /** What the database lacks, in order. */
  const outbox = createOutbox({ log })
  /** By the command's id, while a call waits for its gate. */
  const orders = new Map<string, Order>()
  /** What is on this process's disk and may not be in the database. */
  const onDisk = new Set<Owed>()
  const ending = new AbortController()
  const working = new Set<Promise<void>>()

  const track = (work: Promise<unknown>): void => {
    const settled: Promise<void> = work
      .then(
        () => {},
        (error) =>
          log.error(
            { code: asPorteiroError(error).code, reason: reasonOf(error) },
            'background work on a decision failed',
          ),
      )
      .finally(() => working.delete(settled))
    working.add(settled)
  }

  const orderOf = (fact: Fact, gate: GateTarget | undefined, isUnknown = false): Order => {
    const { command } = fact
    const isLate = command && command.expiresAt.getTime() <= Date.now()
    const claim = command && !isLate ? outbound.claim(messageOf(command)) : undefined
    const order: Order = {
      line: { kind: 'fact', fact },
      facts: factsOf(fact),
      ...{ fact, gate, claim, isUnknown },
      isStored: false,
      since: Date.now(),
      waiting: new AbortController(),
      store: () => store(order),
    }
    return order
  }

  /** Everything that follows from a decision, at most once. */
  const write = async (transaction: Transaction, order: Order): Promise<void> => {
    const { fact, claim, told } = order
    const { call, command } = fact
    if (call) {
      const decision = call.decision
      const kept = await keepDecision(transaction, call)
      if (kept.at !== decision.at) {
        log.error({ call_id: call.id, tenant: call.tenantId }, 'a second decision about a call was ignored')
        order.first = kept
        return
      }
      await callEvents.writeDecided(transaction, call.id, decision, placeOf(call))
    }
    if (!command) return
    order.isNew = await addGateCommand(transaction, command)
    if (told) await noteGateCommand(transaction, command.id, 'past the queue', { ...told }, told.status)
    else if (order.isNew) await claim?.write(transaction)
    else order.isOlders = !(await findGateCommand(transaction, command.id))
    // it came before the database had the command
    const reply = replies.of(command)
    if (reply) await noteGateCommand(transaction, command.id, reply, {}, reply)
  }

  /**
   * The same with the commit and the number of the first attempt, in one round trip unless there are webhooks. False where any
   * of it is there already.
   */
  const writeNew = async (order: Order): Promise<boolean> => {
    const { fact, gate, claim } = order
    const { call, command } = fact
    let numbered: Promise<number | undefined> | undefined
    try {
      await database.transaction(async (transaction) => {
        if (call) transaction.sent(keepFirstDecision(transaction, call))
        if (command) transaction.sent(addNewGateCommand(transaction, command))
        if (command) await claim?.writeNew(transaction)
        if (call) await callEvents.writeDecided(transaction, call.id, call.decision, placeOf(call))
        // last, because it locks the gate's row
        if (!claim || !gate) return
        numbered = sender.numberWithin(transaction, gate)
        transaction.sent(numbered)
      })
    } catch (error) {
      if (asPorteiroError(error).code === 'DATABASE_QUERY') return false
      throw error
    }
    order.isNew = command && true
    order.counter = await numbered
    return true
  }

  const store = async (order: Order): Promise<void> => {
    const { told } = order
    // one that was on the disk may be in the database in part, and its gate may have been told
    if (!told && !onDisk.has(order) && (await writeNew(order))) return
    await database.transaction((transaction) => write(transaction, order))
    order.isTold = told !== undefined
  }

  /** Resolves when it is durable. Rejects if neither database nor disk takes it. */
  const keep = async (owed: Owed): Promise<void> => {
    const { facts, line } = owed
    const stored = moveToDatabase(owed).then(
      () => true,
      (error) => {
        const { code } = asPorteiroError(error)
        if (code !== 'DATABASE_UNREACHABLE')
          log.error({ ...facts, code, reason: reasonOf(error) }, 'the database refused a decision')
        return false
      },
    )
    if (await withTimeout(keepMs, stored)) return
    log.warn(facts, 'the database is away or slow: a decision is kept on the disk')
    onDisk.add(owed)
    try {
      await disk.append(line)
    } catch (error) {
      onDisk.delete(owed)
      // the transaction may have been slow only
      if (await stored) return
      throw error
    }
    outbox.add(facts, () => moveToDatabase(owed))
  }

  /** Undefined when it takes too long: nobody waits for a disk that hangs. */
  const inTime = (kept: Promise<true>) => withTimeout(durableMs, kept)

  const moveToDatabase = async (owed: Owed): Promise<void> => {
    if (!owed.isStored) await owed.store()
    owed.isStored = true
    if (onDisk.delete(owed)) await disk.clear(() => onDisk.size === 0)
  }

  /** Writes down what became of the first attempt; whoever waits for the gate is not held up by it. */
  const record = (order: Order, result: AttemptResult): void => {
    const { id } = order.fact.command!
    const { gate, claim } = order
    if (result.ok) {
      const status = gate!.kind === 'webhook' ? 'acknowledged' : 'sent'
      order.told = { status }
      if (!order.isStored) track(disk.append({ kind: 'told', command: id, status }))
    }
    outbox.add(order.facts, async () => {
      if (result.ok) {
        if (order.isTold) return
        const { status } = result.accepted
        const { kind, exchange, routingKey: routing_key } = gate!
        const place = kind === 'amqp' ? { exchange, routing_key } : { status }
        await noteGateCommand(database, id, order.told!.status, place, order.told!.status)
      } else {
        const { code, status } = failureOf(result.error)
        await noteGateCommand(database, id, 'failed', { attempt: 1, gate: gate!.id, code, status })
      }
      // no message was written for what had been told before
      if (order.isNew && !order.isTold) await claim!.settle(result)
    })
  }

  /** Polls for the gate's answer, to any attempt, until the signal is aborted or `leftMs` are over. */
  const hear = async (
    command: Pick<GateCommand, 'id' | 'tenantId' | 'gateId'>,
    { gate, leftMs, signal }: { gate: GateTarget; leftMs: number; signal: AbortSignal },
  ): Promise<GateAnswer> => {
    const { id } = command
    const until = performance.now() + leftMs
    let looking: ReturnType<typeof findGateCommand> | undefined
    while (!signal.aborted && performance.now() < until) {
      // one query at a time: a database that hangs would otherwise get all connections
      looking ??= findGateCommand(database, id)
        .catch(() => undefined)
        .finally(() => {
          looking = undefined
        })
      const row = await withTimeout(KEEP_MS, looking)
      const reply = replies.of(command)
      const answer = reply ? ANSWERS[reply] : row && answerOf(row, gate)
      if (answer) return answer
      await delay(LOOK_MS, signal)
    }
    return 'failed'
  }

  /** Makes the first attempt, unless the gate has answered before. */
  const tell = async (order: Order): Promise<GateAnswer> => {
    const { fact, gate, claim } = order
    const command = fact.command!
    const before = order.isNew === false ? await findGateCommand(database, command.id) : undefined
    const known = before && answerOf(before, gate!)
    if (known) return known
    const began = performance.now()
    const leftMs = Math.min(GATE_MS, before?.leftMs ?? command.expiresAt.getTime() - Date.now())
    const signal = AbortSignal.any([order.waiting.signal, ending.signal])
    // by another machine's clock it is late here; the queue tells it
    if (before && !claim) return hear(command, { gate: gate!, leftMs, signal })
    if (leftMs <= 0 || !claim) return 'failed'
    const { attempt, limited } = claim.begin()
    const result = await limited(sender.tell(gate!, contentOf(command), leftMs, attempt, order.counter))
    record(order, result)
    if (result.ok && gate!.kind === 'webhook') return 'opened'
    if (result.ok && !gate!.acknowledges) return 'sent'
    if (!result.ok && failureOf(result.error).final) return 'failed'
    return hear(command, { gate: gate!, leftMs: leftMs - (performance.now() - began), signal })
  }

  const factsOf = ({ call, command }: Fact) => ({
    ...(call && { call_id: call.id }),
    tenant: call?.tenantId ?? command!.tenantId,
    ...(command && { command: command.id }),
  })

  const orderFor = async (call: DecidedCall): Promise<Order> => {
    const { verdict, by, via, at } = call.decision
    if (verdict !== 'authorized') return orderOf({ call }, undefined)
    let gate: GateTarget | undefined
    try {
      gate = await targets.of(call.tenantId, call.gate)
    } catch (error) {
      const { code } = asPorteiroError(error)
      log.error(
        { call_id: call.id, tenant: call.tenantId, code },
        'the gate cannot be looked up: it stays closed',
      )
      return orderOf({ call }, undefined, true)
    }
    const decidedAt = new Date(at)
    const command: GateCommand | undefined = gate && {
      id: commandIdOf(call.id, decidedAt),
      callId: call.id,
      tenantId: call.tenantId,
      gateId: gate.id,
      unitNumber: call.unitNumber,
      ...{ by, via, decidedAt, expiresAt: new Date(at + GATE_MS) },
    }
    return orderOf({ call, command }, gate)
  }

  /** Keeps the decision and starts to tell its gate. */
  const begin = async (call: DecidedCall): Promise<Order> => {
    const order = await orderFor(call)
    const { verdict, at } = call.decision
    const kept = keep(order).then((): true => {
      if (verdict !== 'authorized' || !order.fact.command || order.first || order.isOlders) return true
      order.telling = tell(order)
      // a visitor who leaves now never asks for the answer
      order.telling.catch(() => {})
      return true
    })
    if (!(await inTime(kept))) {
      // the gate is told as soon as it is durable, within the command's time
      track(kept)
      throw fail('FALLBACK_UNWRITABLE', { reason: 'neither the database nor the disk answers' })
    }
    if (verdict !== 'authorized') return order
    // nobody asks for the answer if the visitor has left
    for (const [id, { since }] of orders) if (since < Date.now() - GATE_MS) orders.delete(id)
    orders.set(commandIdOf(call.id, new Date(at)), order)
    return order
  }

  /** The answer to the decision that stands. */
  const answerTo = async (
    callId: string,
    { verdict, at }: Decision,
    signal: AbortSignal,
  ): Promise<GateAnswer> => {
    if (verdict !== 'authorized') return 'failed'
    const row = await findGateCommand(database, commandIdOf(callId, new Date(at)))
    if (!row) return 'none'
    const gate = await targets.find(row.tenantId, row.gateId)
    return gate ? (answerOf(row, gate) ?? hear(row, { gate, leftMs: row.leftMs, signal })) : 'failed'
  }

  /** Reports that a command has opened nothing: to the tenant's endpoints, and in the log. */
  const report = async (transaction: Transaction, command: GateCommand): Promise<void> => {
    const { id, callId, tenantId: tenant, gateId: gate } = command
    log.error(
      { ...(callId !== null && { call_id: callId }), tenant, gate, command: id },
      'a gate did not open',
    )
    await callEvents.writeGateFailed(transaction, command)
  }

  /** A visitor has heard that the gate does not answer. */
  const reportOf = async (call: DecidedCall): Promise<void> => {
    const { by, via, at } = call.decision
    const decidedAt = new Date(at)
    const id = commandIdOf(call.id, decidedAt)
    await database.transaction(async (transaction) => {
      const row = await findGateCommand(transaction, id)
      if (row && !(await markFailed(transaction, id))) return
      const place = { callId: call.id, tenantId: call.tenantId, unitNumber: call.unitNumber }
      const unwritten = {
        id,
        ...place,
        gateId: call.gate ?? MAIN_GATE,
        by,
        via,
        decidedAt,
        expiresAt: decidedAt,
      }
      await report(transaction, row ?? unwritten)
    })
  }

  const failureFor = (call: DecidedCall): Owed => ({
    line: { kind: 'failed', call },
    facts: { call_id: call.id, tenant: call.tenantId, event: 'gate.failed' },
    since: Date.now(),
    isStored: false,
    store: () => reportOf(call),
  })

  const failures = new Set<string>()
  /** Logs a failure once, and lets go on what does not depend on it. Resolves with whether it succeeded. */
  const attempted = async (work: Promise<unknown>, facts: object, message: string): Promise<boolean> => {
    const failure = `${message} ${JSON.stringify(facts)}`
    try {
      await work
      failures.delete(failure)
      return true
    } catch (error) {
      const { code } = asPorteiroError(error)
      const level = code === 'DATABASE_UNREACHABLE' ? 'debug' : 'error'
      if (!failures.has(failure)) log[level]({ ...facts, code, reason: reasonOf(error) }, message)
      if (level === 'error') failures.add(failure)
      return false
    }
  }

  const reportFailed = (): Promise<void> =>
    database.transaction(async (transaction) => {
      for (const row of await takeFailed(transaction)) await report(transaction, row)
    })

  const watch = async (): Promise<void> => {
    let loaded = Number.NEGATIVE_INFINITY
    while (!ending.signal.aborted) {
      if (performance.now() - loaded >= LOAD_MS) {
        loaded = performance.now()
        await attempted(targets.load(), {}, 'gates cannot be read')
      }
      await attempted(reportFailed(), {}, 'gate commands cannot be watched')
      // a database that refused them may take them now
      for (const owed of onDisk)
        if (owed.since < Date.now() - WATCH_MS)
          await attempted(moveToDatabase(owed), owed.facts, 'a decision stays on the disk')
      await replay()
      await delay(WATCH_MS, ending.signal)
    }
  }

  /** Stores what other processes left on the disk. Never rejects: what the database refuses stays there. */
  const replay = async (): Promise<void> => {
    const replayAll = async () => {
      for (const path of await disk.others())
        await attempted(replayFile(path), { file: basename(path) }, 'decisions on the disk cannot be read')
    }
    await attempted(replayAll(), {}, 'decisions on the disk cannot be found')
  }

  /** Calls `look` with each fact that other processes left on the disk; more than once if they are moved meanwhile. */
  const eachOnDisk = async (look: (fact: Fact) => void): Promise<void> => {
    let isWhole = false
    while (!isWhole) {
      const files = await Promise.all((await disk.others()).map(readFacts))
      for (const file of files) for (const { fact } of file?.facts ?? []) look(fact)
      // another process took one, and its new name was not in the list, or the database has it now
      isWhole = files.every((file) => file !== undefined)
    }
  }

  const replayFile = async (path: string): Promise<void> => {
    const isOver = !mayLive(basename(path).split('.')[0]!)
    // its process may live after all, and then goes on in another file
    const file = isOver ? await takeFile(path) : path
    if (file === undefined) return
    const { facts = [], failed = [] } = (await readFacts(file)) ?? {}
    const orders = facts.map(({ fact, told }) => Object.assign(orderOf(fact, undefined), { told }))
    let isStored = true
    for (const owed of [...orders, ...failed.map(failureFor)]) {
      if (!(await attempted(owed.store(), owed.facts, 'a decision stays on the disk'))) isStored = false
      else if (isOver) log.warn(owed.facts, 'a decision that was kept on the disk is in the database')
    }
    if (isOver && isStored) await removeFile(file).catch(() => {})
  }

  await targets.load().catch(() => {})
  await replay()
  const watching = watch()

  return {
    /**
     * Resolves when the decision of this call is durable, with all that follows from it; the gate is being told then. Resolves with the
     * decision that stands, where another one about this visit was kept before. May be repeated, also in another process. Rejects with
     * FALLBACK_UNWRITABLE if neither database nor disk takes it within 3 s; it may become durable later, and its gate is told then.
     */
    async keep(call: DecidedCall): Promise<Decision | null> {
      return (await begin(call)).first ?? null
    },

    /** The answer of the gate of a call whose decision is durable. Waits for it until the signal is aborted. Never rejects. */
    async open(call: DecidedCall, signal: AbortSignal): Promise<GateAnswer> {
      const { at } = call.decision
      const id = commandIdOf(call.id, new Date(at))
      try {
        // unknown if the call was restored after its decision was kept
        const order = orders.get(id) ?? (await begin(call))
        if (order.isUnknown) return 'failed'
        if (order.first) return await answerTo(call.id, order.first, signal)
        if (order.isOlders) return 'sent'
        if (!order.telling) return 'none'
        const leave = () => order.waiting.abort()
        if (signal.aborted) leave()
        else signal.addEventListener('abort', leave, { once: true })
        return await order.telling
      } catch (error) {
        const { code } = asPorteiroError(error)
        const facts = { call_id: call.id, tenant: call.tenantId, code, reason: reasonOf(error) }
        log.error(facts, 'cannot tell the gate')
        return 'failed'
      } finally {
        orders.delete(id)
      }
    },

    /**
     * Reports that the gate of this call did not answer while its visitor waited. Resolves when that is durable, or after 3 s.
     * May be repeated, also in another process. Never rejects.
     */
    async fail(call: DecidedCall): Promise<void> {
      const owed = failureFor(call)
      const kept = keep(owed).then(() => true as const)
      // it may become durable later
      track(kept)
      await inTime(kept).catch(() => {})
    },

    /** The decision about a call of another process that only this disk has. Never rejects. */
    async decisionOnDisk(callId: string): Promise<Decision | undefined> {
      const found: Decision[] = []
      const looking = eachOnDisk(({ call }) => {
        if (call?.id === callId && call.decision.at > Date.now() - VISIT_MS) found.push(call.decision)
      })
      // a disk that hangs keeps no visitor waiting
      await withTimeout(
        durableMs,
        attempted(looking, { call_id: callId }, 'decisions on the disk cannot be read'),
      )
      // the first one stands
      return found.toSorted((a, b) => a.at - b.at)[0]
    },

    /**
     * Opens a gate by hand: the command's own id stands where a call's would. Resolves when that is durable. Errors:
     * GATE_UNKNOWN, FALLBACK_UNWRITABLE.
     */
    async openByHand({ tenantId, gateId, by, reason }: OpeningByHand) {
      const gate = await targets.find(tenantId, gateId)
      if (!gate) throw fail('GATE_UNKNOWN', { tenant: tenantId, gate: gateId })
      const decidedAt = new Date()
      const expiresAt = new Date(decidedAt.getTime() + GATE_MS)
      const command: GateCommand = {
        ...{
          id: randomUUID(),
          callId: null,
          tenantId,
          gateId,
          unitNumber: null,
          by,
          via: 'api',
          decidedAt,
          expiresAt,
        },
        ...(reason !== undefined && { reason }),
      }
      const order = orderOf({ command }, gate)
      const kept = keep(order).then(() => true as const)
      if (!(await inTime(kept))) {
        // the command may still be written, and open within its time
        track(kept)
        throw fail('FALLBACK_UNWRITABLE', { reason: 'neither the database nor the disk answers' })
      }
      order.waiting.abort()
      track(tell(order))
      return { id: command.id, messageId: order.claim!.id, expiresAt }
    },

    /** Resolves when everything so far is in the database. */
    async settled(): Promise<void> {
      await Promise.all(working)
      await outbox.settled()
    },

    async close(): Promise<void> {
      ending.abort()
      // a statement may hang
      await withTimeout(CLOSE_MS, Promise.all([watching, ...working]))
      await outbox.close()
      await disk.close()
    },
  }
}

interface DecisionEffectsOptions {
  decisions: Pick<Decisions, 'keep' | 'open'>
  calls: Pick<Calls, 'find' | 'decided'>
}

/** The ports of the call's machines that this room has. */
export function createDecisionEffects({ decisions, calls }: DecisionEffectsOptions) {
  return {
    commitDecision: fromPromise<Decision | null, { callId: string }>(({ input: { callId } }) => {
      const committing = calls.decided(callId).then(decisions.keep)
      const call = calls.find(callId)
      if (call) call.committing = committing
      return committing
    }),

    openGate: fromPromise<GateAnswer, { callId: string }>(async ({ input: { callId }, signal }) => {
      const call = await calls.decided(callId)
      // a restored call enters its state twice
      return signal.aborted ? 'failed' : decisions.open(call, signal)
    }),
  }
}

const ANSWERS = { acknowledged: 'opened', refused: 'failed' } as const

/** The gate's answer, if the command has one. */
function answerOf({ status }: GateCommandRow, { acknowledges }: GateTarget): GateAnswer | undefined {
  if (status === 'acknowledged' || status === 'refused') return ANSWERS[status]
  return status === 'sent' && !acknowledges ? 'sent' : undefined
}

function failureOf(error: unknown): { code: string; status?: number | undefined; final: boolean } {
  if (error instanceof DeliveryError) return error
  return { code: asPorteiroError(error).code, final: false }
}

function contentOf({
  id,
  callId,
  tenantId,
  gateId,
  unitNumber,
  by,
  via,
  ...command
}: GateCommand): GateContent {
  return {
    type: 'gate.open',
    id,
    timestamp: command.decidedAt.toISOString(),
    expires_at: command.expiresAt.toISOString(),
    data: { call_id: callId ?? id, tenant: tenantId, gate: gateId, unit: unitNumber, by, via },
  }
}

function messageOf(command: GateCommand): NewMessage {
  const { id, callId, tenantId, gateId, expiresAt } = command
  return {
    tenantId,
    channel: 'gate',
    to: gateId,
    body: contentOf(command),
    priority: PRIORITY.critical,
    ...GATE_RETRY,
    expiresAt: new Date(expiresAt.getTime() + CLOCKS_MS),
    idempotencyKey: `gate:${id}`,
    ...(callId !== null && { callId }),
  }
}

function placeOf({ tenantId, gate, unitId, unitNumber, beginning }: DecidedCall): CallPlace {
  return {
    beginning,
    tenant: tenantId,
    gate,
    unit: unitId === null || unitNumber === null ? null : { id: unitId, number: unitNumber },
  }
}
