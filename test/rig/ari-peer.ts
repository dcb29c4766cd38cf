import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Rig } from './rig.ts'

export interface Asked {
  method: string
  path: string
  query: URLSearchParams
  body: unknown
  authorization: string | undefined
}

/** Says something else than Asterisk would: a status and its reason, or nothing at all. */
export type Answer = { status: number; reason: string } | 'hang' | undefined

export interface AriPeerOptions {
  /** Asked before Asterisk's own answer; undefined lets that one stand. */
  answer?: (asked: Asked) => Answer
  /** A channel was made. */
  onOriginate?: (asked: Asked) => void
}

export type AriPeer = Awaited<ReturnType<typeof openAri>>

/** ARI as a running Asterisk 22 was seen to answer: 200, 409 for a channelId that rings, 204 and 404 for a DELETE, 401. */
export async function openAri(rig: Rig, { answer, onOriginate }: AriPeerOptions = {}) {
  const asked: Asked[] = []
  const ringing = new Set<string>()
  const login = `Basic ${Buffer.from('porteiro:secret-word').toString('base64')}`
  const wake = new Set<() => void>()

  const reply = (request: Asked): Exclude<Answer, undefined> => {
    const said = answer?.(request)
    if (said) return said
    if (request.authorization !== login) return { status: 401, reason: 'Authentication required' }
    if (request.method === 'GET') return { status: 200, reason: '' }
    if (request.method === 'DELETE') {
      const there = ringing.delete(decodeURIComponent(request.path.split('/').at(-1)!))
      return there ? { status: 204, reason: '' } : { status: 404, reason: 'Channel not found' }
    }
    const id = request.query.get('channelId')!
    if (ringing.has(id)) return { status: 409, reason: 'Channel with given unique ID already exists' }
    ringing.add(id)
    onOriginate?.(request)
    return { status: 200, reason: '' }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    let text = ''
    for await (const part of request) text += part
    const { pathname, searchParams } = new URL(request.url!, 'http://ari')
    const one: Asked = {
      method: request.method!,
      path: pathname,
      query: searchParams,
      body: text === '' ? undefined : JSON.parse(text),
      authorization: request.headers.authorization,
    }
    const said = reply(one)
    asked.push(one)
    for (const woken of wake) woken()
    if (said === 'hang') return
    response.writeHead(said.status, { 'content-type': 'application/json' })
    response.end(said.status === 204 ? undefined : JSON.stringify({ message: said.reason }))
  }

  const until = async (fits: () => boolean) => {
    while (!fits() && !rig.signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          wake.delete(done)
          resolve()
        }
        wake.add(done)
        rig.signal.addEventListener('abort', done, { once: true })
      })
    }
  }

  const tell = (type: string, facts: object) => {
    for (const watcher of watchers) watcher.send(JSON.stringify({ type, application: 'porteiro', ...facts }))
  }

  const server = createServer((request, response) => void handle(request, response).catch(() => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const watchers = new Set<WebSocket>()
  const events = new WebSocketServer({ noServer: true })
  let refuses = false
  server.on('upgrade', (request, socket, head) => {
    if (refuses || request.headers.authorization !== login) return socket.destroy()
    events.handleUpgrade(request, socket, head, (watcher) => {
      watchers.add(watcher)
      watcher.on('close', () => watchers.delete(watcher))
      for (const woken of wake) woken()
    })
  })
  rig.defer(async () => {
    for (const watcher of watchers) watcher.terminate()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/ari`,
    asked,
    ringing,
    /** Resolves once somebody listens to the events. */
    watched: () => until(() => watchers.size > 0),
    /** Cuts the connections of those who listen; `refusing` leaves them out until `admit`. */
    cutEvents({ refusing = false } = {}) {
      refuses = refusing
      for (const watcher of watchers) watcher.terminate()
    },
    admit() {
      refuses = false
    },
    /** A telephone rings, or is answered. */
    changes: (id: string, state: 'Ringing' | 'Up') => tell('ChannelStateChange', { channel: { id, state } }),
    /** AMD() of Asterisk has set its result on an answered channel. */
    screens: (id: string, value: 'HUMAN' | 'MACHINE' | 'NOTSURE') =>
      tell('ChannelVarset', { variable: 'AMDSTATUS', value, channel: { id, state: 'Up' } }),
    /** A telephone rings no more, with a Q.850 cause. */
    ends(id: string, cause: number, state: 'Ringing' | 'Up' = 'Ringing') {
      ringing.delete(id)
      tell('ChannelDestroyed', { cause, channel: { id, state } })
    },
    /** Requests of a method so far, once there are as many. */
    async count(method: string, wanted: number): Promise<Asked[]> {
      const found = () => asked.filter((one) => one.method === method)
      await until(() => found().length >= wanted)
      return found()
    },
  }
}

/** An Asterisk that answers is waited for, one that hangs only as long as `timeoutMs`. */
export function ariSettings({ url }: { url: string }, { timeoutMs = 60_000 } = {}) {
  return {
    url,
    user: 'porteiro',
    password: 'secret-word',
    endpoint: 'PJSIP/{number}',
    context: 'porteiro-resident',
    callerId: 'Portaria',
    timeoutMs,
  }
}
