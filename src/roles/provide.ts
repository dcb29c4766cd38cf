import { brokerMachine } from '../../machines/index.ts'
import { deadline } from '../calls/index.ts'
import { createBrokerPorts } from '../clicktocall/index.ts'
import type { Link } from '../platform/amqp/index.ts'

/** The broker's machine on a real connection. */
export function provideBroker(link: Link): typeof brokerMachine {
  return brokerMachine.provide({ actors: { deadline, ...createBrokerPorts(link) } })
}
