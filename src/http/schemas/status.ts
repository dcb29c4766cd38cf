import { z } from 'zod'
import { moment } from './common.ts'

/** Something that works as it is told to and may yet surprise. What keeps the service from its work is in `/readyz`. */
export const remark = z
  .discriminatedUnion('code', [
    z
      .object({ code: z.literal('messages.retrying'), count: z.number() })
      .describe('So many messages failed and are being tried again'),
    z
      .object({
        code: z.literal('endpoint.paused'),
        endpoint: z.string(),
        tenant: z.string(),
        host: z.string(),
        until: moment,
      })
      .describe('An endpoint kept failing and is left alone until then'),
    z
      .object({ code: z.literal('sending.paused'), tenant: z.string().nullable(), since: moment })
      .describe('Messages wait: everybody’s where tenant is null'),
    z
      .object({ code: z.literal('numbers.held'), count: z.number() })
      .describe('So many residents are not asked in writing until their foreign numbers are confirmed'),
    z.object({ code: z.literal('clicktocall.off') }).describe('CLICKTOCALL=off: nobody is rung'),
    z
      .object({ code: z.literal('audiosocket.loopback') })
      .describe(
        'No leg has come yet, and AUDIOSOCKET_HOST is loopback: an Asterisk on another host cannot connect; for keys of all tenants',
      ),
    z
      .object({ code: z.literal('gate.closed'), gate: z.string() })
      .describe('A port of this extension is not open: its log line says why; for keys of all tenants'),
    z
      .object({ code: z.literal('process.silent'), node: z.string(), since: moment })
      .describe('A process gives no sign of life and did not say that it ends; for keys of all tenants'),
  ])
  .meta({ id: 'Remark' })

/** A key of one tenant is told its own calls and remarks only; what a process does not do is not in its status. */
export const status = z
  .looseObject({
    status: z.string().optional().describe('running or draining'),
    node: z.string().optional().describe('NODE_ID'),
    roles: z.array(z.string()).optional(),
    startedAt: z.string().optional(),
    calls: z.number().optional().describe('Calls that live'),
    legs: z.number().optional(),
    maxCalls: z.number().optional(),
    clickToCall: z.string().optional().describe('How residents are rung: CLICKTOCALL'),
    speech: z.looseObject({}).optional().describe('`tts` and `stt`, each with its `provider`'),
    closedGates: z.array(z.string()).optional().describe('Extensions of which a port is not open'),
    loopback: z.boolean().optional().describe('AudioSocket is open to this machine only'),
    steps: z
      .object({ operator: z.boolean(), whatsapp: z.boolean() })
      .optional()
      .describe('Whether OPERATOR_EXTENSION and a messenger account of the environment are set'),
    nodes: z
      .array(z.looseObject({ isThis: z.boolean().optional(), isSilent: z.boolean().optional() }))
      .optional()
      .describe('Every process of this database, as it said with its last sign of life'),
    remarks: z.array(remark).describe('What is worth a look'),
  })
  .meta({ id: 'Status' })

/** What the service can do for a tenant; null while no process that takes calls is heard of. */
export const abilities = z
  .object({
    call: z.boolean().nullable().describe('It can ring residents'),
    whatsapp: z.boolean().nullable().describe('There is an account to ask residents in writing by'),
    operator: z.boolean().nullable().describe('It can ring an operator'),
    transcription: z.boolean().nullable().describe('It understands what visitors say (STT)'),
  })
  .meta({ id: 'Abilities' })
