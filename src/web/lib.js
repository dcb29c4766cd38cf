// the one place that knows where the libraries lie
import htm from '/vendor/htm.js'
import { h } from '/vendor/preact.js'

export { Fragment, render } from '/vendor/preact.js'
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from '/vendor/preact-hooks.js'
export { batch, computed, effect, signal } from '/vendor/signals.js'

export const html = htm.bind(h)
