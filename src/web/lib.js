// the one place that knows where the libraries lie
import htm from '../vendor/htm.js'
import { h } from '../vendor/preact.js'

export { Fragment, render } from '../vendor/preact.js'
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/preact-hooks.js'
export { batch, computed, effect, signal } from '../vendor/signals.js'

/**
 * @template Value
 * @typedef {import('../vendor/signals.js').Signal<Value>} Signal
 */
/** @typedef {import('../vendor/preact.js').VNode | import('../vendor/preact.js').VNode[]} Markup */
/**
 * htm does not check properties, so the arguments of a component's callbacks have no types here.
 * @typedef {string | number | boolean | bigint | null | undefined | object | ((given: any, also: any) => unknown)} Part
 */

/** @type {(strings: TemplateStringsArray, ...parts: Part[]) => Markup} */
export const html = htm.bind(h)
