import type { AnyStateMachine, CallbackActorLogic, EventObject, PromiseActorLogic } from 'xstate'
import { type AskRequest, askingMachine } from './asking.ts'
import { attemptMachine, type DialRequest, type RingResult } from './attempt.ts'
import { callMachine } from './call.ts'
import { concludingMachine } from './concluding.ts'
import { contactMachine } from './contact.ts'
import type { Deadline } from './deadline.ts'
import { type LegEvent, type LegRef, legMachine } from './leg.ts'
import { listeningMachine } from './listening.ts'
import type { Decision, GateAnswer } from './outcome.ts'
import { type Greeting, provingMachine, type ScreeningFact } from './proving.ts'
import { questionMachine } from './question.ts'
import { reassuringMachine } from './reassuring.ts'
import { residentMachine, type SpokenAnswer } from './resident.ts'
import type {
  Listening,
  Piece,
  Recording,
  RecordingName,
  Role,
  Said,
  Saying,
  SharedNumber,
} from './speech.ts'
import { talkMachine } from './talk.ts'
import { type Unit, type UnitFound, unitMachine, type VisitorSpeech } from './unit.ts'
import type { Matched } from './visit.ts'
import { visitorMachine } from './visitor.ts'

/** All ports of the call machine and the machines below it. */
export interface CallPorts {
  deadline: PromiseActorLogic<void, Deadline>
  say: PromiseActorLogic<Said, Saying>
  sayBoth: PromiseActorLogic<{ beganAt: number }, { callId: string; words: Record<Role, Piece[]> }>
  record: PromiseActorLogic<Recording, { callId: string; role: Role; name: RecordingName }>
  listen: PromiseActorLogic<VisitorSpeech, Listening>
  listenToAnswer: PromiseActorLogic<SpokenAnswer, Listening>
  listenToGreeting: PromiseActorLogic<Greeting, { callId: string }>
  screen: CallbackActorLogic<EventObject, { callId: string }, ScreeningFact>
  findUnit: PromiseActorLogic<UnitFound, SharedNumber & { callId: string }>
  match: PromiseActorLogic<Matched, { callId: string; unit: Unit }>
  dial: PromiseActorLogic<void, DialRequest>
  ring: CallbackActorLogic<EventObject, DialRequest, RingResult>
  ask: PromiseActorLogic<void, AskRequest>
  await: CallbackActorLogic<EventObject, { callId: string; asks: boolean }>
  tone: CallbackActorLogic<EventObject, { callId: string; role: Role; tone: 'ringback' | 'hold' }>
  bridge: CallbackActorLogic<EventObject, { callId: string }>
  hear: CallbackActorLogic<EventObject, LegRef, LegEvent>
  hangUp: PromiseActorLogic<void, LegRef>
  release: PromiseActorLogic<void, LegRef>
  commitDecision: PromiseActorLogic<Decision | null, { callId: string }>
  openGate: PromiseActorLogic<GateAnswer, { callId: string }>
}

/** The call machine, or a variant of it, and every machine below it, with these ports. */
export function provideCall(ports: CallPorts): typeof callMachine
export function provideCall<Variant extends AnyStateMachine>(ports: CallPorts, variant: Variant): Variant
export function provideCall(ports: CallPorts, variant: AnyStateMachine = callMachine): AnyStateMachine {
  const { deadline, say, sayBoth, record, listen, listenToAnswer, listenToGreeting, screen, findUnit } = ports
  const { match, dial, ring, ask, tone, bridge, hear, hangUp, release, commitDecision, openGate } = ports
  const unit = unitMachine.provide({
    actors: {
      say,
      deadline,
      findUnit,
      listening: listeningMachine<VisitorSpeech>('listen').provide({ actors: { listen, deadline } }),
    },
  })
  const question = questionMachine.provide({ actors: { say, record } })
  const answer = listeningMachine<SpokenAnswer>('listenToAnswer')
  return variant.provide({
    actors: {
      say,
      deadline,
      match,
      tone,
      reassuring: reassuringMachine.provide({ actors: { say, deadline } }),
      leg: legMachine.provide({ actors: { hear, hangUp, release, deadline } }),
      visitor: visitorMachine.provide({ actors: { say, unit, question } }),
      contact: contactMachine.provide({
        actors: {
          say,
          deadline,
          tone,
          attempt: attemptMachine.provide({ actors: { deadline, dial, ring } }),
          await: ports.await,
          asking: askingMachine.provide({ actors: { say, deadline, ask } }),
        },
      }),
      resident: residentMachine.provide({
        actors: { say, listening: answer.provide({ actors: { listen: listenToAnswer, deadline } }) },
      }),
      proving: provingMachine.provide({ actors: { say, deadline, listenToGreeting, screen } }),
      talk: talkMachine.provide({ actors: { sayBoth, bridge, deadline } }),
      concluding: concludingMachine.provide({ actors: { say, sayBoth, deadline, commitDecision, openGate } }),
    },
  })
}
