/**
 * Sound of one leg: hearing (ear: voice, key tones, levels), playing (player, prompts, bridge) and recording. Samples
 * are 8 kHz, 16 bit, mono; a frame is 160 of them.
 * Never: actors, sockets or SQL. Everything here runs 50 times a second per leg.
 */
export { type BridgeLine, type BridgeReport, createBridgeLine } from './bridge.ts'
export { createEar, type Ear, type EarFact, KEPT_MS } from './ear.ts'
export { createEchoMeter } from './echo-meter.ts'
export { cutFrames, type FrameSource } from './frames.ts'
export { createTalkCounts, type TalkCounts } from './jitter-buffer.ts'
export { createLegRecorder, type LegRecorder } from './leg-recorder.ts'
export { finishLegRecordings } from './leg-recording-file.ts'
export { createPlayer } from './player.ts'
export { CATALOGUE, isPromptId, PROMPT_IDS } from './prompt-ids.ts'
export { loadPrompts, openPrompts, type Prompts, type SharedPrompts, sharePrompts } from './prompts.ts'
export { createRecorder, loadRecording, type Recorder, recordingFile, saveRecording } from './recording.ts'
export { createToneFilter, type ToneFilter, withoutTones } from './tone-filter.ts'
export { createTones, type Tones } from './tones.ts'
export { loadVad, type VadEngine } from './vad.ts'
export { parseWav, readWav, writeWav } from './wav.ts'
