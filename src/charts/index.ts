/**
 * Statecharts as SVG, Mermaid and JSON, drawn from the machines themselves, and the version of the machines.
 * Never: running actors (inspect/).
 */
export { CHART_FORMATS, type ChartFormat, createCharts, standalone } from './charts.ts'
export { mermaid } from './mermaid.ts'
export { shapesOf, statesIn } from './snapshot-shape.ts'
export { machinesVersion } from './version.ts'
