import * as assert from 'uvu/assert'
import { ERRORS, fail, type PorteiroError } from '../../src/platform/errors.ts'
import { logIn, snapshot, visit, withChromium } from '../rig/page-rig.ts'
import { suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'

interface Reasons {
  REASONS: Record<string, unknown>
  inPortuguese(code: string, message: string): string
}

const test = suite('page words')
const inChromium = withChromium(test)
const { REASONS, inPortuguese } = (await import(
  new URL('../../src/web/reasons.js', import.meta.url).href
)) as Reasons

/** The error with something in each of its places. */
function exampleOf(code: keyof typeof ERRORS): PorteiroError {
  const places = [...ERRORS[code].message.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const number = /^(count|ms|limit|failures|seconds|status|retryAfterSeconds)$/
  return fail(code, Object.fromEntries(places.map((name) => [name, number.test(name) ? 7 : `<${name}>`])))
}

test('each reason in Portuguese is that of an error as the service words it', () => {
  for (const code of Object.keys(REASONS) as (keyof typeof ERRORS)[]) {
    assert.ok(ERRORS[code], `${code} is no error`)
    const { message } = exampleOf(code)
    const told = inPortuguese(code, message)
    assert.is.not(told, message, `${code} is not recognised: ${message}`)
    assert.not.match(told, /\$\d|undefined/, code)
  }
})

test('an address that is refused is told as such, whether by name or written out', () => {
  assert.is(
    inPortuguese(
      'EGRESS_REFUSED',
      'a.example leads to 10.0.0.1, which is not public and not in EGRESS_ALLOW.',
    ),
    'a.example leva a 10.0.0.1, que não é público nem está em EGRESS_ALLOW.',
  )
  assert.is(
    inPortuguese('EGRESS_REFUSED', '10.0.0.1 is not public and not in EGRESS_ALLOW.'),
    '10.0.0.1 não é público nem está em EGRESS_ALLOW.',
  )
})

inChromium(
  'in Portuguese who decided, how it ended and what is kept of it are in Portuguese',
  async (rig) => {
    const house = await openService(rig)
    const visitor = await house.rung()
    const resident = house.resident(visitor.id)
    await house.noted(visitor.id, 'state', { actor: 'call', state: 'consulting' })
    await resident.press('1')
    await house.ending(visitor.id)
    const here = await visit(rig, house, { locale: 'pt-BR' })
    const { page } = here
    const open = (id: string) => page.goto(`http://127.0.0.1:${house.service.ports.api}/#/calls/${id}`)
    await logIn(here, house.key)
    await open(visitor.id)
    await page.getByText('Decidido por morador · tecla').waitFor()
    await page.getByRole('button', { name: /^Registro/ }).click()
    await page.locator('.journal-row', { hasText: 'resultado: autorizado' }).getByText('ended').waitFor()

    // as late as can be: who says nothing is let go
    const silent = house.visitor()
    await house.noted(silent.id, 'started')
    const call = house.service.calls!.find(silent.id)!
    call.note('understood', 'visitor', { unit: '101', intent: 'delivery' })
    call.note('understood', 'resident', { answer: 'talk', confidence: 1 })
    await open(silent.id)
    await page.getByText('101 · entrega').waitFor()
    await page.getByText('quer falar').waitFor()
    await page.getByRole('button', { name: /^Registro/ }).click()
    call.note('decision.late', null, { verdict: 'denied', by: 'resident', via: 'voice' })
    const late = page.locator('.journal-row', { hasText: 'decision.late' })
    for (const fact of ['decisão: negado', 'por: morador', 'meio: voz'])
      await late.filter({ hasText: fact }).waitFor()
    silent.hangUp()
    await house.ending(silent.id)
    await page.locator('.call-head').getByText('o visitante desligou').waitFor()
    assert.equal(here.complaints, [])
  },
)

inChromium('the endpoint of the environment is listed, and cannot be changed here', async (rig) => {
  const house = await openService(rig, {
    settings: { WEBHOOK_URL: 'http://127.0.0.1:9/hook?token=hidden', WEBHOOK_TOKEN: 'Bearer hidden' },
  })
  const here = await visit(rig, house, { width: 390, height: 844, locale: 'pt-BR' })
  const { page } = here
  await logIn(here, house.key)
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/endpoints`)
  const row = page.locator('[data-endpoint="environment"]')
  await row.getByText('http://127.0.0.1:9/hook').waitFor()
  await row.getByText('do ambiente (WEBHOOK_URL)').waitFor()
  assert.is(await row.getByRole('button', { name: /Desligar|Trocar|Apagar/ }).count(), 0)
  assert.is(await page.getByText('hidden').count(), 0)
  assert.is(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)
  await snapshot(page, 'endpoints')
  assert.equal(here.complaints, [])
})

inChromium('the phone says that nobody would be rung', async (rig) => {
  const house = await openService(rig, { settings: { CLICKTOCALL: 'off' } })
  const here = await visit(rig, house)
  const { page } = here
  await logIn(here, house.key)
  await page.goto(`http://127.0.0.1:${house.service.ports.api}/#/phone`)
  await page.locator('[data-phone="visitor"]').getByText('With CLICKTOCALL=off no phone rings').waitFor()
  await page.locator('[data-phone="resident"]').getByText('with CLICKTOCALL=manual this phone').waitFor()
  await snapshot(page, 'phone off')
  assert.equal(here.complaints, [])
})

test('what is not known stays as it was told', () => {
  assert.is(inPortuguese('HTTP_418', 'A teapot.'), 'A teapot.')
})

test.run()
