/**
 * Opening gates: targets (where a tenant's gates are), the command when a call is authorized, its channel over AMQP or webhook,
 * and its audit. Owns the SQL of gates and gate_commands.
 * Never: opens late (30 s after the decision), or twice with different ids.
 */
export { createGatePublisher } from './amqp.ts'
export { commandIdOf, createGateOpening, openGate } from './opening.ts'
export { createGateReplies, createGateSender } from './sender.ts'
export {
  deleteGate,
  deleteOldGateCommands,
  findGateCommand,
  GATE_SECRETS,
  type GateInput,
  hasGates,
  listGateCommands,
  listGateIds,
  listGates,
  MAIN_GATE,
  saveGate,
} from './sql/gates.ts'
export { createGateTargets } from './targets.ts'
