/** A persisted snapshot of XState, as far as a migration looks at it. */
interface Persisted {
  value?: unknown
  context?: Record<string, unknown>
  children?: Children
}

type Children = Record<string, { src?: unknown; snapshot?: Persisted }>

/** The ways to the present machines: of contexts by machine, and of the call as a whole. */
interface Migration {
  contexts: Readonly<Record<string, Change>>
  /** After the contexts. */
  call?: (call: Persisted) => Persisted
}

/** Changes the contexts of one machine, by its name as a child; the call's own is `call`. */
type Change = (context: Record<string, unknown>) => Record<string, unknown>

/**
 * What becomes of the snapshots of shipped machines, by their key: the changes that lead from there to the present machines, or why
 * there are none; then such a call begins anew, which is logged and told to its visitor. A changed machine gives the snapshots a new
 * key; `npm run snapshots` writes it, and the suite restores test/fixtures/snapshots/ of each key that is named here.
 */
export const MIGRATIONS: Readonly<Record<string, Migration | { none: string }>> = {
  // 2026-11: words of the field, limits of the dialogues, and a proof of the person on the line
  '69a4edb865ac4bca': beforeGates(),
  // a call that begins anew has ids of its own
  '5ec0384c45394406': beforeGates(),
  // the words follow the gate. Only the key was another one: its snapshots are those of a9fc6d4447c8c491, byte for byte
  e8e9f5ff9ef0be77: { contexts: {} },
  // the visitor of a lost call goes to the operator first: a state that calls pass before their first snapshot
  a9fc6d4447c8c491: { contexts: {} },
}

function beforeGates(): Migration {
  return {
    contexts: {
      call: (context) => ({ provenAt: context['answeredAt'] ?? null, gate: null, ...context }),
      // its words were those of the decision
      concluding: (context) => ({ decision: null, gate: null, ...context }),
      contact: ({ told, ...context }) => ({ isRefused: told ?? false, ...context }),
      listening: ({ heard, ...context }) => ({ understood: heard ?? null, ...context }),
      question: (context) => ({ bargesIn: false, keys: '', mayCorrect: true, ...context }),
      // long ago: the next sentence is due
      reassuring: (context) => ({ since: 0, ...context }),
      resident: (context) => ({ keyRequests: 0, repeats: 0, unclear: 0, ...context }),
      unit: (context) => ({ keys: '', restarts: 0, speaks: false, ...context }),
      visitor: (context) => ({ corrections: 0, keys: '', ...context }),
    },
    call: withReassuring,
  }
}

/** The search had a machine of its own that tells a visitor how it stands; now it is the call's, as long as somebody is reached for. */
function withReassuring(call: Persisted): Persisted {
  const { value, context, children = {} } = call
  const { contact } = children
  if (typeof value !== 'object' || value === null || !('reaching' in value)) return call
  const { reassuring: own, asking, ...rest } = contact?.snapshot?.children ?? {}
  const { reassuring: asked, ...others } = asking?.snapshot?.children ?? {}
  const fresh = {
    src: 'reassuring',
    syncSnapshot: false,
    snapshot: {
      status: 'active',
      value: 'quiet',
      historyValue: {},
      context: { callId: context?.['callId'], prompt: 'still-calling', since: 0 },
      children: {
        patience: {
          src: 'deadline',
          syncSnapshot: false,
          snapshot: { status: 'active', input: { at: 0 } } as Persisted,
        },
      },
    },
  }
  const found = children['reassuring'] ?? own ?? asked ?? fresh
  return {
    ...call,
    children: {
      ...children,
      reassuring: found,
      ...(contact && {
        contact: {
          ...contact,
          snapshot: {
            ...contact.snapshot,
            children: {
              ...rest,
              ...(asking && { asking: { ...asking, snapshot: { ...asking.snapshot, children: others } } }),
            },
          },
        },
      }),
    },
  }
}

/** The snapshot for the present machines; undefined where there is no way from the machines of `key`. Changes nothing in place. */
export function migrateSnapshot(key: string, snapshot: unknown): unknown {
  const migration = MIGRATIONS[key]
  if (migration === undefined || 'none' in migration) return undefined
  const call = migrated(snapshot as Persisted, 'call', migration.contexts)
  return migration.call?.(call) ?? call
}

function migrated(persisted: Persisted, name: string, changes: Migration['contexts']): Persisted {
  const { context, children } = persisted
  return {
    ...persisted,
    ...(context && { context: changes[name]?.(context) ?? context }),
    ...(children && {
      children: Object.fromEntries(
        Object.entries(children).map(([id, child]) => [
          id,
          child.snapshot && typeof child.src === 'string'
            ? { ...child, snapshot: migrated(child.snapshot, child.src, changes) }
            : child,
        ]),
      ),
    }),
  }
}
