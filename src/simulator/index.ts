/**
 * Phones that speak AudioSocket exactly as Asterisk does and report every broken rule, and scripted peers.
 * Used by the demo, `porteiro call`, loopback and the tests.
 * Never: leniency. What a phone forgives, Asterisk drops.
 */
export { sayAcross, type VoiceHeard } from './bridged-voice.ts'
export { runCallCommand } from './call-command.ts'
export { openHttpPeer } from './http-peer.ts'
export { createPhone, type Phone, type PhoneOptions } from './phone.ts'
export { createRecogniser, type Recogniser, type RecogniserEvents } from './recogniser.ts'
export { playResident, playVisitor, type ResidentScript, type VisitorScript } from './script.ts'
export { createTelephone } from './telephone.ts'
export type { Ended, Happening, Heard, Hearing } from './transcript.ts'
export type { Violation, ViolationCode } from './violation.ts'
export { type Sounds, type Vocabulary, vocabularyOf } from './vocabulary.ts'
export { openWhatsAppPeer, type Reaction } from './whatsapp-peer.ts'
