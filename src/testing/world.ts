import {
  type ActorLogic,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
  fromTransition,
  type InspectionEvent,
  type NonReducibleUnknown,
  type Snapshot,
} from 'xstate'
import type { Clock } from '../../machines/index.ts'
import type { FixtureOutcome } from './fixture.ts'

/** What is seen of a machine and of those below it after a step. */
export interface Sight {
  readonly value: unknown
  readonly context: unknown
  readonly status: string
  readonly output: unknown
  /** The machines below it that run, by the path of ids to them, such as `visitor/unit`. */
  readonly children: Readonly<Record<string, { readonly value: unknown; readonly context: unknown }>>
  /** The ports that are in use, by the path of ids to them, with their input. */
  readonly waiting: Readonly<Record<string, unknown>>
  /** What the step told the machine's parent. */
  readonly told: readonly EventObject[]
  /** The ports and machines below that it began, by their ids: also one that it began anew. */
  readonly began: readonly string[]
  /** What it told the ports and machines below, by their ids. */
  readonly sent: readonly { readonly to: string; readonly event: EventObject }[]
}

/** A step: an event of the machine or of one below it, or how a port ends. */
export interface Stimulus {
  readonly clause: string
  /** Ids from the machine down to the actor that the event goes to, or to the port that ends. */
  readonly at: readonly string[]
  readonly event?: EventObject
  readonly outcome?: FixtureOutcome
  /** When it happens, ms on the model's clock. */
  readonly time: number
  /** It comes where the machine does not take it. */
  readonly isIgnored?: true
}

export function isMachine(logic: unknown): logic is AnyStateMachine {
  return typeof logic === 'object' && logic !== null && 'getStateNodeById' in logic
}

export function isMachineSnapshot(snapshot: unknown): snapshot is AnyMachineSnapshot {
  return typeof snapshot === 'object' && snapshot !== null && 'machine' in snapshot
}

/** The machine with a stand-in for each of its actors but the machines to explore, which get stand-ins in their turn. */
export function substitute(
  machine: AnyStateMachine,
  explores: (machine: AnyStateMachine) => boolean,
  standIn: (src: string) => AnyActorLogic,
): AnyStateMachine {
  const actors = Object.entries(machine.implementations.actors as Record<string, unknown>)
  return machine.provide({
    actors: Object.fromEntries(
      actors.map(([src, logic]) => [
        src,
        isMachine(logic) && explores(logic) ? substitute(logic, explores, standIn) : standIn(src),
      ]),
    ),
  })
}

const END = 'porteiro.end'

type StandInSnapshot = Snapshot<unknown> & { input: unknown }

/** A port that ends at once when it is told how: nothing of an exploration is asynchronous. */
const STAND_IN: ActorLogic<StandInSnapshot, EventObject & Partial<FixtureOutcome>, NonReducibleUnknown> = {
  getInitialSnapshot: (_, input) => ({ status: 'active', output: undefined, error: undefined, input }),
  transition(snapshot, event) {
    if (event.type !== END) return snapshot
    const { input } = snapshot
    return 'error' in event
      ? { status: 'error', output: undefined, error: event.error, input }
      : { status: 'done', output: (event as { output?: unknown }).output, error: undefined, input }
  },
  getPersistedSnapshot: (snapshot) => snapshot,
}

export function synchronousStandIn(): AnyActorLogic {
  return STAND_IN
}

/** A running machine whose parent notes what it is told. */
export interface Running {
  readonly root: AnyActorRef
  look(): Sight
  /** The actor at the end of these ids, if it is there. */
  at(ids: readonly string[]): AnyActorRef | undefined
  stop(): void
}

/** Starts a machine, or restores it. */
export function run(
  machine: AnyStateMachine,
  from: { input: unknown } | { snapshot: Snapshot<unknown> },
  clock: Clock,
  inspect: (event: InspectionEvent) => void = () => {},
): Running {
  let told: EventObject[] = []
  let sent: Sight['sent'][number][] = []
  let began: string[] = []
  const listener = fromTransition((_, event: EventObject) => void told.push(event), undefined)
  const parent = createActor(listener, { clock })
  parent.system.inspect((inspected) => {
    inspect(inspected)
    const actor = inspected.actorRef as AnyActorRef
    if (actor === parent || actor.id === machine.id) return
    if (inspected.type === '@xstate.actor') began.push(actor.id)
    if (inspected.type === '@xstate.event' && !/^(xstate|porteiro)\./.test(inspected.event.type))
      sent.push({ to: actor.id, event: inspected.event })
  })
  parent.start()
  const root = createActor(machine, { id: machine.id, parent, ...from } as never) as AnyActorRef
  root.start()
  // what runs on was not begun by a step
  if ('snapshot' in from) began = []
  return {
    root,
    look() {
      const sight = { ...lookAt(root), told, sent, began }
      told = []
      sent = []
      began = []
      return sight
    },
    at: (ids) =>
      ids.reduce<AnyActorRef | undefined>((actor, id) => actor?.getSnapshot().children?.[id], root),
    stop: () => parent.stop(),
  }
}

/** Lets it happen, where the stand-ins are synchronous. */
export function cause(running: Running, { at, event, outcome }: Stimulus): void {
  running.at(at)!.send(event ?? { type: END, ...outcome })
}

function lookAt(root: AnyActorRef): Omit<Sight, 'told' | 'sent' | 'began'> {
  const { value, context, status, output, error } = root.getSnapshot()
  const children: Record<string, { value: unknown; context: unknown }> = {}
  const waiting: Record<string, unknown> = {}
  for (const { actor, path } of below(root)) {
    const snapshot = actor.getSnapshot()
    const name = path.join('/')
    if (isMachineSnapshot(snapshot)) children[name] = { value: snapshot.value, context: snapshot.context }
    else waiting[name] = snapshot.input
  }
  return { value, context, status, output: status === 'error' ? error : output, children, waiting }
}

interface Below {
  readonly actor: AnyActorRef
  readonly path: readonly string[]
  readonly owner: AnyActorRef
}

/** All actors below this one that run, parents first. */
export function below(owner: AnyActorRef, path: readonly string[] = []): Below[] {
  const { children = {}, status } = owner.getSnapshot()
  if (status !== 'active') return []
  return Object.entries(children as Record<string, AnyActorRef | undefined>).flatMap(([id, actor]) => {
    if (actor?.getSnapshot().status !== 'active') return []
    const here = [...path, id]
    return [{ actor, path: here, owner }, ...below(actor, here)]
  })
}
