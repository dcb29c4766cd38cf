import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  type AnyTransitionDefinition,
  createActor,
  createEmptyActor,
  type EventObject,
} from 'xstate'

/** Called for each microstep. */
type Tell = (
  snapshot: AnyMachineSnapshot,
  transitions: readonly AnyTransitionDefinition[],
  event: EventObject,
  actor: AnyActorRef,
) => void

/**
 * Computes single transitions without running anything, and reports each microstep, the initial ones first. XState
 * reports transitions only to inspectors, so it uses the system of an actor that is never started.
 */
export function createReplay(machine: AnyStateMachine, input: unknown, tell: Tell) {
  const parent = createEmptyActor()
  parent.system.inspect((event) => {
    // the machine's children are created but never started, and also report their initialisation
    if (event.type !== '@xstate.microstep') return
    const snapshot = event.snapshot as AnyMachineSnapshot
    if (snapshot.machine?.id === machine.id)
      tell(snapshot, event._transitions, event.event, event.actorRef as AnyActorRef)
  })
  const self = createActor(machine, { input, parent })
  const nothing = () => {}
  const scope = {
    self,
    system: self.system,
    id: '',
    sessionId: '',
    logger: nothing,
    defer: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: nothing,
  }
  return {
    initial: self.getSnapshot() as AnyMachineSnapshot,
    transition: (snapshot: AnyMachineSnapshot, event: EventObject) =>
      machine.transition(snapshot, event, scope) as AnyMachineSnapshot,
  }
}

export function transitionsOf(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])]
}

/** A key that is equal for a machine and its provided variants, whose definitions are different objects. */
export function keyOf(transition: AnyTransitionDefinition): string {
  const { source, eventType } = transition
  const index = transitionsOf(source).indexOf(transition)
  return `${source.id} ${eventType} ${index}`
}

/** Such as `visitor.unit.waiting: silence over [askedEnough] → visitor.gaveUp`. */
export function nameOf({ source, eventType, guard, target }: AnyTransitionDefinition): string {
  const named = typeof guard === 'object' && guard !== null && 'type' in guard ? guard.type : guard
  const when = guard === undefined ? '' : ` [${typeof named === 'string' ? named : 'inline'}]`
  const to = target === undefined ? '' : ` → ${target.map(({ id }) => id).join(', ')}`
  return `${source.id}: ${happening(eventType)}${when}${to}`
}

/** For example `xstate.done.actor.silence` becomes `silence over`. */
export function happening(type: string): string {
  if (type === '') return 'always'
  return type
    .replace(/^xstate\.done\.actor\.(.+)$/, '$1 over')
    .replace(/^xstate\.error\.actor\.(.+)$/, '$1 failed')
}
