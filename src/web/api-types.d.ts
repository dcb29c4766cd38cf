/** What the API answers, as the page gets it: the schemas of the routes, in JSON. */
import type { z } from 'zod'
import type * as schemas from '../http/schemas/index.ts'

/** A moment is a string of ISO 8601 on the wire. */
type Json<Value> = Value extends Date
  ? string
  : Value extends readonly (infer Item)[]
    ? Json<Item>[]
    : Value extends object
      ? { [Name in keyof Value]: Json<Value[Name]> }
      : Value
type Answer<Schema extends z.ZodType> = Json<z.output<Schema>>

export interface Page<Item> {
  items: Item[]
  next: string | null
}

export type Role = z.output<typeof schemas.role>
export type Scope = z.output<typeof schemas.scope>
export type Call = Answer<typeof schemas.call>
export type ListedCall = Answer<typeof schemas.listedCall>
export type CallView = Answer<typeof schemas.callView>
export type CallEvent = Answer<typeof schemas.callEvent>
export type JournalEvent = Answer<typeof schemas.journalEvent>
export type Snapshot = Answer<typeof schemas.snapshot>
export type Turn = Answer<typeof schemas.turn>
export type Recording = Answer<typeof schemas.recording>
export type Levels = Answer<typeof schemas.levels>['calls'][number]
export type Message = Answer<typeof schemas.message>
export type Attempt = Answer<typeof schemas.attempt>
export type MessageView = Answer<typeof schemas.messageView>
export type QueueStatistics = Answer<typeof schemas.queueStatistics>
export type MessageHistory = Answer<typeof schemas.messageHistory>
export type CallHistory = Answer<typeof schemas.callHistory>
export type QueuePause = Answer<typeof schemas.queuePause>
export type Tenant = Answer<typeof schemas.tenant>
export type Unit = Answer<typeof schemas.unit>
export type Block = Answer<typeof schemas.listedBlock>
export type Window = Answer<typeof schemas.listedWindow>
export type Extension = Answer<typeof schemas.extension>
export type Refreshed = Answer<typeof schemas.refreshed>
export type Endpoint = Answer<typeof schemas.endpoint>
export type EnvironmentEndpoint = Answer<typeof schemas.environmentEndpoint>
export type CreatedEndpoint = Answer<typeof schemas.createdEndpoint>
export type Endpoints = Answer<typeof schemas.endpoints>
export type Gate = Answer<typeof schemas.gate>
export type GateCommand = Answer<typeof schemas.gateCommand>
export type Key = Answer<typeof schemas.key>
export type CreatedKey = Answer<typeof schemas.createdKey>
export type Session = Answer<typeof schemas.session>
export type Readiness = Answer<typeof schemas.readiness>
export type Abilities = Answer<typeof schemas.abilities>
export type Remark = Answer<typeof schemas.remark>
export type Status = Answer<typeof schemas.status>
