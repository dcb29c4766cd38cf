import { randomUUID } from 'node:crypto'
import type { DecidedCall } from '../../src/calls/index.ts'
import { createGateTargets, openDecisions } from '../../src/gates/index.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Database } from '../../src/platform/postgres/index.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import type { Rig } from './rig.ts'

type Options = Parameters<typeof openDecisions>[0]

/** Decisions whose gate acknowledges at once and whose messages nobody sends, unless the options say otherwise. */
export async function openTestDecisions(
  rig: Rig,
  {
    database,
    sender,
    ...options
  }: { database: Database; sender?: Pick<Options['sender'], 'tell'> & Partial<Options['sender']> } & Partial<
    Omit<Options, 'sender'>
  >,
) {
  let { directory } = options
  if (directory === undefined) {
    const temp = await createTempDir('decisions')
    rig.defer(() => temp.remove())
    directory = temp.path
  }
  const decisions = await openDecisions({
    database,
    outbound: {
      claim: () => ({
        id: randomUUID(),
        write: async () => {},
        writeNew: async () => {},
        begin: () => ({
          attempt: { number: 1, signal: AbortSignal.timeout(2500) },
          limited: async (sending) => {
            try {
              return { ok: true, accepted: await sending }
            } catch (error) {
              return { ok: false, error, aborted: undefined }
            }
          },
        }),
        settle: async () => {},
      }),
    },
    callEvents: { writeDecided: async () => {}, writeGateFailed: async () => {} },
    targets: createGateTargets({ database }),
    sender: { tell: async () => ({ status: 204 }), numberWithin: async () => undefined, ...sender },
    replies: { of: () => undefined },
    instance: randomUUID(),
    mayLive: () => false,
    // a busy machine is no slow database
    keepMs: 60_000,
    log: silentLog(),
    ...options,
    directory,
  })
  rig.defer(() => decisions.close())
  return decisions
}

/** A call that was decided now, or `agoMs` ago. */
export function decidedCall(
  verdict: 'authorized' | 'denied' = 'authorized',
  { agoMs = 0, ...fields }: Partial<DecidedCall> & { agoMs?: number } = {},
): DecidedCall {
  const at = Date.now() - agoMs
  return {
    id: randomUUID(),
    tenantId: 'default',
    nodeId: 'n',
    gate: null,
    unitId: '7',
    unitNumber: '101',
    state: 'concluding',
    startedAt: new Date(at - 20_000),
    endedAt: null,
    outcome: null,
    reason: null,
    decision: { verdict, by: 'resident', via: 'key', at },
    durations: null,
    ...fields,
  }
}
