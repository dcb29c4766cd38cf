import * as assert from 'uvu/assert'
import { createReports, type Report } from '../../src/clicktocall/reports.ts'
import { suite } from '../rig/rig.ts'

const test = suite('reports')

const ATTEMPT = { callId: 'call', attemptId: 'call-1' }

/** What the listener of an attempt hears of these reports. */
function heard(before: Report[], after: Report[] = []): Report[] {
  const reports = createReports()
  const heard: Report[] = []
  reports.expect(ATTEMPT)
  for (const report of before) reports.report({ ...ATTEMPT, report })
  reports.listen(ATTEMPT, (report) => heard.push(report))
  for (const report of after) reports.report({ ...ATTEMPT, report })
  return heard
}

test('a report between the request and the listener is kept', () => {
  assert.equal(heard(['ringing', 'busy']), ['ringing', 'busy'])
  assert.equal(heard(['ringing'], ['declined']), ['ringing', 'declined'])
})

test('repeated, late and misordered reports are dropped', () => {
  assert.equal(heard([], ['ringing', 'ringing', 'busy', 'busy', 'answered']), ['ringing', 'busy'])
  assert.equal(heard([], ['answered', 'ringing', 'busy', 'unanswered']), ['answered'])
  assert.equal(heard([], ['declined', 'failed']), ['declined'])
})

test('a telephone that was answered can be lost before it joins', () => {
  assert.equal(heard([], ['answered', 'failed', 'failed']), ['answered', 'failed'])
})

test('who answered is reported once, and only of a telephone that was or will be answered', () => {
  assert.equal(heard([], ['ringing', 'answered', 'machine', 'person', 'busy', 'failed']), [
    'ringing',
    'answered',
    'machine',
    'failed',
  ])
  assert.equal(heard(['person'], ['answered']), ['person'])
  assert.equal(heard([], ['declined', 'machine']), ['declined'])
})

test('the listener of the line takes over from that of the ringing, in whatever order they change', () => {
  for (const first of ['forget', 'listen']) {
    const reports = createReports()
    const [ringing, line]: [Report[], Report[]] = [[], []]
    reports.expect(ATTEMPT)
    const forget = reports.listen(ATTEMPT, (report) => ringing.push(report))
    reports.report({ ...ATTEMPT, report: 'answered' })
    if (first === 'forget') forget()
    const leave = reports.listen(ATTEMPT, (report) => line.push(report))
    if (first === 'listen') forget()
    reports.report({ ...ATTEMPT, report: 'machine' })
    leave()
    reports.report({ ...ATTEMPT, report: 'failed' })
    assert.equal([ringing, line], [['answered'], ['machine']], first)
  }
})

test('reports of unexpected or finished attempts are not kept', () => {
  const reports = createReports()
  const heard: Report[] = []
  reports.report({ ...ATTEMPT, report: 'busy' })
  assert.not(reports.has(ATTEMPT))
  const forget = reports.listen(ATTEMPT, (report) => heard.push(report))
  assert.ok(reports.has(ATTEMPT))
  assert.not(reports.has({ ...ATTEMPT, callId: 'another' }), 'the attempt belongs to its call')
  forget()
  reports.report({ ...ATTEMPT, report: 'busy' })
  assert.equal(heard, [])
})

test.run()
