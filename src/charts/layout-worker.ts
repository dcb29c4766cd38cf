/**
 * Lays charts out in a separate thread: Graphviz in wasm takes 0.1 s and more per chart, and the thread that paces the
 * calls' audio has 20 ms.
 */
import { parentPort } from 'node:worker_threads'
import { type IStateMachine, render } from 'state-machine-cat'

export interface LayoutJob {
  id: number
  chart: IStateMachine
}

export type Laid = { id: number; svg: string } | { id: number; reason: string }

parentPort?.on('message', async ({ id, chart }: LayoutJob) => {
  let laid: Laid
  try {
    const svg = await render(chart, {
      inputType: 'json',
      outputType: 'svg',
      noDotNativeWarning: true,
      dotGraphAttrs: [
        { name: 'bgcolor', value: 'transparent' },
        { name: 'pad', value: '0.2' },
        { name: 'nodesep', value: '0.25' },
        { name: 'ranksep', value: '0.3' },
      ],
    })
    laid = { id, svg }
  } catch (error) {
    laid = { id, reason: error instanceof Error ? error.message : String(error) }
  }
  parentPort?.postMessage(laid)
})
