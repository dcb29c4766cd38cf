/** The used part of it: the compiler's library has it only among the browser's globals, Node's types not at all. */
declare namespace WebAssembly {
  class Module {
    constructor(code: Uint8Array<ArrayBuffer>)
  }
  class Memory {
    readonly buffer: ArrayBuffer
  }
  type Imports = Record<string, Record<string, unknown>>
  class Instance {
    constructor(module: Module, imports: Imports)
    readonly exports: Record<string, unknown>
  }
  function compile(code: Uint8Array<ArrayBuffer>): Promise<Module>
}

/** The package has no types of its own. Its emscripten glue takes a hook and gives the C functions of libfvad. */
declare module '@echogarden/fvad-wasm' {
  export interface Fvad {
    _fvad_new(): number
    _fvad_free(handle: number): void
    /** 0 to 3, from calm to strict; -1 for any other. */
    _fvad_set_mode(handle: number, mode: number): number
    _fvad_set_sample_rate(handle: number, rate: number): number
    /** 1 voiced, 0 not, -1 for a length that is not 10, 20 or 30 ms. */
    _fvad_process(handle: number, samples: number, length: number): number
    _malloc(bytes: number): number
    _free(pointer: number): void
  }
  export default function fvad(options: {
    instantiateWasm(imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void): object
  }): Promise<Fvad>
}
