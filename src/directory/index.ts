/**
 * The residents and how to reach them: tenants, units, residents, entrances, rules, contact plans, phone numbers,
 * import and export. An entrance is an extension with its port pair; a plan is the order in which a unit is tried.
 * Owns the SQL of tenants, units, residents, extensions and rules.
 * Never: calls. It answers questions; it does not follow what happens.
 */
export { type ContactPlan, contactPlan, type PlanStep, planStep } from './contact-plan.ts'
export {
  type Entrance,
  type EntranceOptions,
  type EntrancePort,
  MAIN_TENANT,
  readEntrances,
} from './entrances.ts'
export { blockedVisitor, INTENTS, type Intent, isEmptyWindow, windowFields } from './entry-rules.ts'
export {
  country,
  directoryFile,
  extension,
  filled,
  openDirectoryFile,
  parseDirectory,
  readResidents,
  resident,
  tenantId,
  unitNumber,
} from './file.ts'
export { canonicalNumber, DEFAULT_COUNTRY, numberProblem, readNumber } from './phone-number.ts'
export {
  type EarlyDecision,
  exportRules,
  importRules,
  type ResolvedPlan,
} from './rules.ts'
export {
  AFTER_TALK,
  ANSWER_CHECKS,
  ANSWER_RULES,
  type AnswerRules,
  type ExtensionRow,
  exportDirectory,
  FREE_WEBHOOKS,
  type FreeWebhooks,
  findTenant,
  findUnits,
  importDirectory,
  listExtensions,
  listUnits,
  OPENS_BY,
  type OpensBy,
  type Unit,
} from './sql/directory.ts'
export { deleteExtension, writeExtension } from './sql/extensions.ts'
export { confirmNumbers, type HeldNumber, holdsNumber, listHeldNumbers } from './sql/numbers.ts'
export { directoryRevision } from './sql/revision.ts'
export {
  type BlockedRow,
  countShutWindows,
  deleteRule,
  listRules,
  type RuleOwner,
  type RuleTable,
  type WindowRow,
  writeBlocked,
  writeWindow,
} from './sql/rules.ts'
export {
  deleteTenantPrompt,
  listTenantPrompts,
  readTenantPrompt,
  saveTenantPrompt,
} from './sql/tenant-prompts.ts'
export {
  changeTenant,
  createTenant,
  deleteTenant,
  freeWebhooksOf,
  isOrphan,
  listTenants,
} from './sql/tenants.ts'
export {
  changeUnit,
  createUnit,
  deleteUnit,
  findResidents,
  pageUnits,
  readUnit,
  type UnitChange,
  type UnitRow,
  writeResidents,
} from './sql/units.ts'
export { findUnreached } from './sql/unreached.ts'
export { countDirectoryChanges } from './sql/upgrade.ts'
export { createStandby } from './standby.ts'
export { isAt } from './unit-place.ts'
export {
  type ListeningSettings,
  listeningSettings,
  type OwnText,
  type OwnTexts,
  ownTexts,
} from './voice-settings.ts'
export { directoryWarnings } from './warnings.ts'
