import uPlot from '../../vendor/uplot.js'
import { html, useEffect, useRef } from '../lib.js'
import { locale, theme } from '../words.js'

/** @typedef {{ label: string, tone: string, values: number[], dash?: number[] }} Line */

/**
 * A small plot over time: `times` in seconds, and for each of `lines` `{ label, tone, values }`. `summary` says the same in words
 * for those who do not see it. `dates`: each time is a day.
 * @param {{ times: number[], lines: Line[], summary: string, dates?: boolean }} props
 */
export function Plot({ times, lines, summary, dates = false }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null))
  const plot = useRef(/** @type {uPlot | null} */ (null))
  const labels = lines.map(({ label }) => label).join()
  /** @returns {import('../../vendor/uplot.js').AlignedData} */
  const data = () => [times, ...lines.map(({ values }) => values)]

  useEffect(() => {
    const { current } = place
    if (!current) return
    const style = getComputedStyle(current)
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(name).trim()
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '11px system-ui',
    }
    const room = () => ({ width: Math.max(120, current.clientWidth), height: current.clientHeight })
    plot.current = new uPlot(
      {
        ...room(),
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, high) => [0, Math.max(4, high)] } },
        axes: [
          { ...axis, size: 24, values: (_, ticks) => ticks.map((at) => (dates ? day(at) : clock(at))) },
          { ...axis, size: 36 },
        ],
        series: [
          {},
          ...lines.map(({ label, tone, dash }) => ({
            label,
            stroke: colour(`--${tone}`),
            width: 2,
            ...(dash && { dash }),
            points: { show: false },
          })),
        ],
      },
      data(),
      current,
    )
    const sizes = new ResizeObserver(() => plot.current?.setSize(room()))
    sizes.observe(current)
    return () => {
      sizes.disconnect()
      plot.current?.destroy()
      plot.current = null
    }
  }, [labels, dates, theme.value, locale.value])

  useEffect(() => {
    plot.current?.setData(data())
  }, [times, lines])

  return html`<div class="plot" role="img" aria-label=${summary} ref=${place}></div>`
}

/** @param {number} at */
function clock(at) {
  return new Date(at * 1000).toLocaleTimeString(locale.value, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  })
}

/** @param {number} at */
function day(at) {
  return new Date(at * 1000).toLocaleDateString(locale.value, { day: '2-digit', month: '2-digit' })
}
