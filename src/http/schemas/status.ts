import { z } from 'zod'
import { moment } from './common.ts'

/** Something that works as configured but may surprise. Reasons why the service is not ready are in `/readyz`. */
export const remark = z
  .discriminatedUnion('code', [
    z
      .object({ code: z.literal('worker.none'), count: z.number() })
      .describe('No process with the role worker has a heartbeat: nothing is sent. Number of what waits'),
    z
      .object({ code: z.literal('incoming.grows'), came: z.number(), ended: z.number() })
      .describe(
        'Within 5 minutes more posts of messengers came than were handled, and the oldest waits for 30 s. Only for keys for all tenants',
      ),
    z
      .object({ code: z.literal('queue.waits'), seconds: z.number() })
      .describe('The oldest message or job that is due has waited for 60 s or more'),
    z
      .object({ code: z.literal('messages.retrying'), count: z.number() })
      .describe('Number of failed messages that are being retried'),
    z
      .object({
        code: z.literal('endpoint.paused'),
        endpoint: z.string(),
        tenant: z.string(),
        host: z.string(),
        until: moment,
      })
      .describe('An endpoint kept failing and is paused until then'),
    z
      .object({ code: z.literal('sending.paused'), tenant: z.string().nullable(), since: moment })
      .describe('Messages are paused; for all tenants if tenant is null'),
    z
      .object({ code: z.literal('numbers.held'), count: z.number() })
      .describe('Number of residents who are not asked in writing until their foreign numbers are confirmed'),
    z
      .object({ code: z.literal('windows.empty'), count: z.number() })
      .describe('Number of auto-open windows that end when they begin; they never open'),
    z
      .object({ code: z.literal('windows.untrusted'), count: z.number() })
      .describe(
        'Number of auto-open windows with an intent whose tenant does not trust stated intents; they never open',
      ),
    z
      .object({ code: z.literal('gate.failed'), gate: z.string(), tenant: z.string(), since: moment })
      .describe('A command to this gate opened nothing within the last hour, and none has reached it since'),
    z
      .object({ code: z.literal('gate.unused'), gate: z.string(), tenant: z.string() })
      .describe('No extension has the id of this gate, so it never opens'),
    z
      .object({ code: z.literal('entrance.gateless'), entrance: z.string(), tenant: z.string() })
      .describe(
        'This extension opens no gate, although its tenant has gates: it has none, and there is no `default`',
      ),
    z.object({ code: z.literal('clicktocall.off') }).describe('CLICKTOCALL=off: residents are not called'),
    z
      .object({ code: z.literal('audiosocket.loopback') })
      .describe(
        'No leg has come yet, and AUDIOSOCKET_HOST is loopback: an Asterisk on another host cannot connect; for keys of all tenants',
      ),
    z
      .object({ code: z.literal('gate.closed'), gate: z.string() })
      .describe(
        'A port of this extension is not open; the log has the reason. Only for keys for all tenants',
      ),
    z
      .object({ code: z.literal('database.died'), count: z.number(), since: moment })
      .describe(
        'How often the embedded Postgres died since the start of this process, and when it last did; it was started again. Only for keys for all tenants',
      ),
    z
      .object({ code: z.literal('main.blocked'), count: z.number(), since: moment })
      .describe(
        'How often a process that takes calls did nothing but one task for 2 s and more, and when it last did; sound went on. Only for keys for all tenants',
      ),
    z
      .object({ code: z.literal('main.late'), node: z.string(), ms: z.number() })
      .describe(
        'The main loop of this process was late by so many ms at p99 of ten minutes, 50 or more: it has more to do than it can. Only for keys for all tenants',
      ),
    z
      .object({ code: z.literal('media.died'), count: z.number(), since: moment })
      .describe(
        'How often the thread for sound died, and when it last did; it was started again, and its visitors connected again. Only for keys for all tenants',
      ),
    z
      .object({ code: z.literal('process.silent'), node: z.string(), since: moment })
      .describe('A process has no heartbeat and did not sign off. Only for keys for all tenants'),
  ])
  .meta({ id: 'Remark' })

/** A key for one tenant only gets its own calls and remarks; a process reports only the roles that it has. */
export const status = z
  .looseObject({
    status: z.string().optional().describe('running or draining'),
    node: z.string().optional().describe('NODE_ID'),
    roles: z.array(z.string()).optional(),
    startedAt: z.string().optional(),
    calls: z.number().optional().describe('Live calls'),
    legs: z.number().optional(),
    maxCalls: z.number().optional(),
    clickToCall: z.string().optional().describe('How residents are called: CLICKTOCALL'),
    speech: z.looseObject({}).optional().describe('`tts` and `stt`, each with its `provider`'),
    closedGates: z.array(z.string()).optional().describe('Extensions with a closed port'),
    loopback: z.boolean().optional().describe('AudioSocket is only reachable from this machine'),
    steps: z
      .object({ operator: z.boolean(), whatsapp: z.boolean() })
      .optional()
      .describe('Whether OPERATOR_EXTENSION and a messenger account of the environment are set'),
    nodes: z
      .array(z.looseObject({ isThis: z.boolean().optional(), isSilent: z.boolean().optional() }))
      .optional()
      .describe('Every process of this database, as of its last heartbeat'),
    remarks: z.array(remark).describe('Things that deserve attention'),
  })
  .meta({ id: 'Status' })

/** The service's abilities for a tenant; null while no process that takes calls is known. */
export const abilities = z
  .object({
    call: z.boolean().nullable().describe('Whether it can call residents'),
    whatsapp: z.boolean().nullable().describe('Whether an account can ask residents in writing'),
    operator: z.boolean().nullable().describe('Whether it can call an operator'),
    transcription: z.boolean().nullable().describe('Whether it transcribes visitors (STT)'),
  })
  .meta({ id: 'Abilities' })
