/**
 * uma-smr: a UMA-style slab allocator with integrated safe memory reclamation, over one
 * SharedArrayBuffer that workers share. Exports only, in the order in which a newcomer meets them.
 */

export { Arena, type ArenaOptions, type ArenaReclaimed } from './arena.ts'
export { Corruption, Exhausted, type Facts, Misuse, UmaSmrError } from './errors.ts'
export type { SupervisedWorker } from './host.ts'
export { type ArenaStats, formatDomains, formatStats, formatZones } from './inspect.ts'
export { NamedLock as Lock } from './lock.ts'
export type { Taken } from './memory/lock.ts'
export type { IntrinsicsKind } from './memory/memory.ts'
export type { AsyncWaitOptions, WaitOptions } from './memory/patience.ts'
export type { AttachOptions, Handle, SharedMemory } from './memory/space.ts'
export type { ReapReport } from './reap.ts'
export {
  bool,
  bytes,
  type Fields,
  type FieldType,
  f32,
  f64,
  i32,
  i64,
  type KeyKind,
  type KeyNames,
  type RecordOf,
  record,
  ref,
  type Schema,
  u32,
  utf8,
  type ValueOf,
  type Values,
} from './record.ts'
export type { CallOptions } from './smr/call.ts'
export type { SmrCursor } from './smr/cursor.ts'
export { Smr } from './smr/domain.ts'
export type { ClockName, SectionName, SmrOptions } from './smr/options.ts'
export { pointer, type SmrPointer } from './smr/pointer.ts'
export { SmrList, type SmrQueue, SmrSList, SmrStailQ, SmrTailQ } from './smr/queue.ts'
export type { QueueOptions } from './smr/queueWords.ts'
export type { Stall } from './smr/stall.ts'
export type { SmrStats } from './smr/stats.ts'
export { Tracker } from './smr/trackers.ts'
export type { TableOptions } from './table/open.ts'
export type { TableStats } from './table/stats.ts'
export { HashTable, type TableOf } from './table/table.ts'
export { type Goal, type Item, NULL_ITEM, type WorkerId } from './words.ts'
export type { Adopted } from './zone/adopt.ts'
export type { KnobStats } from './zone/knobs.ts'
export type { Hook, ZoneOptions } from './zone/options.ts'
export type { BucketRange, PresetName } from './zone/presets.ts'
export type { Reclaimed, ReclaimLevel } from './zone/reclaim.ts'
export type { ZoneStats } from './zone/stats.ts'
export type { TuneOptions } from './zone/wish.ts'
export { Zone } from './zone/zone.ts'
