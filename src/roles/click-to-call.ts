import type { brokerMachine, DialRequest } from '../../machines/index.ts'
import {
  type Broker,
  createAri,
  createAriDialer,
  createLoopbackDialer,
  createManualDialer,
  createNoDialer,
  type Dialer,
  openAmqpDialer,
  type RingReport,
  type Telephone,
} from '../clicktocall/index.ts'
import type { Config } from '../config/index.ts'
import type { Link } from '../platform/amqp/index.ts'
import type { Logger } from '../platform/log.ts'

interface ClickToCallOptions {
  config: Config
  /** Provides the broker's machine with the real connection. */
  provide: (link: Link) => typeof brokerMachine
  /** The simulated telephone of CLICKTOCALL=loopback. */
  telephone: () => Telephone
  /** Notifies an external dialer (CLICKTOCALL=manual). */
  wanted: (request: DialRequest) => void
  /** The resident port of the main pair, once it is open. */
  residentPort: () => number
  /** The resident port of the call's own entrance; undefined for the main pair. */
  ownPort: (callId: string) => number | undefined
  /** A result of an attempt that does not ring in this process. */
  onForeign: (report: RingReport) => void
  log: Logger
}

/** Opens the configured dialer and its broker, if it has one. Errors: every BROKER_ code. */
export async function openClickToCall({
  config: { clickToCall, audiosocket: address, amqp, ari },
  provide,
  telephone,
  wanted,
  residentPort,
  ownPort,
  onForeign,
  log,
}: ClickToCallOptions): Promise<{ dialer: Dialer; broker?: Broker }> {
  const { mode, queue, resultQueue, cancels, license } = clickToCall
  const audiosocket = () => address.advertise ?? `${bracketed(reachable(address.host))}:${residentPort()}`
  if (mode === 'amqp') {
    return openAmqpDialer({
      amqp: amqp!,
      queue,
      resultQueue,
      cancels,
      license,
      // a PBX side that does not know the leg's UUID must come in by the tenant's own entrance
      audiosocket: (callId) => atPort(audiosocket(), ownPort(callId)),
      onForeign,
      provide,
      log,
    })
  }
  if (mode === 'ari') return { dialer: createAriDialer({ ari: createAri(ari!), audiosocket, log }) }
  if (mode === 'manual') return { dialer: createManualDialer({ wanted }) }
  if (mode === 'loopback') return { dialer: createLoopbackDialer({ telephone: telephone(), log }) }
  return { dialer: createNoDialer() }
}

function atPort(address: string, port: number | undefined): string {
  return port === undefined ? address : address.replace(/:\d+$/, `:${port}`)
}

/** An address to connect to, for a listening address. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
