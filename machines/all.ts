import { brokerMachine } from './broker.ts'
import { callMachine } from './call.ts'
import { contactMachine } from './contact.ts'
import { legMachine } from './leg.ts'
import { residentMachine } from './resident.ts'
import { serviceMachine } from './service.ts'
import { visitorMachine } from './visitor.ts'

/** Every machine, the call first: for charts and for tests that go through them all. */
export const MACHINES = [
  callMachine,
  visitorMachine,
  contactMachine,
  residentMachine,
  legMachine,
  brokerMachine,
  serviceMachine,
]
