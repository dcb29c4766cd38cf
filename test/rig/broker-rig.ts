import { randomBytes } from 'node:crypto'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { type ChannelModel, type ConsumeMessage, connect } from 'amqplib'
import { pino } from 'pino'
import { waitFor } from 'xstate'
import { type Broker, type BrokerState, createBroker } from '../../src/clicktocall/broker.ts'
import { createPublisher } from '../../src/clicktocall/publisher.ts'
import { type Environment, parseConfig } from '../../src/config/config.ts'
import { createLink } from '../../src/platform/amqp/link.ts'
import type { Logger } from '../../src/platform/log.ts'
import { provideBroker } from '../../src/roles/provide.ts'
import type { Rig, suite } from './rig.ts'

export const BROKER_URL = process.env['AMQP_URL'] || 'amqp://guest:guest@127.0.0.1:5672'

const { hostname, port } = new URL(BROKER_URL)
const BROKER = { host: hostname, port: Number(port || 5672) }

const answers = await new Promise<boolean>((resolve) => {
  const socket = connectTcp(BROKER)
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  socket.once('close', () => resolve(false)).unref()
  socket.once('connect', () => socket.destroy())
})

/** A test that needs RabbitMQ: skipped by name where none answers, except under CI. */
export function withBroker(test: ReturnType<typeof suite>) {
  return (title: string, handler: (rig: Rig) => unknown, limit?: number) => {
    if (answers || process.env['CI'] === 'true') test(title, handler, limit)
    else test.skip(title, `no RabbitMQ at ${BROKER.host}:${BROKER.port}`)
  }
}

export interface Line {
  level: string
  msg: string
  [fact: string]: unknown
}

export function captureLog(): { lines: Line[]; log: Logger } {
  const lines: Line[] = []
  const formatters = { level: (level: string) => ({ level }) }
  const write = (line: string) => void lines.push(JSON.parse(line))
  return { lines, log: pino({ level: 'debug', base: null, formatters }, { write }) }
}

/** A connection that is nobody's but the test's. */
export async function openPeer(rig: Rig): Promise<ChannelModel> {
  const model = await connect(BROKER_URL)
  model.on('error', () => {})
  rig.defer(() => model.close().catch(() => {}))
  return model
}

/** A name that no other test has; the queue and its dead letters are gone when the test ends. */
export async function queueName(rig: Rig): Promise<string> {
  const queue = `porteiro-test-${randomBytes(6).toString('hex')}`
  const peer = await openPeer(rig)
  rig.defer(async () => {
    const channel = await peer.createChannel()
    await channel.deleteQueue(queue)
    await channel.deleteQueue(`${queue}.dead`)
  })
  return queue
}

/** Every message of a queue, acknowledged, in the order of its coming. */
export async function openConsumer(rig: Rig, queue: string) {
  const peer = await openPeer(rig)
  const channel = await peer.createChannel()
  const messages: ConsumeMessage[] = []
  const wake = new Set<() => void>()
  await channel.assertQueue(queue, { durable: true })
  await channel.consume(queue, (message) => {
    if (!message) return
    messages.push(message)
    channel.ack(message)
    for (const woken of wake) woken()
  })
  return {
    messages,
    async count(wanted: number): Promise<ConsumeMessage[]> {
      while (messages.length < wanted && !rig.signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = () => {
            wake.delete(done)
            resolve()
          }
          wake.add(done)
          rig.signal.addEventListener('abort', done, { once: true })
        })
      }
      return messages
    },
  }
}

/** The configuration of a broker whose tries come fast; what it waits for, only a fault keeps it from. */
export function brokerConfig(environment: Environment = {}) {
  const { amqp } = parseConfig({
    AMQP_URL: BROKER_URL,
    AMQP_CONNECTION_ATTEMPTS: '3',
    AMQP_RETRY_DELAY_MS: '50',
    AMQP_SOCKET_TIMEOUT_MS: '60000',
    AMQP_BLOCKED_TIMEOUT_MS: '60000',
    ...environment,
  })
  return amqp!
}

/** A publisher and its broker; connecting has begun. */
export function openPublisher(rig: Rig, queue: string, environment: Environment = {}) {
  const { url, connectMs, settings } = brokerConfig(environment)
  const { lines, log } = captureLog()
  const link = createLink({ url, queue, connectMs, prepare: (...to) => publisher.prepare(...to), log })
  const publisher = createPublisher({
    facts: link.facts,
    queue,
    confirmMs: settings.blockedMs,
    patient: settings.onFailure === 'crash',
    log,
  })
  const broker: Broker = createBroker({ machine: provideBroker(link), link, settings, log })
  publisher.follow(broker)
  rig.defer(async () => {
    publisher.close()
    await broker.close()
  })
  return { broker, publisher, lines, log }
}

/** Resolves in the moment in which the connection is so: some states last only as long as a timer. */
export async function becomes({ actor, state }: Broker, wanted: BrokerState): Promise<void> {
  await waitFor(actor, () => state() === wanted, { timeout: Infinity })
}

const CONNECTION_BLOCKED = 60
const CONNECTION_UNBLOCKED = 61

/** A method of the class `connection`, as RabbitMQ itself would send it between two frames. */
function methodFrame(method: number, reason?: string): Buffer {
  const text = reason === undefined ? Buffer.alloc(0) : Buffer.from(`\0${reason}`)
  if (reason !== undefined) text[0] = reason.length
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 4 + text.length, 0, 10, 0, method])
  return Buffer.concat([head, text, Buffer.of(0xce)])
}

/** A way to RabbitMQ that can be cut, closed and opened again. */
export async function openProxy(rig: Rig) {
  const pairs = new Set<Socket>()
  const nears = new Set<Socket>()
  let refusing = false
  let stalled = false
  let muted = false
  let blocked = false
  const held: (() => void)[] = []
  const server = createServer((near) => {
    if (refusing) return near.resetAndDestroy()
    const far = connectTcp(BROKER)
    nears.add(near)
    near.on('close', () => nears.delete(near))
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.add(from)
      from.on('error', () => {})
      from.on('data', (bytes) => {
        if (blocked && from === near) held.push(() => to.write(bytes))
        else if (!stalled && !(muted && from === far)) to.write(bytes)
      })
      from.on('end', () => to.end())
      from.on('close', () => {
        pairs.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of pairs) socket.resetAndDestroy()
  }
  rig.defer(async () => {
    cut()
    await new Promise((resolve) => server.close(resolve))
  })
  const url = new URL(BROKER_URL)
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`
  return {
    url: url.href,
    /** Breaks every connection; new ones are refused until `restore`. */
    fail() {
      refusing = true
      cut()
    },
    cut,
    /** Connections stand, and nothing passes. */
    stall() {
      stalled = true
    },
    /** What is sent arrives, and no word comes back. */
    mute() {
      muted = true
    },
    /** As under a memory or disk alarm: told so, and what is sent lies in the socket until it is over. */
    block() {
      blocked = true
      for (const socket of nears) socket.write(methodFrame(CONNECTION_BLOCKED, 'low on memory'))
    },
    unblock() {
      blocked = false
      for (const pass of held.splice(0)) pass()
      for (const socket of nears) socket.write(methodFrame(CONNECTION_UNBLOCKED))
    },
    restore() {
      refusing = false
      blocked = false
      stalled = false
      muted = false
    },
  }
}

/** Something that listens where a broker should. */
export async function openStranger(rig: Rig, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.defer(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return `amqp://guest:secret-word@127.0.0.1:${(server.address() as { port: number }).port}`
}
