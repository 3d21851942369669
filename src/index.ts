/**
 * uma-smr: a UMA-style slab allocator with integrated safe memory reclamation, over one
 * SharedArrayBuffer that workers share. Exports only, in the order in which a newcomer meets them.
 */

export { Arena, type ArenaOptions, type ArenaReclaimed } from './arena/arena.ts'
export type { BytesForOptions, RecordCount } from './arena/bytesFor.ts'
export { Counter } from './arena/counter.ts'
export type {
  ArenaEvents,
  ArenaListener,
  ExhaustedEvent,
  GrowEvent,
  ReapEvent,
  StallEvent,
} from './arena/events.ts'
export { type ArenaStats, formatDomains, formatStats, formatZones } from './arena/inspect.ts'
export { NamedLock as Lock } from './arena/namedLock.ts'
export type { ReapReport } from './arena/reap.ts'
export type { WorkerInfo } from './arena/workers.ts'
export { type Goal, type Item, NULL_ITEM, type WorkerId } from './base/brands.ts'
export { Corruption, Exhausted, type Facts, Misuse, UmaSmrError } from './base/errors.ts'
export type { SupervisedWorker } from './base/host.ts'
export { Heap } from './heap/heap.ts'
export type { HeapOptions } from './heap/open.ts'
export type { HeapStats, SizeStats } from './heap/stats.ts'
export type { SmrCursor } from './lists/cursor.ts'
export { pointer, type SmrPointer } from './lists/pointer.ts'
export { SmrList, type SmrQueue, SmrSList, SmrStailQ, SmrTailQ } from './lists/queue.ts'
export type { QueueOptions } from './lists/queueWords.ts'
export type { IntrinsicsKind } from './memory/memory.ts'
export type { OrderKeyNames, OrderKind } from './order/key.ts'
export type { OrderedTableOptions } from './order/open.ts'
export type { OrderedTableStats } from './order/stats.ts'
export { OrderedTable, type OrderedTableOf, type RangeOptions } from './order/table.ts'
export {
  type AtomicNames,
  atomic,
  type BlockHeap,
  bool,
  bytes,
  data,
  type Fields,
  type FieldType,
  f32,
  f64,
  i32,
  i64,
  json,
  type KeyKind,
  type KeyNames,
  type RecordOf,
  record,
  ref,
  type Schema,
  text,
  u32,
  utf8,
  type ValueOf,
  type Values,
} from './record/record.ts'
export type { CallOptions } from './smr/call.ts'
export { Smr } from './smr/domain.ts'
export type { ClockName, SectionName, SmrOptions } from './smr/options.ts'
export type { Stall } from './smr/stall.ts'
export type { SmrStats } from './smr/stats.ts'
export { Tracker } from './smr/trackers.ts'
export type { Taken } from './space/lock.ts'
export type { AttachOptions, Handle, SharedMemory } from './space/space.ts'
export type { AsyncWaitOptions, WaitOptions } from './space/wait.ts'
export type { Hold } from './table/hold.ts'
export type { NearOptions, NearStats } from './table/near.ts'
export type { TableOptions } from './table/open.ts'
export type { TableStats } from './table/stats.ts'
export { HashTable, type TableOf } from './table/table.ts'
export type { Adopted } from './zone/adopt.ts'
export type { Allocation } from './zone/guard.ts'
export type { BucketRange, PresetName, TuneOptions } from './zone/knobOptions.ts'
export type { KnobStats } from './zone/knobs.ts'
export type { Hook, ZoneOptions } from './zone/options.ts'
export type { Reclaimed, ReclaimLevel } from './zone/reclaim.ts'
export type { ZoneStats } from './zone/stats.ts'
export type { RunTimeOptions } from './zone/tune.ts'
export { Zone } from './zone/zone.ts'
