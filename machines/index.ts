export { MACHINES } from './all.ts'
export {
  type BrokerContext,
  type BrokerEvent,
  type BrokerFailure,
  type BrokerSettings,
  brokerMachine,
} from './broker.ts'
export {
  type CallContext,
  type CallEvent,
  type CallInput,
  type CallOutput,
  type CallSettings,
  callMachine,
  type Matched,
} from './call.ts'
export { type Attempt, type Contact, type ContactInput, contactMachine, type DialRequest } from './contact.ts'
export { type Deadline, deadline, inMs } from './deadline.ts'
export { type HungUp, type LegEvent, type LegInput, type LegRef, legMachine } from './leg.ts'
export { type Decision, type Ending, goodbye, type Outcome, type Reason } from './outcome.ts'
export { lastingPort, port } from './port.ts'
export {
  type Answer,
  RESIDENT_KEYS,
  RESIDENT_PATIENCE,
  residentMachine,
  type SpokenAnswer,
  type Verdict,
} from './resident.ts'
export { type ServiceEvent, serviceMachine } from './service.ts'
export type { Piece, Recording, RecordingName, Role, Said, Saying } from './speech.ts'
export {
  type Unit,
  VISITOR_PATIENCE,
  type VisitorOutput,
  type VisitorSpeech,
  visitorMachine,
} from './visitor.ts'
