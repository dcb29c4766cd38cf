import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { eventually, type Rig } from '../rig/rig.ts'

/** One message of AMI: its fields by name. */
export type Packet = Record<string, string>

export type Manager = Awaited<ReturnType<typeof openManager>>

/** A login on a running Asterisk's manager interface (AMI), which hears every event. Waits until all modules are loaded. */
export async function openManager(rig: Rig, port: number) {
  const socket = await reach(port)
  rig.defer(() => socket.destroy())
  const events: Packet[] = []
  const listeners = new Set<(packet: Packet) => void>()
  const waiting = new Map<string, (packet: Packet) => void>()
  let rest = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    const packets = (rest + text).replace(/^Asterisk Call Manager.*\r\n/, '').split('\r\n\r\n')
    rest = packets.pop()!
    for (const packet of packets.map(fieldsOf)) {
      const answer = packet['Response'] !== undefined && waiting.get(packet['ActionID']!)
      if (answer) answer(packet)
      else events.push(packet)
      for (const listener of listeners) listener(packet)
    }
  })
  socket.on('error', () => {})

  let actions = 0
  /** Resolves when Asterisk has done it; rejects with its reason when it refused. */
  const ask = async (action: string, fields: Packet = {}): Promise<Packet> => {
    const id = String(++actions)
    const { promise, resolve } = Promise.withResolvers<Packet>()
    waiting.set(id, resolve)
    const lines = Object.entries({ Action: action, ActionID: id, ...fields })
    socket.write(`${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
    const answer = await promise
    waiting.delete(id)
    if (answer['Response'] === 'Error') throw new Error(`Asterisk refused ${action}: ${answer['Message']}`)
    return answer
  }

  /** The first event with these fields, past (from the `from`th on) or still to come. */
  const seen = (wanted: Record<string, string | RegExp>, { from = 0, ms = 20_000 } = {}): Promise<Packet> => {
    const fits = (packet: Packet) =>
      Object.entries(wanted).every(([name, value]) =>
        typeof value === 'string' ? packet[name] === value : value.test(packet[name] ?? ''),
      )
    const past = events.slice(from).find(fits)
    if (past) return Promise.resolve(past)
    const { promise, resolve, reject } = Promise.withResolvers<Packet>()
    const listener = (packet: Packet) => fits(packet) && resolve(packet)
    const timer = setTimeout(() => reject(new Error(`Asterisk did not say ${JSON.stringify(wanted)}`)), ms)
    listeners.add(listener)
    return promise.finally(() => {
      clearTimeout(timer)
      listeners.delete(listener)
    })
  }

  await ask('Login', { Username: 'test', Secret: 'test' })
  await seen({ Event: 'FullyBooted' })
  return {
    ask,
    seen,
    /** How many events with these fields there were. */
    past: (wanted: Packet) =>
      events.filter((packet) => Object.entries(wanted).every(([name, value]) => packet[name] === value))
        .length,
    /** How many events there were so far. */
    count: () => events.length,
    /** Names of the channels that live now. */
    async channels(): Promise<string[]> {
      const from = events.length
      const { ActionID: id } = await ask('CoreShowChannels')
      await seen({ Event: 'CoreShowChannelsComplete', ActionID: id! }, { from })
      return events
        .slice(from)
        .filter((packet) => packet['Event'] === 'CoreShowChannel' && packet['ActionID'] === id)
        .map((packet) => packet['Channel']!)
    },
  }
}

/** Asterisk opens the port some time after it was started, and says so nowhere. */
function reach(port: number): Promise<Socket> {
  return eventually(async () => {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return socket
    } catch {
      socket.destroy()
      return undefined
    }
  }, 20_000)
}

function fieldsOf(text: string): Packet {
  return Object.fromEntries(
    text.split('\r\n').map((line) => {
      const [name, ...value] = line.split(': ')
      return [name!, value.join(': ')]
    }),
  )
}
