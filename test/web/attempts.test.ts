import * as assert from 'uvu/assert'
import { MAIN_TENANT } from '../../src/directory/entrances.ts'
import { createKey } from '../../src/http/sql/keys.ts'
import { logIn, snapshot, visit, withChromium } from '../rig/page-rig.ts'
import { suite } from '../rig/rig.ts'
import { CAUSE, idOf, legOf, openHouse } from '../rig/telephones-rig.ts'

const test = suite('attempts on the page')
const inChromium = withChromium(test)

inChromium('who was called, and what became of it, as it happens and after a reload', async (rig) => {
  const {
    ari,
    house,
    visit: ring,
    called,
  } = await openHouse(rig, {
    answerCheck: 'natural',
    people: [
      { name: 'Ana Souza', phone: '1901' },
      { name: 'Bruno Lima', phone: '+5551987654321' },
      { name: 'Carla Dias', phone: '1903' },
    ],
  })
  const here = await visit(rig, house)
  const { page, complaints } = here
  await logIn(here, house.key)
  const visitor = ring()
  await page.locator(`.live [data-call="${visitor.id}"]`).click()
  const rows = page.locator('.attempts .attempt')
  const row = (at: number, text: RegExp) => rows.nth(at).filter({ hasText: text }).waitFor()

  const [first] = await called(visitor.id, 1)
  await row(0, /Ana Souza.*1901.*one after the other.*calling/)
  ari.changes(idOf(first!), 'Ringing')
  await row(0, /ringing/)
  ari.ends(idOf(first!), CAUSE.busy)
  await row(0, /was busy/)
  const [, second] = await called(visitor.id, 2)
  ari.changes(idOf(second!), 'Up')
  ari.screens(idOf(second!), 'MACHINE')
  await house.noted(visitor.id, 'telephone.machine', { attempt: idOf(second!) })
  house.resident(legOf(second!))
  await row(1, /Bruno Lima.*\+5551987654321.*a mailbox answered.*on the line/)
  const [, , third] = await called(visitor.id, 3)
  const flat = house.resident(legOf(third!))
  await row(2, /Carla Dias.*making sure it is a person/)
  await house.noted(visitor.id, 'state', { actor: 'proving', state: 'listening' })
  void flat.press('5')
  await row(2, /hears who is at the gate/)
  await snapshot(page, 'attempts-live')
  void flat.press('1')
  await row(2, /decided: authorised/)
  await house.ending(visitor.id)
  assert.equal(complaints, [])

  // who may only read sees names, and of a long number its end
  const { plain } = await createKey(house.service.database, {
    name: 'reader',
    tenantId: MAIN_TENANT,
    scopes: ['read'],
  })
  for (const look of [
    { locale: 'pt-BR' },
    { locale: 'pt-BR', width: 390, height: 844, dark: true },
  ] as const) {
    const reader = await visit(rig, house, look)
    await logIn(reader, plain)
    await reader.page.goto(`http://127.0.0.1:${house.service.ports.api}/#/calls/${visitor.id}`)
    const read = reader.page.locator('.attempts .attempt')
    const story = [
      /Ana Souza.*1901.*um por vez.*estava ocupado.*tocou 0:\d\d/,
      /Bruno Lima.*•••4321.*caiu na caixa postal/,
      /Carla Dias.*decidiu: autorizad/,
    ]
    for (const [at, text] of story.entries()) await read.nth(at).filter({ hasText: text }).waitFor()
    assert.is(await read.count(), 3)
    assert.not.match((await reader.page.locator('.attempts').textContent())!, /98765/)
    await snapshot(reader.page, `attempts-${'dark' in look ? 'narrow' : 'wide'}`)
  }
})

test.run()
