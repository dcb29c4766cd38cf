import FakeTimers, { type Clock } from '@sinonjs/fake-timers'
import { Client } from 'pg'
import { type Options, type Rig, suite } from './rig.ts'

const { setImmediate, setTimeout } = globalThis

/** Simulated time for one test: timers, Date and performance stand still until `clock.tickAsync`. */
export function simulateTime(rig: Rig): Clock {
  const clock = install(Date.UTC(2026, 0, 5, 22, 0, 0))
  rig.defer(() => clock.uninstall())
  return clock
}

/** Turns of the loop between two timers: what one socket of this process wrote, the other has read and answered. */
const TURNS = 3
/** Requests to the world outside this process; time stands still until they are answered. */
const OUTSIDE = /^(FSReq|GetAddrInfo|TCPConnect|PipeConnect|Process|Zlib|Worker)/

export interface Time {
  /** So many ms pass without a timer being served, as when the process is stopped. */
  stall(ms: number): void
}

/**
 * Simulated time that passes by itself, from timer to timer, as fast as the machine works: for what talks over sockets of
 * this process by the clock. A machine that stalls is not seen, and a minute of silence takes no time. Files, queries and
 * child processes are waited for before the next timer. Call it before anything that it shall hold for is opened.
 */
export function passTime(rig: Rig): Time {
  const clients = watchClients(rig)
  const clock = install(Date.now())
  let ended = false
  const passing = (async () => {
    while (!ended) {
      for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
      if (isWaiting(clients)) await new Promise((resolve) => setTimeout(resolve, 1))
      else if (clock.countTimers() > 0) clock.next()
    }
  })()
  rig.defer(async () => {
    ended = true
    await passing
    clock.uninstall()
  })
  return { stall: (ms) => clock.jump(ms) }
}

/** A suite each of whose tests runs on time that passes by itself. */
export function timedSuite(name: string, options?: Options) {
  const test = suite(name, options)
  return Object.assign(
    (title: string, handler: (rig: Rig, time: Time) => unknown) =>
      test(title, (rig) => handler(rig, passTime(rig))),
    {
      /** One test on the time of the machine, of which it asserts nothing. */
      real: test,
      run: test.run,
    },
  )
}

function install(now: number): Clock {
  return FakeTimers.install({
    now,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    shouldClearNativeTimers: true,
  })
}

interface Watched {
  readyForQuery?: boolean
  _ending: boolean
  _ended: boolean
}

/** Every connection to Postgres that is made from now on. */
function watchClients(rig: Rig): Set<Watched> {
  const clients = new Set<Watched>()
  const { connect } = Client.prototype
  Client.prototype.connect = function (this: Client & Watched, ...args: never[]) {
    clients.add(this)
    return Reflect.apply(connect, this, args)
  } as typeof connect
  rig.defer(() => {
    Client.prototype.connect = connect
  })
  return clients
}

function isWaiting(clients: Set<Watched>): boolean {
  for (const client of clients) {
    if (client._ending || client._ended) clients.delete(client)
    else if (!client.readyForQuery) return true
  }
  return process.getActiveResourcesInfo().some((name) => OUTSIDE.test(name))
}
