import * as assert from 'uvu/assert'
import { sweepRollups } from '../../src/analytics/sweep.ts'
import { addMessage } from '../rig/http-rig.ts'
import { logIn, snapshot, visit, withChromium } from '../rig/page-rig.ts'
import { eventually, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

const test = suite('page: history')
const inChromium = withChromium(test)

inChromium('history is plotted, survives a reload, and speaks both languages', async (rig) => {
  const house = await openService(rig)
  const database = house.service.database as Parameters<typeof addMessage>[0]
  for (const status of ['failed', 'failed', 'cancelled'])
    await addMessage(database, { tenantId: 'default', status })
  const visitor = house.visitor()
  await visitor.heard('ask-unit')
  visitor.hangUp()
  await house.ending(visitor.id)
  let minutes = 0
  await eventually(async () => {
    // as if the minutes between two sweeps had passed; the call's row is written behind it
    const now = new Date(Date.now() + ++minutes * 60_000)
    await sweepRollups({ database, retentionDays: 90, now: () => now })
    const rows = await database.query('select from call_rollups')
    return rows.length > 0 || undefined
  })

  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  await page.getByRole('link', { name: 'History' }).click()
  const row = (text: string) => page.locator('tbody tr', { hasText: text })
  await row('Total').getByText('3').waitFor()
  await page.locator('.plot canvas').first().waitFor()
  await page.getByLabel('Period').selectOption('week')
  await page.getByLabel('By').selectOption('channel')
  await row('WhatsApp').getByText('100').waitFor()
  assert.match(page.url(), /#\/analytics\/messages\/week\/channel$/)
  await page.reload()
  await row('WhatsApp').getByText('100').waitFor()
  await page.locator('.plot canvas').first().waitFor()
  await page.getByLabel('Of').selectOption('calls')
  await row('Total').getByText('1').first().waitFor()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV' }).click(),
  ])
  assert.is(download.suggestedFilename(), 'porteiro-calls.csv')

  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/calls/${visitor.id}`)
  const timing = page.getByRole('region', { name: 'Timing' })
  await timing.locator('[data-step="greeting"]').waitFor()
  await timing.locator('[data-step="end"]').waitFor()
  await page.getByRole('button', { name: 'Português' }).click()
  await page.getByRole('region', { name: 'Tempos' }).getByText('saudação').waitFor()
  await page.getByRole('link', { name: 'Histórico' }).click()
  await page.getByLabel('Período').waitFor()
  await snapshot(page, 'history')
  assert.equal(here.complaints, [])
})

test.run()
