/**
 * Opening gates: targets (where a tenant's gates are), decisions (durable first, then the command and the gate's answer), the
 * command's channel over AMQP or webhook, and its audit. Owns the SQL of gates and gate_commands.
 * Never: opens late (30 s after the decision), twice with different ids, or before the decision is durable.
 */
export { createGatePublisher } from './amqp.ts'
export { commandIdOf, createDecisionEffects, type Decisions, openDecisions } from './decisions.ts'
export { createGateReplies, createGateSender } from './sender.ts'
export {
  deleteGate,
  deleteOldGateCommands,
  disableGates,
  findGateCommand,
  GATE_SECRETS,
  GATES,
  type GateInput,
  hasGates,
  listFailingGates,
  listGateCommands,
  listGateIds,
  listGates,
  listGateUrls,
  listUnsignedGates,
  MAIN_GATE,
  saveGate,
} from './sql/gates.ts'
export { createGateTargets } from './targets.ts'
