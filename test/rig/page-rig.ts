import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Rig, suite } from './rig.ts'

const CHROMIUM = '/usr/bin/chromium'
const SCREENSHOTS = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url))
/** ms that a page has for anything it is waited for: only what hangs takes so long. */
const PATIENCE_MS = 60_000
/** ms for one test in a browser, which waits for several such things. */
const LIMIT_MS = 180_000

const EAGER = `{
  const every = window.setInterval
  window.setInterval = (act, ms) => every(act, ms === 10_000 ? 500 : ms)
}`

const found = await access(CHROMIUM).then(
  () => true,
  () => false,
)

/** The one browser of a file: to start it takes longer than most tests. */
let shared: Browser | undefined

/**
 * A test that needs Chromium: skipped by name where there is none, except under CI. `microphone`: a WAV that the browser's
 * microphone hears, over and over.
 */
export function withChromium(test: ReturnType<typeof suite>, { microphone }: { microphone?: string } = {}) {
  const usable = found || process.env['CI'] === 'true'
  if (usable) {
    test.before(async () => {
      shared = await launch(microphone)
    })
    test.after(() => shared?.close())
  }
  return (title: string, handler: (rig: Rig) => unknown) => {
    if (usable) test(title, handler, LIMIT_MS)
    else test.skip(title, `no ${CHROMIUM}`)
  }
}

export interface Look {
  width?: number
  height?: number
  dark?: boolean
  locale?: 'pt-BR' | 'en-US'
  /** What the page looks at each 10 s it looks at each half second. */
  eager?: boolean
}

/** Where the page is: a house, or a process of its own. */
export interface Place {
  service: { ports: { api: number } }
}

export interface Visit {
  page: Page
  context: BrowserContext
  /** What the page complained of: exceptions, refused scripts and styles, failed loads. */
  complaints: string[]
}

function launch(microphone?: string): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--autoplay-policy=no-user-gesture-required',
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      ...(microphone ? [`--use-file-for-fake-audio-capture=${microphone}`] : []),
    ],
  })
}

/** A profile of the test's own, with nothing in it; closed with the test. */
export async function openProfile(
  rig: Rig,
  { width = 1440, height = 900, dark = false, locale = 'en-US', eager }: Look = {},
): Promise<BrowserContext> {
  const context = await shared!.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    locale,
    reducedMotion: 'reduce',
  })
  rig.defer(() => context.close())
  context.setDefaultTimeout(PATIENCE_MS)
  if (eager) await context.addInitScript(EAGER)
  return context
}

/** A page of the service, not yet logged in. */
export function visit(rig: Rig, house: Place, look: Look = {}): Promise<Visit> {
  return openPage(rig, `http://127.0.0.1:${house.service.ports.api}/`, look)
}

/** The same, at another address of it. */
export async function openPage(rig: Rig, address: string, look: Look = {}): Promise<Visit> {
  const context = await openProfile(rig, look)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`${error.name}: ${error.message}`))
  page.on('console', (message) => {
    // what the API refuses is a part of some tests, and the browser tells it here too
    if (message.type() === 'error' && !/the server responded with a status of/.test(message.text()))
      complaints.push(message.text())
  })
  // Chromium may give up the first navigation of a fresh profile when the machine is busy
  await page.goto(address).catch((error: Error) => {
    if (!error.message.includes('ERR_ABORTED')) throw error
    return page.goto(address)
  })
  return { page, context, complaints }
}

/** Logs in through the form, as people do. */
export async function logIn({ page }: Visit, key: string): Promise<void> {
  await page.locator('#key').fill(key)
  await page.keyboard.press('Enter')
  await page.locator('nav').waitFor()
}

/** Written where PORTEIRO_SCREENSHOTS asks for it: the pictures of the README. */
export async function picture(page: Page, name: string): Promise<void> {
  if (!process.env['PORTEIRO_SCREENSHOTS']) return
  await mkdir(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: `${SCREENSHOTS}${name}.png`, animations: 'disabled' })
}

/** The whole page, written into the folder that PORTEIRO_PICTURES names, for who wants to look at it. */
export async function snapshot(page: Page, name: string): Promise<void> {
  const folder = process.env['PORTEIRO_PICTURES']
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}
