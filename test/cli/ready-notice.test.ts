import * as assert from 'uvu/assert'
import { type Ready, readyNotice } from '../../src/cli/ready-notice.ts'
import { type Environment, parseConfig } from '../../src/config/config.ts'
import { suite } from '../rig/rig.ts'

const test = suite('ready notice')

const AUDIO = { visitor: 8080, resident: 8081 }
const WIDE = 120

function notice(settings: Environment, ready: Partial<Ready>, columns = WIDE): string {
  return readyNotice({ version: '1.2.3', config: parseConfig(settings), ...ready }, columns)
}

test('the first start shows the key, the ports, and how to stop', () => {
  const text = notice({}, { audio: AUDIO, page: { port: 8082, firstKey: 'ptr_first' } })
  for (const part of [
    'http://127.0.0.1:8082/',
    'ptr_first',
    'port 8080',
    'port 8081',
    'CLICKTOCALL=off',
    'Ctrl-C',
  ])
    assert.match(text, part)
  const widths = new Set(text.split('\n').map((line) => line.length))
  assert.is(widths.size, 1, 'the box is not straight')
})

test('later starts say how to get another key, or which setting has it', () => {
  const page = { port: 8082, firstKey: undefined }
  assert.match(notice({}, { page }), 'npx porteiro keys create NAME --scope admin')
  const set = notice({ API_KEY: 'a'.repeat(32) }, { page })
  assert.match(set, 'the one in API_KEY')
  assert.not.match(set, 'aaaa')
})

test('a process names only what it runs, and a narrow terminal gets no box', () => {
  const text = notice({ API_HOST: '::' }, { page: { port: 9000, firstKey: undefined } }, 40)
  assert.match(text, 'http://127.0.0.1:9000/')
  assert.not.match(text, /AudioSocket|│/)
})

test('each way of calling residents is explained in lines that fit a terminal of 80 columns', () => {
  const ways = [
    { CLICKTOCALL: 'off' },
    { CLICKTOCALL: 'manual' },
    { CLICKTOCALL: 'loopback' },
    { CLICKTOCALL: 'amqp', AMQP_URL: 'amqp://guest:secret@127.0.0.1' },
    { CLICKTOCALL: 'ari', ARI_URL: 'http://127.0.0.1:8088/ari', ARI_USER: 'u', ARI_PASSWORD: 'secret' },
  ]
  for (const way of ways) {
    const text = notice(way, { audio: AUDIO, page: { port: 8082, firstKey: `ptr_${'k'.repeat(43)}` } }, 80)
    assert.match(text, `CLICKTOCALL=${way.CLICKTOCALL}:`)
    assert.match(text, '│')
    assert.not.match(text, 'secret')
  }
})

test.run()
