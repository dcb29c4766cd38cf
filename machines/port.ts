import {
  type CallbackActorLogic,
  type EventObject,
  fromCallback,
  fromPromise,
  type PromiseActorLogic,
} from 'xstate'

/**
 * A port is a place where a machine touches the world. The machines only name their ports; the service implements them with
 * `machine.provide`. A port without an implementation throws: XState itself would only warn and continue.
 */
export function port<Output, Input>(name: string): PromiseActorLogic<Output, Input> {
  return fromPromise<Output, Input>(() => Promise.reject(missing(name)))
}

/** A port that lasts as long as its state: it starts on entry, may send facts, and is undone on exit. */
export function lastingPort<Input, Sends extends EventObject = EventObject>(
  name: string,
): CallbackActorLogic<EventObject, Input, Sends> {
  return fromCallback<EventObject, Input, Sends>(() => {
    throw missing(name)
  })
}

function missing(name: string): Error {
  return new Error(`the port "${name}" is not provided`)
}
