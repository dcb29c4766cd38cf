/**
 * Model-based tests of the visitor's dialogue: xstate/graph finds a shortest path for every transition of the chart, each
 * path is played on a real actor with stand-in ports, and what no path visited is named.
 *
 *     npm run build && node examples/model-based/visitor.ts      in a checkout
 *     node visitor.ts                                            where porteiro is installed
 */
import assert from 'node:assert/strict'
import { lastingPort, type Recording, type RecordingName, visitorMachine } from 'porteiro/machines'
import { coverage, paths } from 'porteiro/testing'
import { createActor, fromPromise } from 'xstate'

