import * as assert from 'uvu/assert'
import { examineExtensions } from '../../src/cli/doctor/ports.ts'
import { parseConfig } from '../../src/config/config.ts'
import { writeExtension } from '../../src/directory/sql/extensions.ts'
import { openTestDatabase } from '../rig/database.ts'
import { holdPort } from '../rig/ports.ts'
import { type Rig, suite } from '../rig/rig.ts'
import { openService } from '../rig/service-rig.ts'
import { freePort } from '../rig/site-rig.ts'

const test = suite('doctor: ports')

/** An extension of the main tenant. */
function extension(porta_ia: number, porta_retorno: number, id = 'portao-social') {
  return {
    ...{ id, ramal_ia: '1001', ramal_retorno: '1002', ip_servidor: '127.0.0.1' },
    ...{ porta_ia, porta_retorno, condominio_id: 'default' },
  }
}

/** A port that another process has while the test runs. */
async function takenPort(rig: Rig): Promise<number> {
  const { port, release } = await holdPort(await freePort())
  rig.defer(release)
  return port
}

test('ports that the directory names are free, or another process has one', async (rig) => {
  const database = await openTestDatabase(rig)
  const config = parseConfig({})
  assert.is((await examineExtensions(config, database)).state, 'off')
  // the main pair is looked at by itself
  await writeExtension(database, extension(8080, 8081, 'main'))
  assert.is((await examineExtensions(config, database)).state, 'off')

  const [visitor, resident] = [await freePort(), await freePort()]
  await writeExtension(database, extension(visitor, resident))
  const free = await examineExtensions(config, database)
  assert.equal([free.state, free.detail], ['ok', `${visitor}, ${resident} (portao-social) are free`])

  const taken = await takenPort(rig)
  await writeExtension(database, extension(visitor, taken))
  const found = await examineExtensions(config, database)
  assert.equal([found.state, found.code], ['failed', 'PORT_IN_USE'])
  assert.match(found.detail, `portao-social: Port ${taken} `)
  assert.not.match(found.detail, String(visitor))
  assert.ok(found.remedy)
})

test('ports that a running Porteiro holds are well; those it has not read, and those it could not have, are not', async (rig) => {
  const { service, config, key } = await openService(rig, { mayFail: true })
  const { database, ports } = service
  const examine = () => examineExtensions(config, database)
  const refresh = async () => {
    const headers = { authorization: `Bearer ${key}`, connection: 'close' }
    const { status } = await fetch(`http://127.0.0.1:${ports.api}/api/refresh`, { method: 'POST', headers })
    assert.is(status, 200)
  }
  const [visitor, resident] = [await freePort(), await freePort()]
  await writeExtension(database, extension(visitor, resident))
  const unread = await examine()
  assert.is(unread.state, 'warning')
  assert.match(unread.detail, `${visitor}, ${resident} (portao-social) are not open`)
  assert.match(unread.remedy!, '/api/refresh')

  await refresh()
  const held = await examine()
  assert.equal(
    [held.state, held.detail],
    ['ok', `${visitor}, ${resident} (portao-social) are in use by a running Porteiro`],
  )

  await writeExtension(database, extension(visitor, await takenPort(rig)))
  await refresh()
  const lost = await examine()
  assert.equal([lost.state, lost.code], ['failed', 'PORT_IN_USE'])
  assert.not.match(lost.detail, String(visitor))
})

test.run()
