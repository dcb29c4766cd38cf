import { transition } from 'xstate'
import { type DeliveryEvent, deliveryMachine } from '../../machines/index.ts'
import { fail } from '../platform/errors.ts'
import type { MessageStatus } from './message.ts'
import type { MessageRow } from './sql/messages.ts'

export type DeliveryState = Pick<MessageRow, 'id' | 'status' | 'attempts' | 'attemptsBefore' | 'maxRetries'>

/** Statuses in the words of an error. */
const STATES: Record<MessageStatus, string> = {
  pending: 'is waiting',
  processing: 'is on its way',
  retrying: 'waits for its next try',
  sent: 'was sent before',
  failed: 'is dead',
  expired: 'expired before',
  cancelled: 'was cancelled before',
}

/** The machine's answers, by situation: it is pure, and there are only a few dozen situations. */
const answers = new Map<string, MessageStatus | undefined>()

/**
 * The status of a message after an event, by `deliveryMachine`. `attempts` are those before the event. Throws MESSAGE_STATE if
 * the machine does not accept the event in this status.
 */
export function advance(message: DeliveryState, event: DeliveryEvent): MessageStatus {
  const after = ask(message, event)
  if (after !== undefined) return after
  const { id: messageId, status } = message
  const wanted = event.type.slice('message.'.length)
  throw fail('MESSAGE_STATE', { messageId, status, state: STATES[status], event: wanted })
}

export function mayHappen(message: DeliveryState, event: DeliveryEvent): boolean {
  return ask(message, event) !== undefined
}

function ask({ status, attempts, attemptsBefore, maxRetries }: DeliveryState, event: DeliveryEvent) {
  const tries = attempts - attemptsBefore
  // all inputs of its guards
  const situation = [
    status,
    event.type,
    'final' in event && event.final,
    tries <= maxRetries,
    tries > 1,
  ].join()
  if (!answers.has(situation)) {
    const before = deliveryMachine.resolveState({ value: status, context: { maxRetries, tries } })
    const [after] = before.can(event) ? transition(deliveryMachine, before, event) : [undefined]
    answers.set(situation, after?.value)
  }
  return answers.get(situation)
}
