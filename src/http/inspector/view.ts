import {
  feedMessage,
  INSPECTED_KINDS,
  type Inspection,
  machineOf,
  statelyMessage,
} from '../../inspect/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import { checkedEvent, sendableTo } from './events.ts'

/** A viewer, its scope and its protocol. Plain data, because it is sent to every process with watched actors. */
export interface ViewWanted {
  protocol: 'page' | 'stately'
  /** The name of the key. */
  by: string
  /** Null: all tenants, and the service itself. */
  tenantId: string | null
  operates: boolean
  masked: boolean
  /** Only this call, or everything. */
  call: string | null
}

export interface Sending {
  name: string
  /** Id of the actor, as published. */
  id: string
  event: Record<string, unknown>
}

/** A view of the actors of one process. */
interface View {
  /** False: this process has no such root. */
  watch(name: string | null): boolean
  /** Errors: KEY_SCOPE, ACTOR_UNKNOWN, EVENT_REFUSED, and STREAM_OVER after `close`. */
  send(sending: Sending): void
  close(): void
}

export interface ViewOptions {
  inspection: Inspection
  /** Records in a call's journal an event that `by` sends by hand in this turn. */
  note: (callId: string, by: string, data: Record<string, unknown>) => void
  log: Pick<Logger, 'warn'>
  /** Prefix of each actor id if several processes are watched, because each counts from 0. */
  place?: string
}

/** Starts to publish the actors of this process, each message one JSON text: a FeedMessage, or one of Stately's. */
export function openView(
  { inspection, note, log, place = '' }: ViewOptions,
  { protocol, by, tenantId, operates, masked, call }: ViewWanted,
  tell: (json: string) => void,
): View {
  const options = { masked, place, sendable: operates ? sendableTo : () => [] }
  const viewing = inspection.open({
    // actors without a tenant are only visible with access to all tenants
    sees: (of) => (tenantId === null || tenantId === of.tenantId) && (call === null || of.name === call),
    kinds: call === null ? INSPECTED_KINDS : ['call'],
    everything: protocol === 'stately',
    tell(happening) {
      const message =
        protocol === 'page' ? feedMessage(happening, options) : statelyMessage(happening, options)
      if (message) tell(JSON.stringify(message))
    },
  })

  let isOpen = true
  return {
    watch: viewing.watch,
    send({ name, id, event }) {
      if (!isOpen) throw fail('STREAM_OVER')
      if (!operates) throw fail('KEY_SCOPE', { scope: 'operate' })
      const found = id.startsWith(place) ? viewing.find(name, id.slice(place.length)) : undefined
      if (!found) throw fail('ACTOR_UNKNOWN')
      const { of, actor } = found
      const machine = machineOf(actor)
      const checked = checkedEvent(machine, event, by)
      const sent = { actor: actor === of.root ? machine : actor.id, event: checked.type, by }
      if (of.kind === 'call') note(of.name, by, sent)
      log.warn(
        { ...(of.kind === 'call' && { call_id: of.name }), tenant: of.tenantId, ...sent },
        'sent by hand',
      )
      actor.send(checked)
    },
    close() {
      isOpen = false
      viewing.close()
    },
  }
}
