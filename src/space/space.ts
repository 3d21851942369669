/**
 * The shared space as one worker sees it: the base of every layer above.
 *
 * One buffer of fixed size. By default it belongs to a shared WebAssembly.Memory, so WebAssembly
 * can work on it too. Pages that nobody touches cost nothing, so "growing" is touching more, and no
 * view ever becomes stale. A plain SharedArrayBuffer is used where the host has no such memory, or
 * where the caller brings one.
 *
 * The header is written before the magic word is stored, and nobody reads the header before loading
 * the magic word: one store makes a buffer an arena. Attaching claims a worker slot, the "CPU
 * number" by which all per-worker state is indexed.
 */

import { Exhausted, integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import { threadId } from '../base/host.ts'
import { MAX_DELTA, type Seq } from '../base/seq.ts'
import {
  type Geometry,
  geometry,
  Header,
  LAYOUT_VERSION,
  MAGIC,
  MAX_WORKERS,
  WorkerSlot,
} from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { BYTES_PER_WORD } from '../memory/units.ts'
import { memoryAt } from '../memory/wasm.ts'
import { Claim } from './claims.ts'
import { Directory, type Listing } from './directory.ts'
import { Events } from './events.ts'
import { isTimeOut, Locks } from './lock.ts'
import { Pages } from './pages.ts'
import { Turn } from './turn.ts'
import { Watch, type Watched } from './watch.ts'
import { Workers } from './workers.ts'

/** Shape of the parts of `WebAssembly` that we use, so that no host's type library is needed. */
export interface SharedMemory {
  /** Its buffer: a SharedArrayBuffer. */
  readonly buffer: ArrayBufferLike
}
interface WasmScope {
  readonly WebAssembly?: {
    Memory: new (shape: { initial: number; maximum: number; shared: boolean }) => SharedMemory
  }
}

/** What `attach` takes: pass it through `workerData` or `postMessage`. */
export interface Handle {
  /** Version of the layout: libraries of different versions refuse each other's arenas. */
  readonly umaSmr: number
  /** The shared memory itself. */
  readonly buffer: SharedArrayBuffer
  /** Present where the arena lies over a WebAssembly.Memory. */
  readonly memory?: SharedMemory
}

export interface SpaceOptions {
  /** Size in bytes, fixed: 2^12 to 2^32 - 2^16. Default 2^28. Untouched pages take no memory. */
  readonly bytes?: number
  /** How many workers may be attached at once: 1 to 256. Default 64. */
  readonly maxWorkers?: number
  /** A shared WebAssembly.Memory to use, of a size that `bytes` may have. */
  readonly memory?: SharedMemory
  /** A SharedArrayBuffer to use, likewise; not a growable one. */
  readonly buffer?: SharedArrayBuffer
  /** Detects double frees and writes to freed memory, at a price: for tests. Default false. */
  readonly checks?: boolean
  /** Whether this worker uses WebAssembly for its verbs. Default: where the host lets us. */
  readonly intrinsics?: boolean
  /** What this worker is called in `arena.workers()`: cut to 40 bytes of UTF-8. Default ''. */
  readonly label?: string
  /** First value (odd) and step (even) of every clock, for tests of the wrap. Default 1 and 2. */
  readonly sequence?: { readonly first: number; readonly step: number }
}

/** What a worker that attaches may choose for itself. */
export type AttachOptions = Pick<SpaceOptions, 'intrinsics' | 'label'>

const CREATE = 'Arena.create'
const ATTACH = 'Arena.attach'
const KNOWN = [
  'bytes',
  'maxWorkers',
  'memory',
  'buffer',
  'checks',
  'intrinsics',
  'label',
  'sequence',
] as const satisfies readonly (keyof SpaceOptions)[]
const DEFAULT_BYTES = 2 ** 28
const DEFAULT_WORKERS = 64
const MIN_BYTES = 2 ** 12
/** Steps that a lazy clock may take at once, and steps that a goal may lie ahead of the hand. */
const LAZY_GRACE = 2
const STEPS_AHEAD = 2
const WASM_PAGE = 2 ** 16
/** The largest size that WebAssembly and the engines' byte views allow. */
const MAX_BYTES = 2 ** 32 - WASM_PAGE

/** One worker's sections in one domain, as the arena needs them. */
export interface OwnSections extends Watched {
  readonly name: string
  /** Whether a synchronous one is open. @internal */
  readonly inside: boolean
}

/** A zone from which a call of another zone takes buckets: see `Space.visits`. */
export interface Visit {
  readonly serial: number
  /** Puts back the bucket that the call may hold. May be repeated. The directory is locked. */
  end(): void
}

/** A table, as far as the arena looks at it. */
export interface Counted {
  /** Misuse when it was destroyed. */
  stats(): {
    readonly size: number
    readonly chains?: number
    readonly load?: number
    readonly zone: { readonly live: number; readonly name: string }
  }
}

/** Tables that `arena.diagnose` looks at: a program that forgets its handles does not keep more of them. */
const MOST_TABLES = 256

/** Words of shared memory that say what this worker has in its hands. */
export interface Settled {
  /** After an exception: makes them say what is so. May be repeated. */
  settle(): void
  /** Gives back and frees what is in them. No call of this worker is running. */
  empty(): void
}

/** A zone that this worker has open. */
export interface Giver {
  /**
   * Gives up the pages that it can spare, hooks and all, without waiting. Returns whether it has
   * tried: not while a call of it is running.
   */
  giveUp(): boolean
}

export class Space {
  readonly memory: Memory
  readonly slot: number
  /** The generation of the slot when this worker claimed it. */
  readonly generation: number
  readonly maxWorkers: number
  /** Words of this worker's own, for keys that are looked up together. */
  readonly manyAt: number
  readonly checks: boolean
  /** First sequence and step of the clock of a new domain. */
  readonly sequence: { readonly first: Seq; readonly step: number }
  readonly workers: Workers
  readonly locks: Locks
  readonly pages: Pages
  readonly directory: Directory
  /** What this worker keeps published until its turn of the event loop ends. */
  readonly turn: Turn = new Turn()
  /** What listeners of this worker are told. */
  readonly events: Events = new Events()
  /** What is checked in turns of their own. */
  readonly watch: Watch = new Watch()
  /** Its open handles of domains. */
  private readonly domains = new Set<OwnSections>()
  /** Closes the handles of the layers above, without touching shared memory. Set by them. */
  whenReaped: () => void = () => {}
  /** Frees what nothing leads to, and zones made for tables that were given up. Set likewise. */
  sweep: (isGivenUp?: (name: string, maker: number) => boolean) => void = () => {}
  /** Gives large blocks whose readers have left back; the directory is locked. Set likewise. */
  collectRuns: (names: readonly Listing[]) => number = () => 0
  /** Names of tables that this worker is making. */
  readonly making: Set<string> = new Set()
  /**
   * Other zones whose bucket the running call may hold: from before it takes the first one until
   * all are in a place again. What is here while no such call runs was left behind.
   */
  readonly visits: Visit[] = []
  /** Zones that this worker has open: they give up pages when another call is short of them. */
  readonly givers: Set<Giver> = new Set()
  /** What this worker has in its hands for tables: see zone/hands.ts. */
  readonly hands: Set<Settled> = new Set()
  /** Tables that this worker has opened last, by name: for `arena.diagnose`. */
  readonly tables: Map<string, Counted> = new Map()
  private open = true

  /** `memory` holds an arena already: see `format`. Claims a slot, and records it in `claim`. */
  constructor(call: string, memory: Memory, claim: Claim = new Claim(), label = '') {
    this.memory = memory
    this.maxWorkers = memory.peek(Header.maxWorkers)
    this.checks = memory.peek(Header.checks) !== 0
    this.sequence = { first: memory.peek(Header.first) as Seq, step: memory.peek(Header.step) }
    this.workers = new Workers(memory, memory.peek(Header.workersAt), this.maxWorkers)
    this.slot = this.workers.claim(call, threadId(), claim)
    this.generation = this.workers.generation(this.slot)
    this.manyAt = memory.peek(Header.workersAt) + this.slot * WorkerSlot.WORDS + WorkerSlot.many
    this.workers.introduce(this.slot, label)
    this.locks = new Locks(
      memory,
      this.workers,
      this.slot,
      () => this.beforeSleep(),
      (what) => this.reaped(what),
    )
    this.pages = new Pages(memory, this.locks, this.workers, this.slot)
    this.watch.add({ check: () => this.checkLocks() })
    this.watch.add(this.pages)
    this.directory = new Directory(memory, this.locks)
    this.watch.add({ check: () => this.checkNames() })
    this.watch.add({ check: () => this.endVisits() })
    claim.space = this
  }

  /** Whether this worker is still attached. */
  get isOpen(): boolean {
    return this.open
  }

  /** Misuse when this worker has left the arena, or was reaped although it lives. */
  assertOpen(call: string): void {
    if (!this.open) throw new Misuse(`${call}: this arena handle was detached; attach again`)
    if (!this.isOurs) throw this.reaped(call)
  }

  /**
   * Whether the slot still belongs to this worker. It may have been reaped although it lives: then
   * its locks, sections and buckets are others' by now, and it must stop. Checked on slow paths
   * only.
   */
  get isOurs(): boolean {
    return this.workers.generation(this.slot) === this.generation
  }

  /** This worker was reaped although it lives: closes all its handles, and returns the error. */
  reaped(call: string): Misuse {
    this.open = false
    this.whenReaped()
    const worker = this.workers.nameOf(this)
    return new Misuse(
      `${call}: worker ${worker} was reaped while it was alive: what it held belongs to others now, and it has stopped; attach again, and do not reap a worker that has not exited`,
      { worker },
    )
  }

  /** In a turn of its own: see lock.ts. If the hands cannot be settled now, a later turn does both. */
  private checkLocks(): void {
    if (this.locks.isBusy) this.settleHands()
    this.locks.check()
  }

  /** Before a lock is left to the next owner to repair: see zone/hands.ts. */
  settleHands(): void {
    if (this.hands.size > 0 && this.isOurs) for (const each of this.hands) each.settle()
  }

  /**
   * Remembers a table that this worker has opened. Not by a WeakRef: what one was made for stays until the
   * turn ends, and a program may make thousands of arenas in one.
   */
  remember(name: string, table: Counted): void {
    this.tables.delete(name)
    this.tables.set(name, table)
    if (this.tables.size <= MOST_TABLES) return
    const [oldest] = this.tables.keys()
    this.tables.delete(oldest as string)
  }

  /** In a turn of its own: sweeps what failed calls have left half made, or half ended. */
  private checkNames(): void {
    if (!this.directory.isTorn && this.making.size === 0) return
    const { locks, making } = this
    this.sweep((name, maker) => maker === locks.signature && making.has(name))
    making.clear()
  }

  /**
   * Puts back buckets that a call which was ended has left. Each slow path begins with it; so does
   * a turn of its own. Where a lock is not free in time, the next call does it.
   */
  endVisits(): void {
    const { directory, visits } = this
    if (visits.length === 0 || !this.isOurs) return
    try {
      // No zone can end meanwhile. The buckets of one that has ended are gone with it.
      directory.whileLocked((names) => {
        for (let last = visits.at(-1); last !== undefined; last = visits.at(-1)) {
          const { serial } = last
          if (names.some((each) => each.serial === serial)) last.end()
          visits.pop()
        }
      })
    } catch (error) {
      if (!isTimeOut(error)) throw error
    }
  }

  /** Clears what would hold memory back while this thread blocks. */
  beforeSleep(): void {
    this.turn.letGo()
  }

  /** A handle of a domain was opened: from now on its sections are checked. */
  addSections(it: OwnSections): void {
    this.domains.add(it)
    this.watch.add(it)
    this.watch.start()
  }

  removeSections(it: OwnSections): void {
    this.domains.delete(it)
    this.watch.remove(it)
  }

  /** Whether a synchronous section of any domain is open. */
  get isInside(): boolean {
    for (const { inside } of this.domains) if (inside) return true
    return false
  }

  /**
   * For calls that may wait, for readers or for a lock. In a section that holds memory back all the
   * time, and workers can wait for each other in a circle. Checked arenas refuse it, whatever the
   * domain of the section: Misuse. Kernels' ASSERT_SLEEPABLE.
   */
  assertSleepable(call: string): void {
    if (!this.checks) return
    for (const { name, inside } of this.domains) {
      if (!inside) continue
      throw new Misuse(
        `${call}: may wait, and a section of domain ${show(name)} is open; exit first (only checked arenas refuse this)`,
        { domain: name },
      )
    }
  }

  /**
   * Gives the slot back. The layers above have emptied the worker's caches before. The same step
   * closes the arena: if it throws, this worker has not left, and may leave again.
   */
  close(): void {
    this.workers.release(this.slot, this.generation)
    this.end()
  }

  /** The call that made it has failed: nobody will use it, so the slot goes back. */
  giveUp(): void {
    if (!this.isOurs) return
    this.whenReaped()
    this.locks.check()
    this.pages.check()
    this.close()
  }

  /**
   * Leaves the slot as a dead worker would, if the caches cannot be emptied because a lock is held:
   * the next worker that reaps or attaches takes over what is left. Threads that this worker
   * supervises must have another supervisor before, since a reaper takes them for dead.
   */
  abandon(): void {
    this.workers.bury(this)
    this.end()
  }

  private end(): void {
    this.open = false
    this.watch.stop()
    this.tables.clear()
  }
}

/** Makes an arena; returns it with its handle. */
export function createSpace(
  options: SpaceOptions,
  claim?: Claim,
): { space: Space; handle: Handle } {
  onlyOptions(CREATE, options, KNOWN)
  const maxWorkers = integer(
    CREATE,
    'maxWorkers',
    options.maxWorkers === undefined ? DEFAULT_WORKERS : options.maxWorkers,
    1,
    MAX_WORKERS,
  )
  const sequence = checkSequence(options.sequence, maxWorkers)
  const { checks = false } = options
  if (typeof checks !== 'boolean')
    throw new Misuse(`${CREATE}: checks is ${show(checks)}; give true or false`)
  const label = labelOf(CREATE, options)
  const handle = obtain(options)
  const memory = memoryAt(CREATE, handle, options.intrinsics)
  const geo = geometry(memory.words.length, maxWorkers)
  if (geo.pages < 1) {
    throw new Misuse(
      `${CREATE}: ${handle.buffer.byteLength} bytes are too few; the header for ${maxWorkers} workers alone takes ${geo.pagesAt * BYTES_PER_WORD}`,
      { bytes: handle.buffer.byteLength, maxWorkers },
    )
  }
  if (memory.load(Header.magic) === MAGIC) {
    throw new Misuse(
      `${CREATE}: this buffer holds an arena already; attach to it, or bring a fresh one`,
    )
  }
  format(
    memory,
    geo,
    checks,
    sequence,
    options.buffer !== undefined || options.memory !== undefined,
  )
  return { space: new Space(CREATE, memory, claim, label), handle }
}

/** Writes the words of an empty arena. `dirty`: the memory may hold something else. */
export function format(
  memory: Memory,
  geo: Geometry,
  checks: boolean,
  sequence: { first: number; step: number },
  dirty: boolean,
): void {
  if (dirty) {
    // Others may be loading the magic word, so it is stored atomically.
    memory.store(Header.magic, 0)
    memory.fill(0, Header.magic, 0)
    memory.fill(Header.magic + 1, geo.pagesAt - Header.magic - 1, 0)
  }
  memory.poke(Header.version, LAYOUT_VERSION)
  memory.poke(Header.words, geo.words)
  memory.poke(Header.maxWorkers, geo.maxWorkers)
  memory.poke(Header.checks, checks ? 1 : 0)
  memory.poke(Header.first, sequence.first)
  memory.poke(Header.step, sequence.step)
  memory.poke(Header.names, geo.names)
  memory.poke(Header.workersAt, geo.workersAt)
  memory.poke(Header.directoryAt, geo.directoryAt)
  memory.poke(Header.pageTableAt, geo.pageTableAt)
  memory.poke(Header.pagesAt, geo.pagesAt)
  memory.poke(Header.pages, geo.pages)
  memory.store(Header.magic, MAGIC)
}

/** Joins the arena that `handle` leads to. */
export function attachSpace(
  handle: unknown,
  options: AttachOptions = {},
  claim?: Claim,
): { space: Space; handle: Handle } {
  onlyOptions(ATTACH, options, ['intrinsics', 'label'])
  const label = labelOf(ATTACH, options)
  if (!isHandle(handle)) {
    throw new Misuse(`${ATTACH}: ${show(handle)} is not an arena's handle; pass arena.handle`)
  }
  const { umaSmr } = handle
  if (umaSmr !== LAYOUT_VERSION) throw otherVersion('handle', umaSmr)
  const memory = memoryAt(ATTACH, handle, options.intrinsics)
  assertArena(memory, handle.buffer.byteLength)
  return { space: new Space(ATTACH, memory, claim, label), handle }
}

/**
 * Misuse unless an arena of this library lies here. The load of the magic word has two cases: it
 * returns what `format` stored last, then all that `format` wrote before is there; or something
 * else, then this is no arena, or not yet. Otherwise (a plain load) a half-written header could be
 * taken for a whole one.
 */
export function assertArena(memory: Memory, bytes: number): void {
  const tooShort = memory.words.length < Header.WORDS
  if (tooShort || memory.load(Header.magic) !== MAGIC) {
    throw new Misuse(`${ATTACH}: the buffer of ${bytes} bytes holds no arena`, { bytes })
  }
  const version = memory.peek(Header.version)
  if (version !== LAYOUT_VERSION) throw otherVersion('arena', version)
  const words = memory.peek(Header.words)
  const geo = geometry(words, memory.peek(Header.maxWorkers))
  const differs = (word: keyof Geometry): boolean => geo[word] !== memory.peek(Header[word])
  if (words !== memory.words.length || (Object.keys(geo) as (keyof Geometry)[]).some(differs)) {
    throw new Misuse(
      `${ATTACH}: the arena was made with ${words * BYTES_PER_WORD} bytes, this buffer has ${bytes}; it has been truncated or damaged`,
      { bytes, expected: words * BYTES_PER_WORD },
    )
  }
}

function labelOf(call: string, { label = '' }: AttachOptions): string {
  if (typeof label === 'string') return label
  throw new Misuse(`${call}: label is ${show(label)}; give a string`, { label: show(label) })
}

function otherVersion(what: string, version: unknown): Misuse {
  return new Misuse(
    `${ATTACH}: the ${what} has layout version ${show(version)}, this library has ${LAYOUT_VERSION}; use one version of uma-smr in all workers`,
    { version: show(version), expected: LAYOUT_VERSION },
  )
}

function isHandle(value: unknown): value is Handle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'umaSmr' in value &&
    'buffer' in value &&
    value.buffer instanceof SharedArrayBuffer
  )
}

function obtain(options: SpaceOptions): Handle {
  const { memory, buffer } = options
  const given = [options.bytes, memory, buffer].filter((each) => each !== undefined).length
  if (given > 1) throw new Misuse(`${CREATE}: give one of bytes, memory and buffer`)
  if (memory !== undefined || buffer !== undefined) {
    const own = memory === undefined ? buffer : memory?.buffer
    if (!(own instanceof SharedArrayBuffer)) {
      throw new Misuse(
        `${CREATE}: ${show(own ?? (memory === undefined ? buffer : memory))} is not a SharedArrayBuffer`,
      )
    }
    if ((own as { growable?: boolean }).growable)
      throw new Misuse(`${CREATE}: a growable buffer is slow and not needed; give a fixed one`)
    if (own.byteLength < MIN_BYTES || own.byteLength > MAX_BYTES) {
      throw new Misuse(
        `${CREATE}: the buffer has ${own.byteLength} bytes; give ${MIN_BYTES} to ${MAX_BYTES}`,
      )
    }
    return handleOf(own, memory)
  }
  const bytes = integer(
    CREATE,
    'bytes',
    options.bytes === undefined ? DEFAULT_BYTES : options.bytes,
    MIN_BYTES,
    MAX_BYTES,
  )
  const wasm = wasmMemory(Math.ceil(bytes / WASM_PAGE))
  if (wasm !== undefined) return handleOf(wasm.buffer as SharedArrayBuffer, wasm)
  try {
    return handleOf(new SharedArrayBuffer(bytes), undefined)
  } catch (cause) {
    throw new Exhausted(
      `${CREATE}: the host has no ${bytes} bytes of shared memory: ${show(cause)}`,
      { bytes },
    )
  }
}

function handleOf(buffer: SharedArrayBuffer, memory: SharedMemory | undefined): Handle {
  return memory === undefined
    ? { umaSmr: LAYOUT_VERSION, buffer }
    : { umaSmr: LAYOUT_VERSION, buffer, memory }
}

/** Undefined where the host has no shared WebAssembly memory, or no address space for it. */
function wasmMemory(pages: number): SharedMemory | undefined {
  const wasm = (globalThis as WasmScope).WebAssembly
  try {
    return wasm && new wasm.Memory({ initial: pages, maximum: pages, shared: true })
  } catch {
    return undefined
  }
}

/**
 * All writers may pass the wrap guard at once, and a deferred goal lies a step ahead; a lazy clock
 * may be two steps past the guard, and its goal two further. All these steps must fit into the
 * quarter of the circle that MAX_DELTA leaves.
 */
function checkSequence(
  sequence: SpaceOptions['sequence'],
  maxWorkers: number,
): { first: number; step: number } {
  if (sequence === undefined) return { first: 1, step: 2 }
  const largest = Math.floor(MAX_DELTA / (Math.max(maxWorkers, LAZY_GRACE) + STEPS_AHEAD))
  onlyOptions(`${CREATE}: sequence`, sequence, ['first', 'step'])
  const step = integer(CREATE, 'sequence.step', sequence.step, 2, largest)
  const first = integer(CREATE, 'sequence.first', sequence.first, -(2 ** 31), 2 ** 31 - 1)
  if (step % 2 === 0 && first % 2 !== 0) {
    return { first, step }
  }
  throw new Misuse(
    `${CREATE}: sequence.first is ${first} and step ${step}; first must be odd and step even`,
    {
      first,
      step,
    },
  )
}
