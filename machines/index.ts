export { MACHINES } from './all.ts'
export { type AskingOutput, type AskRequest, askingMachine } from './asking.ts'
export {
  type AttemptFact,
  attemptMachine,
  type Contact,
  type DialRequest,
  type RingEnd,
  type RingResult,
} from './attempt.ts'
export {
  type BrokerContext,
  type BrokerEvent,
  type BrokerFailure,
  type BrokerSettings,
  brokerMachine,
} from './broker.ts'
export { callMachine } from './call.ts'
export { type Clock, clockOf } from './clock.ts'
export { type ConcludingInput, concludingMachine } from './concluding.ts'
export {
  type AskStep,
  type AttemptEnd,
  type ContactInput,
  type ContactStep,
  contactMachine,
  type EndedAttempt,
  type LineEnd,
  type Missed,
  type OpenAttempt,
  type RingStep,
  TOGETHER,
  type TogetherStep,
} from './contact.ts'
export { type Deadline, deadline, inMs } from './deadline.ts'
export { type DeliveryContext, type DeliveryEvent, type DeliveryInput, deliveryMachine } from './delivery.ts'
export { type HungUp, type LegEvent, type LegInput, type LegRef, legMachine } from './leg.ts'
export { type ListeningInput, type ListeningOutput, listeningMachine } from './listening.ts'
export {
  type Decision,
  type Ending,
  type GateAnswer,
  goodbye,
  OUTCOMES,
  type Outcome,
  type Reason,
} from './outcome.ts'
export { lastingPort, port } from './port.ts'
export { type CallPorts, provideCall } from './provide.ts'
export {
  type AnswerCheck,
  type Greeting,
  PROVING,
  type ProvingInput,
  type ProvingOutput,
  provingMachine,
  type Screened,
  type ScreeningFact,
} from './proving.ts'
export { type QuestionInput, type QuestionOutput, questionMachine } from './question.ts'
export { REASSURING_MS, reassuringMachine } from './reassuring.ts'
export {
  type Answer,
  RESIDENT_KEYS,
  RESIDENT_PATIENCE,
  residentMachine,
  type SpokenAnswer,
  type Verdict,
} from './resident.ts'
export { type ServiceEvent, serviceMachine } from './service.ts'
export type {
  Listening,
  Piece,
  Recording,
  RecordingName,
  Role,
  Said,
  Saying,
  SharedNumber,
} from './speech.ts'
export { stateName } from './state-name.ts'
export { type TalkInput, talkMachine } from './talk.ts'
export {
  type GaveUp,
  type Unit,
  type UnitFound,
  type UnitInput,
  type UnitOutput,
  unitMachine,
  VISITOR_PATIENCE,
  type VisitorSpeech,
} from './unit.ts'
export type { CallContext, CallEvent, CallInput, CallOutput, CallSettings, Matched } from './visit.ts'
export { type VisitorOutput, visitorMachine } from './visitor.ts'
