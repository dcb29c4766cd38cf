import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import * as assert from 'uvu/assert'
import { parseConfig } from '../../src/config/index.ts'
import { createErrorReports } from '../../src/observe/error-reports.ts'
import { masked } from '../../src/observe/scrub.ts'
import { fail } from '../../src/platform/errors.ts'
import { captureLog } from '../rig/broker-rig.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('error reports')

interface Report {
  tags: Record<string, string>
  release: string
  exception: { values: { type: string; value: string; stacktrace?: { frames: object[] } }[] }
  [more: string]: unknown
}

/** What takes Sentry's envelopes: a line of JSON each for the envelope, an item and its content. */
async function openSentry(rig: Rig, { status = 200, silent = false } = {}) {
  const envelopes: string[] = []
  const reports: Report[] = []
  const server = createServer(async (asked, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of asked) chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    const text = (asked.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
    const [, item, content] = text.split('\n')
    envelopes.push(text)
    if (JSON.parse(item!).type === 'event') reports.push(JSON.parse(content!))
    if (!silent) response.writeHead(status).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  rig.defer(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { dsn: `http://0123456789abcdef@127.0.0.1:${port}/42`, envelopes, reports }
}

async function open(rig: Rig, dsn: string | undefined, flushMs = 60_000) {
  const { lines, log } = captureLog()
  const reports = await createErrorReports({ dsn, release: '1.2.3', log, flushMs })
  rig.defer(() => reports.close())
  return { ...reports, lines }
}

test('an error arrives with its code, its causes and its tags, and with nothing else of anybody', async (rig) => {
  const sentry = await openSentry(rig)
  const { report, close } = await open(rig, sentry.dsn)
  const callId = randomUUID()
  const cause = new Error('connect amqp://guest:hunter2@pbx.local refused for +55 11 98765-4321')
  report(fail('BROKER_REFUSED', { host: 'pbx', reason: 'ana@example.com is away' }, cause), {
    call_id: callId,
    message_id: 'm-1',
    tenant: 'default',
    leg: undefined,
  })
  await close()
  const [told] = sentry.reports
  assert.equal(told!.tags, { code: 'BROKER_REFUSED', call_id: callId, message_id: 'm-1', tenant: 'default' })
  assert.is(told!.release, 'porteiro@1.2.3')
  const values = told!.exception.values.map(({ value }) => value).toSorted()
  assert.equal(values, [
    'RabbitMQ at pbx refused the connection: [address] is away',
    'connect amqp://[secret]@pbx.local refused for [number]',
  ])
  assert.ok(told!.exception.values.some(({ stacktrace }) => (stacktrace?.frames.length ?? 0) > 0))
  for (const key of ['user', 'request', 'breadcrumbs', 'extra', 'server_name', 'modules', 'contexts'])
    assert.not.ok(key in told!, key)
  assert.not.match(sentry.envelopes.join(), /hunter2|98765|ana@/)
})

test("a bug's report has the thrown value, whatever it is", async (rig) => {
  const sentry = await openSentry(rig)
  const { report, close } = await open(rig, sentry.dsn)
  report(new TypeError('x is not a function'), { call_id: 'c' })
  report('a text')
  report(undefined)
  await close()
  assert.equal(
    sentry.reports.map(({ tags, exception }) => [tags['code'], exception.values.at(-1)!.type]).toSorted(),
    [
      ['BUG', 'PorteiroError'],
      ['BUG', 'PorteiroError'],
      ['BUG', 'TypeError'],
    ],
  )
})

test('the same error a thousand times is a few reports', async (rig) => {
  const sentry = await openSentry(rig)
  const { report, close } = await open(rig, sentry.dsn)
  for (let i = 0; i < 1000; i++) report(fail('DATABASE_UNREACHABLE', { reason: 'gone' }))
  report(fail('CALL_UNKNOWN', { callId: 'x' }))
  await close()
  const codes = sentry.reports.map(({ tags }) => tags['code'])
  assert.is(codes.filter((code) => code === 'DATABASE_UNREACHABLE').length, 5)
  assert.ok(codes.includes('CALL_UNKNOWN'), 'another one is still told')
})

test('no module is patched and the process is left as it was', async (rig) => {
  const sentry = await openSentry(rig)
  const before = [request, globalThis.fetch, console.log, process.listenerCount('uncaughtException')]
  const { report, close } = await open(rig, sentry.dsn)
  report(new Error('x'))
  await close()
  assert.equal([request, globalThis.fetch, console.log, process.listenerCount('uncaughtException')], before)
  assert.is((globalThis as { __SENTRY__?: { acs?: object } }).__SENTRY__?.acs, undefined)
})

test('a Sentry that is away, refuses or hangs holds nobody up', async (rig) => {
  const away = await open(rig, 'http://0123456789abcdef@127.0.0.1:1/42')
  away.report(new Error('x'))
  await away.close()
  const refusing = await openSentry(rig, { status: 403 })
  const refused = await open(rig, refusing.dsn)
  refused.report(new Error('x'))
  await eventually(() => refused.lines.find(({ msg }) => msg === 'Sentry refused a report'))
  await refused.close()
  const silent = await openSentry(rig, { silent: true })
  const hanging = await open(rig, silent.dsn, 50)
  hanging.report(new Error('x'))
  await eventually(() => silent.envelopes[0])
  await hanging.close()
  assert.ok(hanging.lines.some(({ msg }) => msg === 'not every report to Sentry has left'))
  hanging.report(new Error('after the end'))
  assert.is(silent.envelopes.length, 1)
})

test('without a DSN nothing is reported, and Sentry is not loaded', async () => {
  const code = `
    const { createErrorReports } = await import('${new URL('../../src/observe/error-reports.ts', import.meta.url)}')
    const reports = await createErrorReports({ dsn: undefined, release: '1', log: undefined })
    reports.report(new Error('x'))
    await reports.close()
    console.log(JSON.stringify(Object.keys(globalThis).filter((key) => /sentry/i.test(key))))`
  assert.is((await run(code)).stdout.trim(), '[]')
})

test('with a DSN and without the library, the error says what to install', async () => {
  const code = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== '@sentry/node') return next(specifier, context)
        throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })
    const { createErrorReports } = await import('${new URL('../../src/observe/error-reports.ts', import.meta.url)}')
    await createErrorReports({ dsn: 'https://key@localhost/1', release: '1', log: undefined }).catch(
      ({ code, exit, message }) => console.log(code, exit, message),
    )`
  assert.match((await run(code)).stdout, /^SENTRY_MISSING 78 .*npm install @sentry\/node/)
})

test('an exception that nobody caught is reported before the process ends', async (rig) => {
  const sentry = await openSentry(rig)
  const code = `
    const { createErrorReports, reportLast } = await import('${new URL('../../src/observe/error-reports.ts', import.meta.url)}')
    process.on('uncaughtException', async (error) => {
      await reportLast(error)
      process.exit(70)
    })
    await createErrorReports({ dsn: '${sentry.dsn}', release: '1', log: console, flushMs: 60_000 })
    setImmediate(() => { throw new RangeError('nobody caught it') })`
  assert.is((await run(code)).exit, 70)
  assert.is(sentry.reports[0]!.exception.values.at(-1)!.value, 'nobody caught it')
})

test('numbers, addresses and secrets are masked in any way of writing; ids and codes are not', () => {
  const id = randomUUID()
  for (const [text, left] of [
    ['rang +55 (11) 98765-4321 twice', 'rang [number] twice'],
    ['5511987654321 and 11 3456-7890', '[number] and [number]'],
    ['mail joao.silva@example.com.br', 'mail [address]'],
    ['Authorization: Bearer abc.def-ghi', 'Authorization: Bearer [secret]'],
    ['{"password":"p4ss"}', '{"password":"[secret]"}'],
    ['postgres://u:p@db:5432/x', 'postgres://[secret]@db:5432/x'],
    ['key ptr_0123456789abcdefghij', 'key [secret]'],
    [`call ${id} on port 8080 after 5000 ms`, `call ${id} on port 8080 after 5000 ms`],
    ['00000000-1111-2222-3333-444444444444', '00000000-1111-2222-3333-444444444444'],
  ] as const)
    assert.is(masked(text), left)
  assert.is(masked('x'.repeat(5000)).length, 1000)
})

test('SENTRY_DSN has a form', () => {
  const dsn = 'https://abc123@o1.ingest.sentry.io/42'
  assert.is(parseConfig({ SENTRY_DSN: dsn }).sentryDsn, dsn)
  assert.is(parseConfig({}).sentryDsn, undefined)
  for (const wrong of ['https://o1.ingest.sentry.io/42', 'abc', 'https://abc@host/', 'ftp://abc@host/4'])
    assert.throws(
      () => parseConfig({ SENTRY_DSN: wrong }),
      ({ code }: { code: string }) => code === 'CONFIG_INVALID',
    )
})

function run(code: string): Promise<{ exit: number | null; stdout: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  return new Promise((resolve) => child.on('close', (exit) => resolve({ exit, stdout })))
}

test.run()
