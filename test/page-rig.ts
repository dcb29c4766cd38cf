import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Rig, suite } from './rig.ts'

const CHROMIUM = '/usr/bin/chromium'
const SCREENSHOTS = fileURLToPath(new URL('../docs/screenshots/', import.meta.url))
/** ms that a page has for anything it is waited for; wide, because two cores run tests side by side. */
const PATIENCE_MS = 15_000

const found = await access(CHROMIUM).then(
  () => true,
  () => false,
)

/** A test that needs Chromium: skipped by name where there is none, except under CI. */
export function withChromium(test: ReturnType<typeof suite>) {
  return (title: string, handler: (rig: Rig) => unknown, limit?: number) => {
    if (found || process.env['CI'] === 'true') test(title, handler, limit)
    else test.skip(title, `no ${CHROMIUM}`)
  }
}

export interface Look {
  width?: number
  height?: number
  dark?: boolean
  locale?: 'pt-BR' | 'en-US'
  /** A WAV that the microphone hears, over and over. */
  microphone?: string
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

/** A browser of its own with a fresh profile, closed with the test. */
export async function openBrowser(rig: Rig, { microphone }: Look = {}): Promise<Browser> {
  const browser = await chromium.launch({
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
  rig.defer(() => browser.close())
  return browser
}

/** A page of the service, not yet logged in. */
export async function visit(rig: Rig, house: Place, look: Look = {}): Promise<Visit> {
  const browser = await openBrowser(rig, look)
  return visitIn(browser, house, look)
}

export async function visitIn(browser: Browser, house: Place, look: Look = {}): Promise<Visit> {
  const { width = 1440, height = 900, dark = false, locale = 'en-US' } = look
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    locale,
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`${error.name}: ${error.message}`))
  page.on('console', (message) => {
    // what the API refuses is a part of some tests, and the browser tells it here too
    if (message.type() === 'error' && !/the server responded with a status of/.test(message.text()))
      complaints.push(message.text())
  })
  const address = `http://127.0.0.1:${house.service.ports.api}/`
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
