/**
 * The package's `porteiro/testing`: phones that speak AudioSocket as Asterisk does, a stage that runs a call on
 * simulated time, and paths through the machines with their coverage.
 * Never: anything that a test must not start, such as Postgres or a broker.
 */
export type { Prompts } from '../media/index.ts'
export type { Ended, Happening, Heard, Hearing, Violation, ViolationCode } from '../simulator/index.ts'
export {
  createPhone,
  createRecogniser,
  type Phone,
  type PhoneOptions,
  playResident,
  playVisitor,
  type Recogniser,
  type RecogniserEvents,
  type ResidentScript,
  type Sounds,
  type VisitorScript,
  type Vocabulary,
  vocabularyOf,
} from '../simulator/index.ts'
export * from './kit.ts'
export { type Examined, type MutateOptions, mutate } from './mutate.ts'
export { byPhone, isPlayable, type PhoneDriverOptions, type PhoneUnits, phone } from './phone.ts'
export { readPrompts } from './prompts.ts'
export { writeShortPrompts } from './short-prompts.ts'
