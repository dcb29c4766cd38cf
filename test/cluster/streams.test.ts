import { randomUUID } from 'node:crypto'
import * as assert from 'uvu/assert'
import { lastStreamWord, messagesOf, readStreamWord, streamWords } from '../../src/cluster/codec.ts'
import { enterNodes } from '../../src/cluster/presence.ts'
import type { Publisher } from '../../src/cluster/publisher.ts'
import { createRequests, type Requests } from '../../src/cluster/requests.ts'
import { createStreams, type SubscribeOptions } from '../../src/cluster/subscriptions.ts'
import { openTopics } from '../../src/cluster/topics.ts'
import { fail } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openTestDatabase } from '../rig/database.ts'
import { failure } from '../rig/failure.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('streams')

/** ms. So that a test need not wait for the next look; nothing ends because a busy machine was late. */
const LOOK_MS = 100
const LEASE_MS = 300_000
/** An answer that a slow Postgres refused is asked for again before the test gives up. */
const ANSWER_MS = 20_000

type AskOne = Requests['askOne']

interface NodeOptions {
  /** As a process that is still being opened. */
  isStarting?: boolean
  /** Stands before what is asked of other processes. */
  asking?: (askOne: AskOne, ...asked: Parameters<AskOne>) => ReturnType<AskOne>
  renewMs?: number
  leaseMs?: number
}

async function openNodes(rig: Rig) {
  const database = await openTestDatabase(rig)
  const log = silentLog()
  const open = async (nodeId: string, { isStarting, asking, ...pace }: NodeOptions = {}) => {
    const instance = randomUUID()
    const topics = await openTopics({ database, instance, log })
    rig.defer(() => topics.close())
    const presence = await enterNodes({
      database,
      instance,
      nodeId,
      roles: [nodeId],
      log,
      beatMs: LOOK_MS,
    })
    rig.defer(() => presence.leave())
    const requests = createRequests({ database, topics, presence, log, answerMs: ANSWER_MS })
    rig.defer(() => requests.close())
    const askOne: AskOne = asking ? (...asked) => asking(requests.askOne, ...asked) : requests.askOne
    const streams = createStreams({
      topics,
      presence,
      requests: { offer: requests.offer, askOne },
      log,
      renewMs: LOOK_MS,
      leaseMs: LEASE_MS,
      ...pace,
    })
    rig.defer(() => streams.close())
    if (!isStarting) await presence.describe(() => ({}))
    return { instance, streams, presence, topics }
  }
  return { database, open }
}

/** Gives what `tell` is called with to every taker, and counts them. */
function fountain() {
  const takers = new Set<(json: string) => void>()
  const wanted: unknown[] = []
  const publisher: Publisher = (input, tell) => {
    if (input === 'nothing') throw fail('CALL_UNKNOWN', { callId: 'nothing' })
    wanted.push(input)
    takers.add(tell)
    tell(JSON.stringify({ hello: input }))
    return {
      ask(question) {
        if (question === 'wrong') throw fail('EVENT_REFUSED', { event: 'wrong', machine: 'call' })
        return { answer: question }
      },
      close: () => void takers.delete(tell),
    }
  }
  return {
    publisher,
    takers,
    wanted,
    tell(message: unknown) {
      for (const tell of takers) tell(JSON.stringify(message))
    },
  }
}

/** A process that gives water, and one that may take it. */
async function openPair(rig: Rig, takers: NodeOptions = {}, givers: NodeOptions = {}) {
  const { database, open } = await openNodes(rig)
  const [giver, taker] = [await open('voice', givers), await open('web', takers)]
  const source = fountain()
  giver.streams.serve('water', source.publisher)
  return { database, giver, taker, source }
}

/** A taker that keeps all it hears. */
function listening(options: Partial<SubscribeOptions> = {}) {
  const heard: unknown[] = []
  const told: string[] = []
  return {
    heard,
    /** `opened` and `lost`, in their order. */
    told,
    options: {
      name: 'water',
      input: 1,
      onMessages: (messages: readonly string[]) =>
        heard.push(...messages.map((message) => JSON.parse(message))),
      opened: () => void told.push('opened'),
      lost: () => void told.push('lost'),
      ...options,
    },
  }
}

test('published messages reach the other process whole and in order, whatever their size', async (rig) => {
  const { giver, taker, source } = await openPair(rig)
  const { heard, options } = listening({ input: { deep: ['ação', 7] } })
  const subscription = taker.streams.subscribe(options)
  await subscription.ready
  assert.equal(subscription.instances(), [giver.instance])
  const long = 'condomínio 🏢 "quoted"\n\t'.repeat(3000)
  const sent = Array.from({ length: 300 }, (_, at) => (at === 150 ? { at, long } : { at }))
  for (const message of sent) source.tell(message)
  await eventually(() => (heard.length === 301 ? true : undefined))
  assert.equal(heard, [{ hello: { deep: ['ação', 7] } }, ...sent])
  assert.equal(await subscription.ask(giver.instance, { is: 'ó' }), { answer: { is: 'ó' } })
  const refused = await failure(subscription.ask(giver.instance, 'wrong'))
  assert.equal([refused.code, refused.details], ['EVENT_REFUSED', { event: 'wrong', machine: 'call' }])

  subscription.close()
  await eventually(() => (source.takers.size === 0 ? true : undefined))
  assert.equal(
    [giver, taker].map(({ streams }) => streams.counts()),
    [
      { published: 0, subscribed: 0 },
      { published: 0, subscribed: 0 },
    ],
  )
})

test('several processes are distinguished, and one that starts later is subscribed to as well', async (rig) => {
  const { open } = await openNodes(rig)
  const taker = await open('web')
  const first = await open('voice-1')
  const source = fountain()
  first.streams.serve('water', source.publisher)
  const by: [string, unknown][] = []
  const { options } = listening({
    onMessages: (messages, instance) =>
      by.push(...messages.map((one) => [instance, JSON.parse(one)] as [string, unknown])),
  })
  const subscription = taker.streams.subscribe(options)
  await subscription.ready
  const second = await open('voice-2')
  second.streams.serve('water', source.publisher)
  // it is seen with the taker's next sign of life
  await eventually(() => (by.length === 2 ? true : undefined))
  assert.equal(by, [
    [first.instance, { hello: 1 }],
    [second.instance, { hello: 1 }],
  ])
  subscription.close()
})

test('a process that ends is lost; one that gives no such stream, or refuses it, is none', async (rig) => {
  const { giver, taker, source } = await openPair(rig)
  const { told, options } = listening()
  const subscription = taker.streams.subscribe(options)
  const [unknown, refused] = ['air', 'water'].map((name) =>
    taker.streams.subscribe(listening({ name, input: 'nothing' }).options),
  )
  await Promise.all([subscription.ready, unknown!.ready, refused!.ready])
  await eventually(() => told.length > 0 || undefined)
  assert.equal([told, unknown!.instances(), refused!.instances()], [['opened'], [], []])
  await giver.streams.close()
  await eventually(() => (told.includes('lost') ? true : undefined))
  assert.equal([subscription.instances(), source.takers.size], [[], 0])
  const error = await failure(subscription.ask(giver.instance, 1))
  assert.is(error.code, 'STREAM_OVER')
})

test('a process that closes says so, long before anybody would miss it', async (rig) => {
  const { giver, taker } = await openPair(rig, { renewMs: 600_000 })
  const { told, options } = listening()
  await taker.streams.subscribe(options).ready
  await giver.streams.close()
  await eventually(() => (told.includes('lost') ? true : undefined))
})

test('a process that is being opened is asked once it is open', async (rig) => {
  const { open } = await openNodes(rig)
  const [giver, taker] = [await open('voice', { isStarting: true }), await open('web')]
  const { told, heard, options } = listening()
  const subscription = taker.streams.subscribe(options)
  await subscription.ready
  assert.equal(told, [])
  const source = fountain()
  giver.streams.serve('water', source.publisher)
  await giver.presence.describe(() => ({}))
  await eventually(() => (heard.length > 0 ? true : undefined))
  subscription.close()
})

test('a giver that is silent for a moment is not lost, and many streams are renewed at once', async (rig) => {
  const { open } = await openNodes(rig)
  const renewals: number[] = []
  let isSilent = false
  const giver = await open('voice')
  const taker = await open('web', {
    async asking(askOne, node, name, input) {
      if (name === 'stream.renew') {
        renewals.push((input as string[]).length)
        if (isSilent) throw fail('CALL_ELSEWHERE_SILENT', { node: node.nodeId })
      }
      return askOne(node, name, input)
    },
  })
  const source = fountain()
  giver.streams.serve('water', source.publisher)
  const { told, options } = listening()
  const subscriptions = Array.from({ length: 20 }, () => taker.streams.subscribe(options))
  // what is asked in vain on a busy machine is asked again
  await eventually(
    () => subscriptions.every((subscription) => subscription.instances().length === 1) || undefined,
  )
  told.length = 0
  renewals.length = 0
  const more = async () => {
    const before = renewals.length
    await eventually(() => (renewals.length > before + 1 ? true : undefined))
  }
  await more()
  isSilent = true
  await more()
  isSilent = false
  await more()
  assert.equal(told, [])
  assert.equal([...new Set(renewals)], [20], 'one for all of them')
  assert.ok(source.takers.size >= 20)
  for (const subscription of subscriptions) subscription.close()
})

test('a subscription that broke while it was opened is opened anew, once', async (rig) => {
  const { open } = await openNodes(rig)
  let isFirst = true
  const { heard, told, options } = listening()
  const giver = await open('voice')
  const taker = await open('web', {
    async asking(askOne, node, name, input) {
      const answer = await askOne(node, name, input)
      if (name !== 'stream.open' || !isFirst) return answer
      isFirst = false
      await eventually(() => (heard.length > 0 ? true : undefined))
      throw fail('CALL_ELSEWHERE_SILENT', { node: node.nodeId })
    },
  })
  const source = fountain()
  giver.streams.serve('water', source.publisher)
  const subscription = taker.streams.subscribe(options)
  await eventually(() => (told.length >= 2 ? true : undefined))
  assert.equal(told.slice(0, 2), ['lost', 'opened'])
  await eventually(() => (heard.length === 2 && source.takers.size === 1 ? true : undefined))
  subscription.close()
})

test('a stream that nobody renews ends', async (rig) => {
  const { giver, taker, source } = await openPair(rig, {}, { leaseMs: 500 })
  await taker.streams.subscribe(listening().options).ready
  assert.is(source.wanted.length, 1)
  // as a process that is killed: it says nothing any more
  await taker.streams.close()
  await eventually(() => (source.takers.size === 0 ? true : undefined))
  assert.is(giver.streams.counts().published, 0)
})

test('after a cut connection it begins anew instead of going on with a gap', async (rig) => {
  const { database, taker, source } = await openPair(rig)
  const { heard, told, options } = listening()
  const subscription = taker.streams.subscribe(options)
  await subscription.ready
  await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where query ilike 'listen %' and query like '%' || $1 || '%' and pid <> pg_backend_pid()`,
    [`${database.schema}_signals`],
  )
  await eventually(() => (told.length >= 3 ? true : undefined))
  assert.equal(told.slice(0, 3), ['opened', 'lost', 'opened'])
  await eventually(() => (source.takers.size === 1 ? true : undefined))
  source.tell('after')
  await eventually(() => (heard.at(-1) === 'after' ? true : undefined))
  subscription.close()
})

test('a publisher that exceeds what Postgres takes is ended, and subscribed to anew', async (rig) => {
  const { taker, source } = await openPair(rig)
  const { told, options } = listening()
  const subscription = taker.streams.subscribe(options)
  await subscription.ready
  const megabyte = 'x'.repeat(1024 * 1024)
  for (let times = 0; times < 5; times++) source.tell(megabyte)
  assert.is(source.takers.size, 0)
  // a busy machine may lose the second one as well
  await eventually(() => (told.length >= 3 ? true : undefined))
  assert.equal(told.slice(0, 3), ['opened', 'lost', 'opened'])
  assert.ok(source.wanted.length >= 2)
  subscription.close()
})

test('a stream that is closed while it is asked for leaves nothing behind', async (rig) => {
  const { taker, source } = await openPair(rig)
  for (const early of [true, false]) {
    const subscription = taker.streams.subscribe(listening().options)
    if (early) subscription.close()
    else setImmediate(subscription.close)
    await subscription.ready
    await eventually(() => (source.takers.size === 0 ? true : undefined))
    assert.is(taker.streams.counts().subscribed, 0)
  }
})

test('words are parts of at most a NOTIFY each, and other words are none', () => {
  const messages = [JSON.stringify({ text: 'é'.repeat(5000) }), '1', JSON.stringify('line\nbreak')]
  const words = streamWords('id', 7, messages)
  assert.ok(words.length > 3)
  assert.ok(words.every((word) => Buffer.byteLength(word) < 7950))
  const read = words.map((word) => readStreamWord(word)!)
  assert.equal(
    read.map(({ number }) => number),
    words.map((_, at) => 7 + at),
  )
  assert.equal(
    read.map(({ mark }) => mark),
    words.map((_, at) => (at === words.length - 1 ? '.' : '+')),
  )
  const parts = read.map(({ part }) => part)
  assert.equal(
    messagesOf(parts).map((message) => JSON.parse(message)),
    messages.map((message) => JSON.parse(message)),
  )
  assert.equal(readStreamWord(lastStreamWord('id', 3)), { stream: 'id', number: 3, mark: '!', part: '' })
  for (const word of ['', 'id', 'id x . {}', 'id 1 ? {}']) assert.is(readStreamWord(word), undefined)
})

test.run()
