import { brokerMachine } from '../../machines/index.ts'
import { deadline } from '../calls/deadline.ts'
import { createBrokerPorts } from '../clicktocall/broker.ts'
import type { Link } from '../platform/amqp/link.ts'

/** The broker's machine on a real connection. */
export function provideBroker(link: Link): typeof brokerMachine {
  return brokerMachine.provide({ actors: { deadline, ...createBrokerPorts(link) } })
}
