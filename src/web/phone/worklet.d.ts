/** What a browser gives to an AudioWorklet; TypeScript's DOM library leaves it out. */
declare const sampleRate: number
declare class AudioWorkletProcessor {
  readonly port: MessagePort
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void
