import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { AnyStateMachine } from 'xstate'
import { fail } from '../platform/errors.ts'
import { definitionOf } from './definition.ts'
import type { Laid, LayoutJob } from './layout-worker.ts'
import { mermaid } from './mermaid.ts'
import { type Marked, statechart } from './statechart.ts'

export const CHART_FORMATS = ['svg', 'mermaid', 'json'] as const
export type ChartFormat = (typeof CHART_FORMATS)[number]

/**
 * The charts of these machines, each drawn on first use and cached, because machines do not change at run time. Drawings have the marked
 * states and transitions in red.
 */
export function createCharts(machines: readonly AnyStateMachine[], isMarked?: Marked) {
  const byName = new Map(machines.map((machine) => [machine.id, machine]))
  const drawn = new Map<string, Promise<string>>()
  const waiting = new Map<number, PromiseWithResolvers<string>>()
  let worker: Worker | undefined
  let asked = 0

  const machineOf = (name: string): AnyStateMachine => {
    const machine = byName.get(name)
    if (!machine) throw fail('MACHINE_UNKNOWN', { machine: name.slice(0, 100) })
    return machine
  }

  const layOut = (machine: AnyStateMachine): Promise<string> => {
    const job: LayoutJob = { id: asked++, chart: statechart(machine, isMarked) }
    const laid = Promise.withResolvers<string>()
    waiting.set(job.id, laid)
    worker ??= open()
    worker.postMessage(job)
    return laid.promise.then(coloured).finally(() => {
      waiting.delete(job.id)
      // every chart is laid out once, so the thread and its wasm can go
      if (waiting.size === 0) void close()
    })
  }

  const open = (): Worker => {
    // next to this file as .ts, or as .js in dist/
    const opened = new Worker(new URL(`./layout-worker${extname(import.meta.filename)}`, import.meta.url))
    const lose = (error: Error) => {
      // a closed worker may exit after its successor has started
      if (worker !== opened) return
      worker = undefined
      abandon(error)
    }
    opened.on('message', (laid: Laid) => {
      const one = waiting.get(laid.id)
      if ('svg' in laid) one?.resolve(laid.svg)
      else one?.reject(fail('CHART_FAILED', { reason: laid.reason }))
    })
    opened.on('error', lose)
    opened.on('exit', () => lose(fail('CHART_FAILED', { reason: 'its thread ended' })))
    return opened
  }

  const abandon = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error)
  }

  const close = async (): Promise<void> => {
    const closing = worker
    worker = undefined
    abandon(fail('CHART_FAILED', { reason: 'closed' }))
    await closing?.terminate()
  }

  /** An `<svg>` that takes its colour from `color`. Errors: MACHINE_UNKNOWN, CHART_FAILED. */
  const svg = (name: string): Promise<string> => {
    const machine = machineOf(name)
    let chart = drawn.get(name)
    if (!chart) {
      chart = layOut(machine)
      drawn.set(name, chart)
      // the next request tries again
      chart.catch(() => drawn.delete(name))
    }
    return chart
  }

  return {
    names: [...byName.keys()],
    svg,
    /** The configuration of a machine. Errors: MACHINE_UNKNOWN. */
    definition: (name: string) => definitionOf(machineOf(name)),
    /** A chart in any format as text. Errors: MACHINE_UNKNOWN, CHART_FAILED. */
    async render(name: string, format: ChartFormat): Promise<string> {
      const machine = machineOf(name)
      if (format === 'svg') return svg(name)
      if (format === 'mermaid') return mermaid(machine)
      return JSON.stringify(definitionOf(machine), null, 2)
    },
    /** Ends the thread; waiting requests reject with CHART_FAILED. */
    close,
  }
}

/**
 * Graphviz writes black on white in Helvetica; a page has its own font and two colour schemes. System fonts are wider
 * than the font it measured, so they are set a little smaller.
 */
function coloured(svg: string): string {
  return svg
    .replace(/^[\s\S]*?(?=<svg)/, '')
    .replaceAll(/(fill|stroke)="(black|#000000)"/g, '$1="currentColor"')
    .replaceAll('<text ', '<text fill="currentColor" ')
    .replaceAll(/ font-family="[^"]*"/g, '')
    .replaceAll('font-size="12.00"', 'font-size="11"')
    .replaceAll('font-size="10.00"', 'font-size="9"')
    .replace('<svg ', '<svg font-family="system-ui, sans-serif" ')
    .replaceAll('&#45;', '-')
    .trimEnd()
}

/** The chart as a standalone file with a light and a dark scheme. */
export function standalone(svg: string): string {
  const style =
    '<style>svg{color:#1b1d1f}.final path{stroke-dasharray:4 2}@media (prefers-color-scheme:dark){svg{color:#e8eaec}}</style>'
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg.replace(/(<svg[^>]*>)/, `$1\n${style}`)}\n`
}
