import type { Config } from '../config/index.ts'

/** The started parts of this process. */
export interface Ready {
  version: string
  config: Pick<Config, 'api' | 'audiosocket' | 'clickToCall' | 'drainMs'>
  /** AudioSocket ports, if this process takes calls. */
  audio?: { visitor: number; resident: number }
  /** Port of the page, if this process serves it; `firstKey` only at the very first start. */
  page?: { port: number; firstKey: string | undefined }
}

type Row = readonly [label: string, text: string]

const GAP = 2

/** The text shown after `npm start`, in a box if the terminal is wide enough. */
export function readyNotice(ready: Ready, columns: number): string {
  const rows = rowsOf(ready)
  const indent = Math.max(...rows.map(([label]) => label.length)) + GAP
  const title = `Porteiro ${ready.version} is ready`
  const lines = [title, '', ...rows.map(([label, text]) => label.padEnd(indent) + text)]
  const width = Math.max(...lines.map((line) => line.length))
  if (width + 4 > columns) return `\n${lines.join('\n')}\n`
  const rule = '─'.repeat(width + 2)
  const framed = lines.map((line) => `│ ${line.padEnd(width)} │`)
  return [`╭${rule}╮`, ...framed, `╰${rule}╯`].join('\n')
}

/** The page's address, for a browser on this machine. */
export function pageAddress({ host, basePath }: Config['api'], port: number): string {
  const own = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${own.includes(':') ? `[${own}]` : own}:${port}${basePath}/`
}

function rowsOf({ config, audio, page }: Ready): Row[] {
  const { api, audiosocket, clickToCall, drainMs } = config
  const rows: Row[] = []
  if (page) {
    rows.push(['Page', pageAddress(api, page.port)])
    if (page.firstKey) {
      rows.push(['API key', page.firstKey], ['', 'Log in with it. Save it now: it is not shown again.'])
    } else if (api.key) {
      rows.push(['API key', 'the one in API_KEY'])
    } else {
      rows.push(['API key', 'printed at the first start. If it is lost, create another:'])
      rows.push(['', 'npx porteiro keys create NAME --scope admin'])
    }
  }
  if (audio) {
    rows.push(['Visitors', `AudioSocket on ${audiosocket.host}, port ${audio.visitor}`])
    rows.push(['Residents', `AudioSocket on ${audiosocket.host}, port ${audio.resident}`])
    for (const text of callingOf(clickToCall)) rows.push(['', text])
  }
  const seconds = Math.round(drainMs / 1000)
  rows.push([
    'Stop',
    audio ? `Ctrl-C. Live calls have ${seconds} s to finish; Ctrl-C again ends them.` : 'Ctrl-C',
  ])
  return rows
}

function callingOf({ mode, queue }: Config['clickToCall']): string[] {
  switch (mode) {
    case 'off':
      return [
        'CLICKTOCALL=off: residents are not called, and visitors hear',
        'that the unit cannot be reached. Set CLICKTOCALL in .env.',
      ]
    case 'loopback':
      return ['CLICKTOCALL=loopback: a simulated resident answers, for trials.']
    case 'manual':
      return [
        'CLICKTOCALL=manual: you call them, from the page or with',
        'a program that listens to resident.wanted.',
      ]
    case 'ari':
      return ['CLICKTOCALL=ari: called by the Asterisk at ARI_URL.']
    case 'amqp':
      return [`CLICKTOCALL=amqp: called through the queue ${queue}.`]
  }
}
