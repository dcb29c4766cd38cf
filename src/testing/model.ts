import { isDeepStrictEqual } from 'node:util'
import type {
  AnyActorRef,
  AnyMachineSnapshot,
  AnyStateMachine,
  ContextFrom,
  EventObject,
  InputFrom,
  InspectionEvent,
  OutputFrom,
  Snapshot,
  StateValueFrom,
} from 'xstate'
import { type Clock, stateName } from '../../machines/index.ts'
import { counted } from './coverage.ts'
import { type AnyFixture, type Fixture, type FixtureOutcome, inWords } from './fixture.ts'
import { fixtureOf } from './fixtures.ts'
import { keyOf } from './replay.ts'
import {
  below,
  cause,
  isMachine,
  isMachineSnapshot,
  type Running,
  run,
  type Sight,
  type Stimulus,
  substitute,
  synchronousStandIn,
} from './world.ts'

export interface Seen<Machine extends AnyStateMachine> extends Sight {
  readonly value: StateValueFrom<Machine>
  readonly context: ContextFrom<Machine>
  readonly output: OutputFrom<Machine> | undefined
}

/** What must hold after each step: false, or an error that is thrown, breaks it. */
export type Always<Machine extends AnyStateMachine> = Readonly<
  Record<string, (seen: Seen<Machine>, step: Stimulus | undefined) => boolean>
>

export interface ModelOptions<Machine extends AnyStateMachine> {
  /**
   * The machines below it that are explored with it: all, or those with these ids. Default: none; each child has the outcomes of
   * the fixture, and its events come at any time.
   */
  children?: boolean | readonly string[]
  /** Fixtures of machines below it, by the machine's id, where they differ from the package's. */
  fixtures?: Readonly<Record<string, unknown>>
  /** `in-order`: of several deadlines the earliest is over first. Default: `any-order`. */
  deadlines?: 'in-order' | 'any-order'
  always?: Always<Machine>
  /** Maximum number of situations; those that are nearest to the beginning are explored. Default: 20,000. */
  limit?: number
}

export interface ModelStep<Machine extends AnyStateMachine> extends Stimulus {
  /** What is seen after it. */
  readonly seen: Seen<Machine>
}

/** Plays steps on something that behaves like the machine. */
export interface Driver {
  begin(path: ModelPath<AnyStateMachine>): Player | Promise<Player>
}

export interface Player {
  /** What is seen after the beginning or the last step; a driver leaves out what it cannot know. */
  look(): Partial<Sight> | Promise<Partial<Sight>>
  take(step: Stimulus): unknown
  stop(): unknown
}

export interface ModelPath<Machine extends AnyStateMachine> {
  /** Such as `Given an attempt: when the call is requested, then nobody answers, it is over`. */
  readonly title: string
  readonly machine: Machine
  readonly children: ModelOptions<Machine>['children']
  readonly input: InputFrom<Machine>
  readonly beginning: Seen<Machine>
  readonly steps: readonly ModelStep<Machine>[]
  /** What is seen at its end. */
  readonly end: Seen<Machine>
  /** Rejects with a PathError at the first step after which something else is seen, or what must always hold does not. */
  play(driver: Driver): Promise<void>
}

export interface Model<Machine extends AnyStateMachine> {
  readonly machine: Machine
  /** How many situations were found. */
  readonly size: number
  /** False if there are more situations than the limit. */
  readonly isComplete: boolean
  /** Names of transitions that no path takes, and of states that none reaches: of the machine and of the explored ones below it. */
  readonly unreached: readonly string[]
  /**
   * The shortest paths that reach each state, take each transition, ask each `guard` of a transition with either answer, take each
   * transition by each step that leads to it (`step`), take each pair of transitions that can follow each other, or have each event come in
   * each state that does not take it (`ignored`). But for states no path is the beginning of another one. Always the same paths in the same
   * order.
   */
  paths(options?: {
    each?: 'state' | 'transition' | 'guard' | 'step' | 'pair' | 'ignored'
  }): ModelPath<Machine>[]
  /**
   * The path of these choices: each is taken modulo the number of possible steps, the first chooses the beginning. It ends where
   * nothing can happen. With fast-check: `fc.array(fc.nat()).map(model.walk)`.
   */
  walk(choices: readonly number[]): ModelPath<Machine>
  /** A persisted snapshot for each situation. */
  snapshots(): Snapshot<unknown>[]
  /**
   * Whether the machine goes on from this persisted snapshot: it is done, or something can happen; each step that can is taken.
   * Throws what restoring or a step throws.
   */
  goesOn(snapshot: Snapshot<unknown>): boolean
}

/** A path was played, and something else happened than the model says. `difference` has the names of what differs. */
export class PathError extends Error {
  override readonly name = 'PathError'
  readonly title: string
  /** Steps that were played, the one that failed included. */
  readonly steps: readonly string[]
  readonly expected: unknown
  readonly actual: unknown

  constructor(
    title: string,
    steps: readonly string[],
    problem: string,
    expected?: unknown,
    actual?: unknown,
  ) {
    super(`${title}: ${problem} after ${steps.length === 0 ? 'the beginning' : steps.join(', ')}`)
    this.title = title
    this.steps = steps
    this.expected = expected
    this.actual = actual
  }
}

interface Situation {
  readonly time: number
  readonly persisted: Snapshot<unknown>
  readonly sight: Sight
  readonly input: string
  /** What may happen next, and what may come without effect. */
  readonly next: readonly Stimulus[]
  readonly ignored: readonly Stimulus[]
  /** The way here: the situation before it, and the step. */
  readonly from?: { readonly situation: Situation; readonly step: Stimulus }
  readonly taken: readonly string[]
  /** The sides of guards that were seen on the last step. */
  readonly sides: readonly string[]
}

interface Edge {
  readonly from: Situation
  readonly step: Stimulus
  readonly taken: readonly string[]
  readonly sides: readonly string[]
  readonly to: Situation
}

/**
 * Explores a machine with the steps of its fixture, without running anything real. Deterministic.
 *
 *     for (const path of model(residentMachine).paths({ each: 'transition' }))
 *       test(path.title, () => path.play(stage()))
 *
 * Without `fixture` it takes the package's, by the machine's id. Throws a PathError where `always` does not hold.
 */
export function model<Machine extends AnyStateMachine>(
  machine: Machine,
  fixture?: Fixture<Machine>,
  options: ModelOptions<Machine> = {},
): Model<Machine> {
  const { children = false, deadlines = 'any-order', always = {}, limit = 20_000 } = options
  const known = new Map<string, AnyFixture>(Object.entries(options.fixtures ?? {}) as [string, AnyFixture][])
  const fixtureFor = (id: string): AnyFixture | undefined => known.get(id) ?? fixtureOf(id)
  const own = (fixture ?? fixtureFor(machine.id)) as AnyFixture | undefined
  if (!own) throw new TypeError(`there is no fixture for the machine "${machine.id}"`)
  known.set(machine.id, own)

  const explores = explorer(children)
  const staged = substitute(
    machine,
    (child) => explores(child) && fixtureFor(child.id) !== undefined,
    synchronousStandIn,
  )
  let time = 0
  const clock: Clock = { now: () => time, setTimeout: () => undefined, clearTimeout: () => {} }
  let taken: string[] = []
  let sides: string[] = []
  const covered = machinesOf(staged).map((one) => counted(one, (side) => sides.push(side)))
  const inspect = (event: InspectionEvent) => {
    for (const one of covered) one.inspect(event)
    if (event.type === '@xstate.microstep' && isMachineSnapshot(event.snapshot))
      taken.push(...event._transitions.map(keyOf))
  }

  const check = (sight: Sight, input: string, steps: readonly Stimulus[]) => {
    for (const [name, holds] of Object.entries(always)) {
      if (holds(sight as Seen<Machine>, steps.at(-1))) continue
      const clauses = steps.map(({ clause }) => clause)
      throw new PathError(titleOf(input, steps, sight), clauses, `"${name}" does not hold`)
    }
  }

  /** Where it has come to; all that a situation has is computed only where it is a new one. */
  const settle = (running: Running, at: Pick<Situation, 'time' | 'input' | 'from'>) => {
    const { root } = running
    const sight = running.look()
    check(sight, at.input, at.from ? [...stepsTo(at.from.situation), at.from.step] : [])
    const [arrived, seen] = [taken, sides]
    return {
      taken: arrived,
      sides: seen,
      get key() {
        return JSON.stringify([at.input, factsOf(root), orderOf(root)])
      },
      situation: (): Situation => ({
        ...at,
        sight,
        taken: arrived,
        sides: seen,
        ...possible(root, at.time),
        persisted: (
          root as AnyActorRef & { getPersistedSnapshot(): Snapshot<unknown> }
        ).getPersistedSnapshot(),
      }),
    }
  }

  const begin = (input: string) => {
    time = 0
    taken = []
    sides = []
    return settle(run(staged, { input: own.inputs[input] }, clock, inspect), { time, input })
  }

  const follow = (situation: Situation, step: Stimulus) => {
    time = step.time
    taken = []
    sides = []
    const running = run(staged, { snapshot: situation.persisted }, clock, inspect)
    cause(running, step)
    return settle(running, { time, input: situation.input, from: { situation, step } })
  }

  /** The facts of a situation: those of its machines. */
  function factsOf(actor: AnyActorRef): unknown {
    const snapshot = actor.getSnapshot() as AnyMachineSnapshot
    const facts = fixtureFor(snapshot.machine.id)!.tellApart(snapshot.context as never)
    const lower = Object.entries(snapshot.children as Record<string, AnyActorRef | undefined>).flatMap(
      ([id, child]) => {
        const inner = child?.getSnapshot()
        return isMachineSnapshot(inner) && inner.status === 'active' ? [[id, factsOf(child!)]] : []
      },
    )
    return [snapshot.value, snapshot.status, facts, ...lower]
  }

  /** The order in which deadlines are over, where it matters. */
  function orderOf(root: AnyActorRef): unknown {
    return deadlines === 'any-order' ? undefined : deadlinesOf(root).map(({ path }) => path.join('/'))
  }

  function possible(root: AnyActorRef, now: number): Pick<Situation, 'next' | 'ignored'> {
    if (root.getSnapshot().status !== 'active') return { next: [], ignored: [] }
    const actors = below(root)
    const owners = new Map(actors.map(({ actor, owner }) => [actor, owner]))
    const earliest = deadlines === 'in-order' ? deadlinesOf(root)[0]?.path.join('/') : undefined
    const found: Stimulus[] = []
    const ignored: Stimulus[] = []
    const send = (actor: AnyActorRef, path: readonly string[], isSent: (type: string) => boolean) => {
      const snapshot = actor.getSnapshot() as AnyMachineSnapshot
      for (const [type, variants] of Object.entries(fixtureFor(snapshot.machine.id)!.events)) {
        if (!isSent(type)) continue
        for (const [clause, facts] of Object.entries(variants)) {
          const event = { type, ...facts }
          const step = { clause: whose(clause, path), at: path, event, time: now + 1 }
          if (snapshot.machine.getTransitionData(snapshot, event).length > 0) found.push(step)
          else ignored.push({ ...step, isIgnored: true })
        }
      }
    }
    const sendsOf = (actor: AnyActorRef) => {
      const { machine: logic } = actor.getSnapshot() as AnyMachineSnapshot
      return Object.entries(fixtureFor(logic.id)!.sends ?? {}) as [string, readonly string[]][]
    }
    const isExplored = (actor: AnyActorRef) => isMachineSnapshot(actor.getSnapshot())
    // without its children, a machine gets their events at any time
    const bySelf = new Set(
      children === false
        ? []
        : sendsOf(root).flatMap(([src, types]) =>
            actors.some(({ actor, owner }) => owner === root && srcOf(actor) === src && !isExplored(actor))
              ? []
              : types,
          ),
    )
    send(root, [], (type) => !bySelf.has(type))
    for (const { actor, path, owner } of actors) {
      const src = srcOf(actor)
      if (isExplored(actor)) continue
      // what a port below reports to its machine
      if (owner !== root) {
        const types = sendsOf(owner).find(([name]) => name === src)?.[1] ?? []
        send(owner, path.slice(0, -1), (type) => types.includes(type))
      }
      const { machine: logic } = owner.getSnapshot() as AnyMachineSnapshot
      const due = dueOf(actor)
      if (earliest !== undefined && due !== undefined && path.join('/') !== earliest) continue
      for (const [clause, outcome] of Object.entries(fixtureFor(logic.id)!.outcomes[src] ?? {})) {
        const step = {
          clause: whose(clause.replaceAll('{id}', inWords(path.at(-1)!)), path.slice(0, -1)),
          at: path,
          outcome,
          time: due === undefined ? now + 1 : Math.max(now, due),
        }
        if (isHandled(owners, owner, eventOf(path.at(-1)!, outcome))) found.push(step)
        else if (!('error' in outcome)) ignored.push({ ...step, isIgnored: true })
      }
    }
    return { next: found, ignored }
  }

  const situations = new Map<string, Situation>()
  const edges: Edge[] = []
  const queue: Situation[] = []
  let isComplete = true
  for (const input of Object.keys(own.inputs)) {
    const { situation, key } = begin(input)
    situations.set(key, situation())
  }
  const beginnings = [...situations.values()]
  queue.push(...beginnings)
  for (const from of queue) {
    for (const step of from.next) {
      const { situation, key, taken, sides } = follow(from, step)
      let to = situations.get(key)
      if (to === undefined && situations.size >= limit) {
        isComplete = false
        continue
      }
      if (to === undefined) {
        to = situation()
        situations.set(key, to)
        queue.push(to)
      }
      edges.push({ from, step, taken, sides, to })
    }
  }

  /** The path to a situation and these steps; computed anew, because situations of a kind are represented by one of them. */
  const pathOf = (situation: Situation, further: readonly Stimulus[] = []) => {
    let here = situation
    for (const { clause, at, isIgnored } of further) {
      const step = [...here.next, ...here.ignored].find(
        (one) => one.clause === clause && isDeepStrictEqual(one.at, at),
      )
      // a port that has ended without effect cannot end otherwise
      if (!step && isIgnored) continue
      if (!step) return undefined
      here = follow(here, step).situation()
    }
    const way: ModelStep<Machine>[] = []
    for (let at = here; at.from; at = at.from.situation)
      way.unshift({ ...at.from.step, seen: at.sight as Seen<Machine> })
    let first = here
    while (first.from) first = first.from.situation
    const path: ModelPath<Machine> = {
      title: titleOf(here.input, stepsTo(here), here.sight),
      machine,
      children,
      input: own.inputs[here.input] as InputFrom<Machine>,
      beginning: first.sight as Seen<Machine>,
      steps: way,
      end: here.sight as Seen<Machine>,
      play: (driver) => play(path as ModelPath<AnyStateMachine>, driver, always as Always<AnyStateMachine>),
    }
    return path
  }

  return {
    machine,
    snapshots: () => queue.map(({ persisted }) => persisted),
    goesOn(snapshot) {
      time = 0
      const running = run(staged, { snapshot }, clock, inspect)
      const restored = settle(running, { time, input: 'a snapshot' }).situation()
      if (restored.sight.status === 'error') throw restored.sight.output
      for (const step of restored.next) {
        const { status, output } = follow(restored, step).situation().sight
        if (status === 'error') throw output
      }
      return restored.sight.status === 'done' || restored.next.length > 0
    },
    walk([first = 0, ...choices]) {
      let here = beginnings[first % beginnings.length]!
      for (const choice of choices) {
        const step = here.next[choice % here.next.length]
        if (!step) break
        here = follow(here, step).situation()
      }
      return pathOf(here)!
    },
    size: situations.size,
    isComplete,
    unreached: covered.flatMap((one) => {
      const { states, transitions } = one.report()
      return [...states.missed, ...transitions.missed]
    }),
    paths({ each = 'state' } = {}) {
      const seen = new Set<string>()
      const isNew = (name: string) => !seen.has(name) && seen.add(name) !== undefined
      if (each === 'state')
        return queue
          .filter(({ sight }) => isNew(statesOf(sight)))
          .flatMap((situation) => pathOf(situation) ?? [])
      const ways: { situation: Situation; further: Stimulus[] }[] = []
      if (each === 'transition' || each === 'guard') {
        const what = each === 'guard' ? 'sides' : 'taken'
        for (const one of beginnings)
          if (one[what].filter(isNew).length > 0) ways.push({ situation: one, further: [] })
        for (const { from, step, [what]: news } of edges)
          if (news.filter(isNew).length > 0) ways.push({ situation: from, further: [step] })
      } else if (each === 'step') {
        for (const { from, step, taken } of edges)
          if (taken.filter((name) => isNew(`${name} ${step.clause}`)).length > 0)
            ways.push({ situation: from, further: [step] })
      } else if (each === 'ignored') {
        for (const one of queue) {
          const further = one.ignored.filter(({ clause }) => isNew(`${statesOf(one.sight)} ${clause}`))
          if (further.length > 0) ways.push({ situation: one, further })
        }
      } else {
        const after = Map.groupBy(edges, ({ from }) => from)
        for (const one of beginnings)
          for (const second of after.get(one) ?? [])
            if (pairs(one.taken, second.taken).filter(isNew).length > 0)
              ways.push({ situation: one, further: [second.step] })
        for (const first of edges)
          for (const second of after.get(first.to) ?? [])
            if (pairs(first.taken, second.taken).filter(isNew).length > 0)
              ways.push({ situation: first.from, further: [first.step, second.step] })
      }
      return longest(ways.flatMap(({ situation, further }) => pathOf(situation, further) ?? []))
    },
  }
}

/** Which machines below are explored. */
export function explorer(
  children: ModelOptions<AnyStateMachine>['children'],
): (machine: AnyStateMachine) => boolean {
  return (machine) => (Array.isArray(children) ? children.includes(machine.id) : children === true)
}

/** The machine and those below it, each id once. */
function machinesOf(machine: AnyStateMachine): AnyStateMachine[] {
  const lower = Object.values(machine.implementations.actors as Record<string, unknown>)
    .filter(isMachine)
    .flatMap(machinesOf)
  return [...new Map([machine, ...lower].map((one) => [one.id, one])).values()]
}

function srcOf(actor: AnyActorRef): string {
  return String((actor as AnyActorRef & { src: unknown }).src)
}

/** When a deadline is over, ms; undefined for every other port. */
function dueOf(actor: AnyActorRef): number | undefined {
  return srcOf(actor) === 'deadline' ? (actor.getSnapshot().input as { at: number }).at : undefined
}

function deadlinesOf(root: AnyActorRef) {
  return below(root)
    .flatMap(({ actor, path }) => {
      const due = dueOf(actor)
      return due === undefined ? [] : [{ path, due }]
    })
    .sort((one, other) => one.due - other.due)
}

function eventOf(actorId: string, outcome: FixtureOutcome): EventObject & { error?: unknown } {
  const type = `xstate.${'error' in outcome ? 'error' : 'done'}.actor.${actorId}`
  return Object.assign({ type, actorId }, outcome)
}

/** Whether somebody takes it. What a machine does not take of errors is an error of the machine. */
function isHandled(
  owners: ReadonlyMap<AnyActorRef, AnyActorRef>,
  owner: AnyActorRef,
  event: EventObject & { error?: unknown },
): boolean {
  const snapshot = owner.getSnapshot() as AnyMachineSnapshot
  if (snapshot.machine.getTransitionData(snapshot, event).length > 0) return true
  const above = owners.get(owner)
  return (
    'error' in event &&
    above !== undefined &&
    isHandled(owners, above, eventOf(owner.id, { error: event.error }))
  )
}

function whose(clause: string, path: readonly string[]): string {
  return path.length === 0 ? clause : `${clause} (${path.map(inWords).join(', ')})`
}

function stepsTo(situation: Situation): Stimulus[] {
  const steps: Stimulus[] = []
  for (let here = situation; here.from; here = here.from.situation) steps.unshift(here.from.step)
  return steps
}

function titleOf(input: string, steps: readonly Stimulus[], { value }: Sight): string {
  const clauses = steps.filter(({ isIgnored }) => !isIgnored).map(({ clause }) => clause)
  const when = clauses.length === 0 ? 'at the beginning' : `when ${clauses.join(', then ')},`
  const ignored = steps.length - clauses.length
  const more = ignored === 0 ? '' : ` and ignores ${ignored === 1 ? 'an event' : `${ignored} events`}`
  return `Given ${input}: ${when} it is ${stateName(value)}${more}`
}

function statesOf({ value, children }: Sight): string {
  return JSON.stringify([value, Object.entries(children).map(([path, child]) => [path, child.value])])
}

function pairs(first: readonly string[], second: readonly string[]): string[] {
  const from = first.at(-1)
  return from === undefined ? [] : second.map((to) => `${from} > ${to}`)
}

/** Those that are not the beginning of another one. */
function longest<Machine extends AnyStateMachine>(paths: ModelPath<Machine>[]): ModelPath<Machine>[] {
  const prefixes = new Set<string>()
  const named = paths.map((path) => {
    let name = path.title.slice(0, path.title.indexOf(': '))
    const names = [name]
    for (const { clause } of path.steps) {
      name += `\n${clause}`
      names.push(name)
    }
    for (const one of names.slice(0, -1)) prefixes.add(one)
    return { path, name }
  })
  const seen = new Set<string>()
  return named
    .filter(({ name }) => !prefixes.has(name) && !seen.has(name) && seen.add(name))
    .map(({ path }) => path)
}

async function play(
  path: ModelPath<AnyStateMachine>,
  driver: Driver,
  always: Always<AnyStateMachine>,
): Promise<void> {
  const { title, beginning, steps } = path
  const taken: string[] = []
  const fault = (problem: string, expected?: unknown, actual?: unknown) =>
    new PathError(title, taken, problem, expected, actual)
  const player = await driver.begin(path)
  try {
    await compare(beginning)
    for (const step of steps) {
      taken.push(step.clause)
      await player.take(step)
      await compare(step.seen, step)
    }
  } finally {
    await player.stop()
  }

  async function compare(expected: Sight, step?: Stimulus) {
    const seen = await player.look()
    const differing = (Object.keys(seen) as (keyof Sight)[]).filter(
      (name) => !isDeepStrictEqual(seen[name], expected[name]),
    )
    if (differing.length > 0) {
      const shown = (sight: Partial<Sight>) =>
        Object.fromEntries(differing.map((name) => [name, sight[name]]))
      throw fault(`${differing.join(', ')} differs from the model`, shown(expected), shown(seen))
    }
    if (seen.value === undefined || seen.context === undefined) return
    for (const [name, holds] of Object.entries(always))
      if (!holds(seen as Seen<AnyStateMachine>, step)) throw fault(`"${name}" does not hold`)
  }
}
