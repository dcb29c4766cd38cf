import { reasonOf, resume, session, urlOf } from '../api.js'
import { tr } from '../words.js'

/** Stately's own viewer; it gets the feed by messages between windows, within this browser only. */
const ORIGIN = 'https://stately.ai'
/** ms after which the viewer is taken for absent. */
const ABSENT_MS = 10_000
/** Messages that wait for the viewer. */
const KEPT = 2000

const note = document.getElementById('note')
/** @type {HTMLIFrameElement | null} */
const viewer = document.querySelector('iframe#viewer')
/** @param {string} text */
const say = (text) => {
  if (!note) return
  note.textContent = text
  note.hidden = text === ''
}

let ready = false
/** @type {unknown[]} */
let waiting = []
addEventListener('message', ({ origin, data }) => {
  if (origin !== ORIGIN || data?.type !== '@statelyai.connected') return
  ready = true
  say('')
  for (const message of waiting) viewer?.contentWindow?.postMessage(message, ORIGIN)
  waiting = []
})

/** @param {unknown} message */
function pass(message) {
  if (ready) return viewer?.contentWindow?.postMessage(message, ORIGIN)
  waiting.push(message)
  if (waiting.length > KEPT) waiting.shift()
}

async function begin() {
  await resume()
  if (!session.value) {
    location.href = urlOf('/inspector')
    return
  }
  const answer = await fetch(urlOf('/api/inspector/tickets'), {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json', 'x-csrf-token': session.value.csrf },
    // names, numbers and words of people stay in this house
    body: JSON.stringify({ masked: true }),
  })
  if (!answer.ok) return say(tr('O serviço recusou.', 'The service refused.'))
  const { url } = await answer.json()
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${url}`)
  socket.addEventListener('message', ({ data }) => pass(JSON.parse(data)))
  socket.addEventListener('close', () =>
    say(tr('A conexão terminou; recarregue a página.', 'The connection ended; reload the page.')),
  )
  if (viewer) viewer.src = `${ORIGIN}/inspect`
  setTimeout(() => {
    if (ready) return
    say(
      tr(
        'O visualizador da Stately não respondeu: ele precisa de internet. /inspector mostra o mesmo sem internet.',
        "Stately's viewer did not answer: it needs the internet. /inspector shows the same without it.",
      ),
    )
  }, ABSENT_MS)
}

say(tr('Abrindo o visualizador da Stately…', "Opening Stately's viewer…"))
begin().catch((error) => say(reasonOf(error)))
