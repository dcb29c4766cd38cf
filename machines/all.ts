import { askingMachine } from './asking.ts'
import { attemptMachine } from './attempt.ts'
import { brokerMachine } from './broker.ts'
import { callMachine } from './call.ts'
import { concludingMachine } from './concluding.ts'
import { contactMachine } from './contact.ts'
import { deliveryMachine } from './delivery.ts'
import { legMachine } from './leg.ts'
import { listeningMachine } from './listening.ts'
import { provingMachine } from './proving.ts'
import { questionMachine } from './question.ts'
import { reassuringMachine } from './reassuring.ts'
import { residentMachine } from './resident.ts'
import { serviceMachine } from './service.ts'
import { talkMachine } from './talk.ts'
import { unitMachine } from './unit.ts'
import { visitorMachine } from './visitor.ts'

/** Every machine, the call first: for charts and for tests that go through them all. */
export const MACHINES = [
  callMachine,
  visitorMachine,
  unitMachine,
  listeningMachine('listen'),
  questionMachine,
  contactMachine,
  attemptMachine,
  askingMachine,
  reassuringMachine,
  provingMachine,
  residentMachine,
  talkMachine,
  concludingMachine,
  legMachine,
  deliveryMachine,
  brokerMachine,
  serviceMachine,
]
