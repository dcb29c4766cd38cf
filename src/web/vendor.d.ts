// the libraries of the pages, by the paths that src/http/routes/vendor.ts serves them at
declare module '*/vendor/preact.js' {
  export * from 'preact'
}
declare module '*/vendor/preact-hooks.js' {
  export * from 'preact/hooks'
}
declare module '*/vendor/signals.js' {
  export * from '@preact/signals'
}
declare module '*/vendor/htm.js' {
  export { default } from 'htm'
}
declare module '*/vendor/uplot.js' {
  export { AlignedData, default, Options } from 'uplot'
}
