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

/** Who looks, at what, and in which protocol. Plain data: it goes to every process whose actors are looked at. */
export interface LookWanted {
  protocol: 'page' | 'stately'
  /** The name of the key. */
  by: string
  /** Null: of all tenants, and of the service itself. */
  tenantId: string | null
  operates: boolean
  masked: boolean
  /** Of this call alone, or of whatever lives. */
  call: string | null
}

export interface Sending {
  name: string
  /** Of the actor, as it was told. */
  id: string
  event: Record<string, unknown>
}

/** One who looks at the actors of one process. */
interface Look {
  /** False: no such root lives here. */
  watch(name: string | null): boolean
  /** Errors: KEY_SCOPE, ACTOR_UNKNOWN, EVENT_REFUSED, and STREAM_OVER after `close`. */
  send(sending: Sending): void
  close(): void
}

export interface LookOptions {
  inspection: Inspection
  /** Notes in a call's journal what was sent to it by hand. */
  note: (callId: string, data: Record<string, unknown>) => void
  log: Pick<Logger, 'warn'>
  /** Before each id of an actor, where several processes are looked at: each counts its own from 0. */
  place?: string
}

/** Begins to tell of the actors of this process, each message one JSON text: a FeedMessage, or one of Stately's. */
export function openLook(
  { inspection, note, log, place = '' }: LookOptions,
  { protocol, by, tenantId, operates, masked, call }: LookWanted,
  tell: (json: string) => void,
): Look {
  const options = { masked, place, sendable: operates ? sendableTo : () => [] }
  const viewing = inspection.open({
    // what belongs to no tenant is for those who see all of them
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
      if (of.kind === 'call') note(of.name, sent)
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
