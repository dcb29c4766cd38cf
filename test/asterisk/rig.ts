import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeWav } from '../../src/media/wav.ts'
import { silence, tone } from '../rig/media-stream.ts'
import type { Rig, suite } from '../rig/rig.ts'
import { freePort } from '../rig/site-rig.ts'
import { openManager } from './manager.ts'

/** Where an Asterisk is installed, if not in this system: a folder to chroot to, see scripts/asterisk-root.sh. */
const ROOT = process.env['ASTERISK_ROOT'] || '/'
const EXAMPLES = fileURLToPath(new URL('../../examples/asterisk/', import.meta.url))
/** What the telephones say. */
export const SPEECH = fileURLToPath(new URL('../../prompts/pt-BR/ask-name.wav', import.meta.url))

const [PROGRAM, ...FIRST] = ROOT === '/' ? ['asterisk'] : ['chroot', ROOT, 'asterisk']
/** Whether there is one. */
export const there = spawnSync(PROGRAM!, [...FIRST, '-V']).status === 0

/** Tests that need a real Asterisk: skipped by name where there is none; `run` instead of the plain test where there is. */
export function withAsterisk(
  test: ReturnType<typeof suite>,
  run: (title: string, handler: (rig: Rig) => unknown, limit?: number) => void = test,
) {
  return (title: string, handler: (rig: Rig) => unknown, limit?: number) => {
    if (there) run(title, handler, limit)
    else test.skip(title, 'no asterisk; see scripts/asterisk-root.sh')
  }
}

/** What is pressed where keys are tones in the sound. */
const TONES = ['101#', '#', '1']

/** Where the service is, as the dialplan is told. */
export interface Service {
  visitor: number
  resident: number
}

const ini = (sections: Record<string, Record<string, string | number>>) =>
  Object.entries(sections)
    .map(
      ([name, lines]) =>
        `[${name}]\n${Object.entries(lines)
          .map((pair) => pair.join('='))
          .join('\n')}\n`,
    )
    .join('\n')

/** A running Asterisk in a folder of its own, with these files beside what every one needs. */
export async function openAsterisk(rig: Rig, files: Record<string, string>) {
  const folder = await mkdtemp(join(ROOT, 'tmp', 'porteiro-asterisk-'))
  await chmod(folder, 0o755)
  rig.defer(() => rm(folder, { recursive: true, force: true }))
  const inside = `/${relative(ROOT, folder)}`
  const port = await freePort()
  const written: Record<string, string> = {
    'asterisk.conf': ini({
      directories: {
        astetcdir: inside,
        ...Object.fromEntries(
          ['cache', 'varlib', 'db', 'key', 'spool', 'run', 'log'].map((name) => [`ast${name}dir`, inside]),
        ),
      },
    }),
    'modules.conf': ini({ modules: { autoload: 'yes', noload: 'chan_iax2.so' } }),
    'logger.conf': ini({ logfiles: { 'messages.log': 'notice,warning,error,verbose(3)' } }),
    'manager.conf': ini({
      general: { enabled: 'yes', port, bindaddr: '127.0.0.1' },
      test: { secret: 'test', read: 'call,dtmf,system,dialplan', write: 'call,originate,system,reporting' },
    }),
    ...files,
  }
  for (const [name, text] of Object.entries(written)) {
    await writeFile(join(folder, name), text.replaceAll('INSIDE', inside))
  }
  await copyFile(SPEECH, join(folder, 'speech.wav'))
  await mkdir(join(folder, 'keys'))
  const child = spawn(PROGRAM!, [...FIRST, '-C', `${inside}/asterisk.conf`, '-f'], { stdio: 'ignore' })
  const ended = once(child, 'close')
  rig.defer(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const failed = ended.then(async () => {
    const log = await readFile(join(folder, 'messages.log'), 'utf8').catch(() => '')
    throw new Error(`Asterisk ended:\n${log.slice(-2000)}`)
  })
  // an end that is wanted is nobody's failure
  failed.catch(() => {})
  const manager = await Promise.race([openManager(rig, port), failed])
  return { manager, pid: child.pid!, path: (name: string) => join(folder, name) }
}

/** A file of examples/asterisk with other words in some places, which have to be there. */
async function example(name: string, changes: Record<string, string> = {}): Promise<string> {
  let text = await readFile(join(EXAMPLES, name), 'utf8')
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`${name} of the example no longer has "${from}"`)
    text = text.replaceAll(from, to)
  }
  return text
}

export type Pbx = Awaited<ReturnType<typeof openPbx>>

/** The PBX of examples/asterisk as it stands, but for its ports. `changes`: other texts of one of the files. */
export async function openPbx(
  rig: Rig,
  { visitor, resident }: Service,
  changes: Record<string, Record<string, string>> = {},
) {
  const [sip, ari] = [await freeUdpPort(), await freePort()]
  const asterisk = await openAsterisk(rig, {
    'pjsip.conf': await example('pjsip.conf', {
      '0.0.0.0:5060': `127.0.0.1:${sip}`,
      ...changes['pjsip.conf'],
    }),
    'extensions.conf': await example('extensions.conf', {
      '127.0.0.1:8080': `127.0.0.1:${visitor}`,
      '127.0.0.1:8081': `127.0.0.1:${resident}`,
      ...changes['extensions.conf'],
    }),
    'ari.conf': await example('ari.conf'),
    'http.conf': await example('http.conf', { 'bindport=8088': `bindport=${ari}` }),
    'rtp.conf': rtpRange(),
    'amd.conf': ini({ general: {} }),
  })
  return {
    ...asterisk,
    sip,
    /** Settings of a service that rings through it. */
    settings: {
      ARI_URL: `http://127.0.0.1:${ari}/ari`,
      ARI_USER: 'porteiro',
      ARI_PASSWORD: 'change-me-ari',
    },
  }
}

/**
 * The telephones of a PBX, which are an Asterisk too: SIP and RTP in G.711 as from any telephone. The one at the gate
 * calls when told; of the flats 1101 answers at once and 1102 rings for ever, unless the test has others.
 */
export async function openTelephones(
  rig: Rig,
  pbx: Pbx,
  {
    dtmf = 'rfc4733',
    flats = { '1101': 'answers', '1102': 'rings' } as Flats,
    greetings = {} as Greetings,
  } = {},
) {
  const sip = await freeUdpPort()
  const { manager, path } = await openAsterisk(rig, {
    'pjsip.conf': telephoneLines(sip, pbx.sip, dtmf, Object.keys(flats)),
    'extensions.conf': `
[gate]
exten => s,1,MixMonitor(INSIDE/gate.wav,r(INSIDE/gate-heard.wav))
 same => n,Wait(300)
[speak]
exten => s,1,Playback(INSIDE/speech)
 same => n,Wait(300)
[tones]
exten => _[0-9ps]!,1,Playback(INSIDE/tones-\${EXTEN})
 same => n,Wait(300)
[flats]
${Object.entries(flats)
  .map(([number, does]) => `exten => ${number},1,${FLAT[does]}`)
  .join('\n')}
exten => answer,1,Answer()
 same => n,MixMonitor(INSIDE/flat.wav,r(INSIDE/flat-heard.wav))
 same => n,Wait(300)
`,
    'rtp.conf': rtpRange(),
  })
  for (const [number, pcm] of Object.entries(greetings)) await writeWav(path(`greeting-${number}.wav`), pcm)
  for (const flat of Object.keys(flats)) {
    const registered = { Event: 'ContactStatus', ContactStatus: 'NonQualified' }
    await pbx.manager.seen({ ...registered, EndpointName: numberOf(flat), URI: new RegExp(`^sip:${flat}@`) })
  }

  if (dtmf === 'inband')
    await Promise.all(TONES.map((keys) => writeWav(path(`tones-${named(keys)}.wav`), tones(keys))))
  /** Goes to this place of the telephones' own dialplan, until it waits there. */
  const play = async (channel: string, id: string, context: string, extension: string) => {
    const from = manager.count()
    await manager.ask('Redirect', { Channel: channel, Context: context, Exten: extension, Priority: '1' })
    await manager.seen({ Event: 'Newexten', Uniqueid: id, Context: context, Application: 'Wait' }, { from })
  }
  const handset = (channel: string, id: string, heard: string) => ({
    /** Each key is pressed when the PBX has had the one before. */
    async press(keys: string): Promise<void> {
      // of a sound from a file nothing is missing on a busy machine, of a tone that Asterisk makes by the clock there is
      if (dtmf === 'inband') return play(channel, id, 'tones', named(keys))
      for (const key of keys) {
        const from = pbx.manager.count()
        await manager.ask('PlayDTMF', { Channel: channel, Digit: key, Duration: '120' })
        await pbx.manager.seen({ Event: 'DTMFEnd', Digit: key, Direction: 'Received' }, { from })
      }
    },
    /** Says SPEECH into the line, to its end. */
    speak: () => play(channel, id, 'speak', 's'),
    /** Takes off, when it rings. */
    answer: () => play(channel, id, 'flats', 'answer'),
    hangUp: () => manager.ask('Hangup', { Channel: channel }),
    /** The PBX, or we, hung up. */
    gone: () => manager.seen({ Event: 'Hangup', Uniqueid: id }, { ms: 30_000 }),
    /** A recording of what it heard, whole once it has hung up. */
    heard: () => path(heard),
  })
  return {
    manager,
    /** The telephone at the gate takes off and dials `number`; resolves when the PBX has answered. */
    async visit(number = '1') {
      const id = randomUUID()
      await manager.ask('Originate', {
        Channel: `PJSIP/${number}@gate-1`,
        Context: 'gate',
        Exten: 's',
        Priority: '1',
        ChannelId: id,
        Async: 'true',
      })
      const { Channel } = await manager.seen({ Event: 'Newexten', Uniqueid: id, Application: 'MixMonitor' })
      return handset(Channel!, id, 'gate-heard.wav')
    },
    /** How often a flat's number was called. */
    calls: (number: string) => manager.past({ Event: 'Newchannel', Exten: number }),
    /** A recording that a mailbox of the flats made after its greeting. */
    message: (number: string) => path(`message-${number}.wav`),
    /** A flat's telephone rings; `from`: of the manager's events. */
    async rings(number: string, from = 0) {
      const ms = 60_000
      const { Channel, Uniqueid } = await manager.seen({ Event: 'Newchannel', Exten: number }, { from, ms })
      return handset(Channel!, Uniqueid!, 'flat-heard.wav')
    },
  }
}

/** What each telephone of the flats does when it is called. `1101b` is a second one that is registered as 1101. */
export type Flats = Record<string, keyof typeof FLAT>

/** What is said by those of the flats that greet, s16le at 8 kHz, by their number. */
export type Greetings = Record<string, Buffer>

const FLAT = {
  answers: 'Goto(answer,1)',
  // plays its greeting, and records
  mailbox: `Answer()
 same => n,Playback(INSIDE/greeting-\${EXTEN})
 same => n,Record(INSIDE/message-\${EXTEN}.wav,0,60,kq)
 same => n,Wait(300)`,
  // answers with its greeting, and listens
  greets: `Answer()
 same => n,Playback(INSIDE/greeting-\${EXTEN})
 same => n,Wait(300)`,
  rings: 'Ringing()\n same => n,Wait(300)',
  // 486 and 603
  busy: 'Hangup(17)',
  declines: 'Hangup(21)',
}

const numberOf = (flat: string) => flat.replace(/\D+$/, '')

/** Keys as an extension and a file's name can have them. */
const named = (keys: string) => keys.replaceAll('#', 'p').replaceAll('*', 's')

function tones(keys: string): Buffer {
  return Buffer.concat([...keys].flatMap((key) => [tone(key, 200), silence(200)]))
}

function telephoneLines(own: number, pbx: number, dtmf: string, flats: readonly string[]): string {
  const line = (name: string, context: string) =>
    ini({
      [name]: {
        type: 'endpoint',
        disallow: 'all',
        allow: 'ulaw',
        dtmf_mode: dtmf,
        direct_media: 'no',
        context,
        outbound_auth: name,
        aors: name,
        from_user: name,
      },
    }) +
    ini({ [name]: { type: 'auth', username: name, password: `change-me-${name}` } }) +
    ini({ [name]: { type: 'aor', contact: `sip:127.0.0.1:${pbx}` } })
  const registered = (contact: string) => {
    const name = numberOf(contact)
    return ini({
      [`${contact}-registration`]: {
        type: 'registration',
        server_uri: `sip:127.0.0.1:${pbx}`,
        client_uri: `sip:${name}@127.0.0.1`,
        contact_user: contact,
        endpoint: name,
        line: 'yes',
        // else up to 10 s, so that not all of a house come at once
        max_random_initial_delay: 0,
        outbound_auth: name,
      },
    })
  }
  return (
    ini({ transport: { type: 'transport', protocol: 'udp', bind: `127.0.0.1:${own}` } }) +
    line('gate-1', 'nowhere') +
    [...new Set(flats.map(numberOf))].map((name) => line(name, 'flats')).join('') +
    flats.map(registered).join('')
  )
}

/** Asterisk looks for free ports in this range by itself. */
const rtpRange = () => ini({ general: { rtpstart: 20_000, rtpend: 29_000 } })

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(() => resolve()))
  return port
}
