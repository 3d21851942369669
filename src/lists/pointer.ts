/**
 * Pointers: one word that holds an item, and the ways to access it.
 *
 * The name of an access says what keeps the item, and the word, from changing under the caller:
 *
 *   entered        a read section is open: what is found is not reused until `exit`
 *   serialized     writers take turns, under a lock or in one thread, and it is our turn; readers
 *                  may load at any time
 *   unserialized   nobody else can reach the word: it is not published yet, or its goal is met
 *   unsafe         nothing does: for comparisons and print, not to be followed
 *
 * JavaScript has two kinds of accesses: atomics, which are all sequentially consistent, and plain
 * accesses, which are not ordered with anything. There is no acquire or release in between, and a
 * load through an address that was loaded before is not ordered after it. So, of a reader R and a
 * writer:
 *
 *   [P1] publication: the item's fields are plain stores, then the word is stored atomically.
 *        If R's load returns the item, it read from that store (or from a later one, by a writer
 *        whose turn came after ours), and the fields are there. If it returns what stood before, R
 *        does not know the item. Otherwise (either of the two is plain) R may get the item and read
 *        its fields from before.
 *   [P2] a word that readers may be loading is only stored atomically, even to clear it, where a
 *        kernel has a plain store. R gets the old value or the new one. Otherwise (plainly) that is
 *        a data race: the language promises little about it, and the model checker refuses it.
 *
 * So only these are plain, and cheap: `unserializedLoad`, `unserializedStore` and `initStore`,
 * since nobody else can reach the word; and `serializedLoad`, since the turn of every other writer
 * has ended before ours began, and readers only load.
 *
 * The source is XNU's smr.h; FreeBSD's smr_types.h has fewer of these accesses. Differences:
 * `enteredLoad` and `enteredLoadAcquire` are the same load, `serializedStore` and
 * `serializedStoreRelaxed` the same store; both names are kept for what they say about the caller.
 * `clearStore` is atomic; values are checked. The forms that assert throw, in every build.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { integer, Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { type HasMemory, type Memory, memoryOf } from '../memory/memory.ts'

/** An object that knows whether a read section is open: an `Smr`. */
export interface EntersSections {
  assertEntered(): void
}

/**
 * The word at `address` as a pointer: a field of an item, or `arena.root(name)`. Misuse unless the
 * address is an integer and inside the arena. Does not access the word; cheap enough to be made for
 * one use. Never blocks; legal inside a section.
 */
export function pointer(arena: HasMemory, address: number): SmrPointer {
  return new SmrPointer(memoryOf('pointer', arena), address)
}

/**
 * One word that holds an item or null, 0. None of its verbs blocks, and all are legal inside a
 * section and outside, as far as their names allow. Stores throw Misuse for a value that is neither
 * an item of this arena nor 0.
 */
export class SmrPointer {
  /** Index of the word in `arena.words`. */
  readonly address: number
  private readonly memory: Memory

  /** @internal Use `pointer`. */
  constructor(memory: Memory, address: number) {
    this.memory = memory
    this.address = integer('pointer', 'address', address, 1, memory.words.length - 1)
  }

  // ---- entered -----------------------------------------------------------------------------

  /**
   * The item, for a reader with a section open: it is not reused until `exit`. Atomic [P1]. XNU
   * smr_entered_load, FreeBSD smr_entered_load. Throws nothing.
   */
  enteredLoad(): Item {
    return this.memory.load(this.address) as Item
  }

  /**
   * The same load, for readers that rely on more than the item: what the writer did to other words
   * before it stored this one. XNU smr_entered_load_acquire; here every load is that strong.
   */
  enteredLoadAcquire(): Item {
    return this.enteredLoad()
  }

  /** `enteredLoad`; Misuse unless this worker has a section of `smr` open. */
  enteredLoadAssert(smr: EntersSections): Item {
    assertEntered('pointer.enteredLoadAssert', smr)
    return this.enteredLoad()
  }

  /** `enteredLoadAcquire`; Misuse unless this worker has a section of `smr` open. */
  enteredLoadAcquireAssert(smr: EntersSections): Item {
    assertEntered('pointer.enteredLoadAcquireAssert', smr)
    return this.enteredLoadAcquire()
  }

  // ---- serialized --------------------------------------------------------------------------

  /**
   * The item, for the writer whose turn it is. Plain: nobody else may store now. Where writers
   * `serializedSwap` without taking turns, use `enteredLoad`. XNU smr_serialized_load.
   */
  serializedLoad(): Item {
    return this.memory.peek(this.address) as Item
  }

  /** Publishes the item, with all that was written to it before [P1]. XNU smr_serialized_store. */
  serializedStore(value: Item): void {
    this.put('serializedStore', value)
  }

  /**
   * Stores an item that readers can reach already; a removal does that. XNU
   * smr_serialized_store_relaxed, which saves a barrier; here it is the same store, since readers
   * may be loading the word [P2].
   */
  serializedStoreRelaxed(value: Item): void {
    this.put('serializedStoreRelaxed', value)
  }

  /**
   * Publishes the item and returns the one before. The only store that several writers may do at
   * the same time: each gets what it has replaced, to free it. XNU smr_serialized_swap.
   */
  serializedSwap(value: Item): Item {
    return this.memory.swap(this.address, this.checked('serializedSwap', value)) as Item
  }

  /** `serializedLoad`; Misuse unless `held`: say how you know, for example `lock.held`. */
  serializedLoadAssert(held: boolean): Item {
    this.assertHeld('serializedLoadAssert', held)
    return this.serializedLoad()
  }

  /** `serializedStore`; Misuse unless `held`. */
  serializedStoreAssert(value: Item, held: boolean): void {
    this.assertHeld('serializedStoreAssert', held)
    this.put('serializedStoreAssert', value)
  }

  /** `serializedStoreRelaxed`; Misuse unless `held`. */
  serializedStoreRelaxedAssert(value: Item, held: boolean): void {
    this.assertHeld('serializedStoreRelaxedAssert', held)
    this.put('serializedStoreRelaxedAssert', value)
  }

  /** `serializedSwap`; Misuse unless `held`. */
  serializedSwapAssert(value: Item, held: boolean): Item {
    this.assertHeld('serializedSwapAssert', held)
    return this.memory.swap(this.address, this.checked('serializedSwapAssert', value)) as Item
  }

  // ---- nobody else can reach it ---------------------------------------------------------------

  /**
   * The item, where nobody else can reach the word: in a destructor, or in an item that is not
   * published. Plain. XNU smr_unserialized_load.
   */
  unserializedLoad(): Item {
    return this.memory.peek(this.address) as Item
  }

  /** Stores, where nobody else can reach the word. Plain. XNU smr_unserialized_store. */
  unserializedStore(value: Item): void {
    this.memory.poke(this.address, this.checked('unserializedStore', value))
  }

  /**
   * The first store to a word, before any other worker can reach it. Plain: what publishes the word
   * publishes its content too. XNU smr_init_store.
   */
  initStore(value: Item): void {
    this.memory.poke(this.address, this.checked('initStore', value))
  }

  /**
   * Stores null. Always legal, since null needs nothing to be written before. Still atomic, since
   * readers may be loading the word [P2]. XNU smr_clear_store.
   */
  clearStore(): void {
    this.memory.store(this.address, NULL_ITEM)
  }

  /**
   * The value of the word, as a number: the item may be gone by now. For comparisons, "is it
   * empty", and print. Legal anywhere. Atomic, since it may be changing. XNU smr_unsafe_load.
   */
  unsafeLoad(): number {
    return this.memory.load(this.address)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('SmrPointer', undefined, () => ({
      address: this.address,
      item: this.unsafeLoad(),
    }))
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  private put(verb: string, value: Item): void {
    this.memory.store(this.address, this.checked(verb, value))
  }

  /** Misuse for a value outside the arena, where readers would follow it. */
  private checked(verb: string, value: Item): Item {
    const words = this.memory.words.length
    if (typeof value === 'number' && value >>> 0 === value && value < words) return value
    throw new Misuse(`pointer.${verb}: value is ${show(value)}; give an item of this arena, or 0`, {
      address: this.address,
      value: show(value),
    })
  }

  private assertHeld(verb: string, held: boolean): void {
    if (held === true) return
    throw new Misuse(
      `pointer.${verb}: the caller says that writers do not take turns (held is ${show(held)}); take the lock first`,
      { address: this.address, held: show(held) },
    )
  }
}

function assertEntered(call: string, smr: EntersSections): void {
  if (typeof smr?.assertEntered !== 'function') {
    throw new Misuse(`${call}: smr is ${show(smr)}; give a domain`)
  }
  smr.assertEntered()
}
