export const ROLLUP_KINDS = ['messages', 'calls'] as const
export type RollupKind = (typeof ROLLUP_KINDS)[number]
