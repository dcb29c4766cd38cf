import { collectDefaultMetrics, Registry } from 'prom-client'
import { LOOK_MS } from './loop-lateness.ts'

let registry: Registry | undefined

/**
 * prom-client's metrics of the process: CPU, memory, event loop lag, garbage collection. One registry for all services of
 * a process, because the observers behind them have no end.
 */
export function processRegistry(): Registry {
  if (!registry) {
    registry = new Registry()
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOK_MS })
  }
  return registry
}
