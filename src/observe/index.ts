/**
 * Metrics, timings and error reports. It reads the sources it is given and knows no other room.
 * Never: personal data or secrets in a label, a tag or a report.
 */
export { createErrorReports, type ErrorReports, reportLast } from './error-reports.ts'
export { watchLoop } from './loop-lateness.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { createTimings, type Timings } from './timings.ts'
