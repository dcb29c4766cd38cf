import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { registerQueueCommand } from '../../src/cli/queue.ts'
import { createTenant } from '../../src/directory/sql/tenants.ts'
import type { Outbound } from '../../src/outbound/outbound.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { hello, openOutbound, refuse, scriptedChannel, startWorker, watch } from '../rig/outbound-rig.ts'
import { suite } from '../rig/rig.ts'

const test = suite('outbound command')

/** What `porteiro queue …` prints beside a service that runs. */
function commands(outbound: Outbound) {
  return async (...args: string[]): Promise<string> => {
    const lines: string[] = []
    const program = new Command('porteiro').exitOverride().configureOutput({ writeErr: () => {} })
    registerQueueCommand(program, {
      withDatabase: (work) => work(outbound.database),
      print: (line) => lines.push(line),
    })
    await program.parseAsync(['queue', ...args], { from: 'user' })
    return lines.join('\n')
  }
}

test('the queue is looked at, redriven and emptied from the command line', async (rig) => {
  const outbound = await openOutbound(rig, { retryLimit: 1, retryDelayMs: 0 })
  await createTenant(outbound.database, { id: 'other', name: 'Other' })
  const seen = watch(outbound)
  const run = commands(outbound)
  const channel = scriptedChannel('twilio', refuse())
  const worker = startWorker(rig, outbound, [channel], { node: 'node-7' })
  const [one, two] = await Promise.all([
    outbound.enqueue(hello({ channel: 'twilio', to: '+5511999991234', body: { text: 'segredo' } })),
    outbound.enqueue(hello({ channel: 'twilio', to: '+5511999991234', tenantId: 'other' })),
  ])
  await seen.reaches(one.id, 'failed')
  await seen.reaches(two.id, 'failed')

  const list = await run('dead')
  assert.ok(list.includes(one.id) && list.includes(two.id) && list.includes('ENDPOINT_REFUSED'), list)
  assert.match(list, /^enqueued +id +tenant +channel +attempts +last error\n/)
  assert.is(list.split('\n').length, 3)
  assert.not((await run('dead', '--tenant', 'other')).includes(one.id))
  assert.is(await run('dead', '--channel', 'gate'), 'There are no dead messages.')
  const trace = await run('dead', '--id', one.id)
  assert.ok(/1\. .* node-7|1\. .*retrying/.test(trace) && trace.includes('failed'), trace)
  const json = await run('dead', '--json')
  assert.not(json.includes('segredo'), 'nothing of what a message says')
  assert.not(json.includes('999991234'), 'no whole telephone number')
  assert.is(JSON.parse(json).messages.length, 2)

  channel.script = () => ({})
  assert.equal(JSON.parse(await run('redrive', '--id', one.id, '--json')), { redriven: 1 })
  await seen.reaches(one.id, 'sent')
  assert.is(await run('redrive', '--since', '1h', '--tenant', 'other'), '1 redriven.')
  await seen.reaches(two.id, 'sent')
  assert.is(await run('redrive', '--queue', 'incoming'), '0 redriven.')
  channel.script = refuse()
  const three = await outbound.enqueue(hello({ channel: 'twilio', to: '+5511999991234' }))
  await seen.reaches(three.id, 'failed')
  const { exit, message } = await run('redrive').then(
    (said) => assert.unreachable(said) as never,
    (error: PorteiroError) => error,
  )
  assert.is(exit, 64)
  assert.match(message, /--tenant.*porteiro queue redrive --all$/)
  assert.is((await outbound.get(three.id)).status, 'failed', 'nothing was redriven')
  channel.script = () => ({})
  assert.is(await run('redrive', '--all'), '1 redriven.')
  await seen.reaches(three.id, 'sent')

  await worker.close()
  const waiting = await Promise.all([1, 2, 3].map(() => outbound.enqueue(hello())))
  const stats = JSON.parse(await run('stats', '--json'))
  assert.is(stats.size, 3)
  assert.ok((await run('stats')).includes('3 unsent'))
  const cancelled = await run('cancel', waiting[0]!.id, one.id, '--json')
  assert.equal(JSON.parse(cancelled), { cancelled: 1, refused: [{ id: one.id, code: 'MESSAGE_STATE' }] })
  assert.is(await run('cancel', '--channel', 'webhook'), '2 cancelled.')
  assert.is(JSON.parse(await run('stats', '--json')).size, 0)
})

test('messages are paused and resumed from the command line, and the statistics say so', async (rig) => {
  const outbound = await openOutbound(rig)
  const run = commands(outbound)
  assert.match(await run('pause'), /^Paused since \S+ by command line: all tenants\.$/)
  const pausesOf = async (answer: Promise<string>) =>
    JSON.parse(await answer).pauses.map(({ tenantId, by }: { tenantId: string; by: string }) => [
      tenantId,
      by,
    ])
  const tenant = ['--tenant', 'default']
  const everybody = [null, 'command line']
  assert.equal(await pausesOf(run('pause', ...tenant, '--json')), [everybody, ['default', 'command line']])
  assert.match(await run('stats'), /all tenants\.\nPaused since \S+ by command line: tenant default\./)
  assert.equal(await pausesOf(run('resume', ...tenant, '--json')), [everybody])
  assert.equal(await pausesOf(run('stats', '--json')), [everybody])
  assert.is(await run('resume'), 'Nothing is paused.')
  assert.not.match(await run('stats'), /Paused/)
})

test('nonsense options are refused', async (rig) => {
  const outbound = await openOutbound(rig)
  const run = commands(outbound)
  const codeOf = async (...args: string[]) => {
    try {
      return await run(...args)
    } catch (error) {
      return error instanceof PorteiroError ? error.code : (error as { code: string }).code
    }
  }
  const failureOf = (...args: string[]): Promise<PorteiroError> =>
    run(...args).then(
      (said) => assert.unreachable(said) as never,
      (error) => error,
    )
  assert.is(await codeOf('cancel'), 'USAGE_WRONG')
  assert.is(await codeOf('pause', '--tenant', 'nobody'), 'TENANT_UNKNOWN')
  assert.is(await codeOf('redrive', '--queue', 'webhook'), 'USAGE_WRONG')
  for (const command of [['dead'], ['stats'], ['redrive'], ['cancel']])
    assert.is(await codeOf(...command, '--tenant', 'nobody'), 'TENANT_UNKNOWN')
  assert.match(await failureOf('redrive', '--queue', 'nope').then(({ message }) => message), /incoming, /)
  for (const command of [
    ['redrive', '--id', 'nope'],
    ['dead', '--id', 'nope'],
    ['cancel', 'nope'],
  ]) {
    const { code, exit } = await failureOf(...command)
    assert.equal([code, exit], ['MESSAGE_UNKNOWN', 64], command.join(' '))
  }
  const { id } = await outbound.enqueue(hello())
  await run('cancel', id)
  const again = await failureOf('cancel', id)
  assert.is(again.exit, 64)
  assert.is(again.message, `Message ${id} was cancelled before; it cannot be cancelled.`)
  assert.is(await codeOf('dead', '--since', 'yesterday'), 'commander.invalidArgument')
  assert.is(await codeOf('dead', '--limit', '0'), 'commander.invalidArgument')
  assert.is(await codeOf('dead', '--channel', 'pigeon'), 'commander.invalidArgument')
  assert.is(await codeOf('dead', '--id', '11111111-2222-4333-8444-555555555555'), 'MESSAGE_UNKNOWN')
})

test.run()
