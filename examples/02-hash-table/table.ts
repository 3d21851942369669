/**
 * A hash table that many workers read without a lock, made by hand. Step by step:
 *
 *   1. a domain, for sections; a zone of nodes with that domain; a lock, for writers only
 *   2. an array of heads: one word per chain, the address of its first node, 0 for none
 *   3. a lookup: enter a section, follow the chain with atomic loads, look, leave
 *   4. a put: fill a node that nobody can see, then publish it with one atomic store
 *   5. a delete: take the node out of its chain with one atomic store, then zfreeSmr
 *
 *      heads    [ . ]  [ . ]  [ 0 ]  [ . ]  ...        one item of a plain zone
 *                 |      |             |
 *               node -> node         node -> 0         items of a zone with smr
 *
 * Two rules carry everything. A node does not change once a reader can find it: a new price is a
 * new node in the old one's place. And a node that was taken out goes to `zfreeSmr`, which keeps it
 * from being used again until every reader that could have found it has left its section.
 *
 * This is all that it takes. The library's own HashTable does the same, and adds what a table in
 * earnest wants: keys of any type compared in full, a hash that spreads them, one lock per stripe
 * of chains instead of one for all, and `resize` while readers go on. See src/table/table.ts.
 */

import {
  type Arena,
  type Item,
  type Lock,
  NULL_ITEM,
  record,
  ref,
  type Smr,
  u32,
  type Zone,
} from 'uma-smr'

export const CHAINS = 1024
const BYTES_PER_WORD = 4
const NONE = 0

/** What a node holds. `sum` is there so that a reader can tell whether it saw a node in one piece. */
export const Node = record({ next: ref, key: u32, price: u32, stock: u32, sum: u32 })
const NEXT = Node.offsets.next

/** Any function will do that no mixture of two versions is likely to satisfy. */
export function sumOf(key: number, price: number, stock: number): number {
  return (
    (Math.imul(key, 0x9e3779b1) ^ Math.imul(price, 0x85ebca6b) ^ Math.imul(stock, 0xc2b2ae35)) >>> 0
  )
}

export class PriceTable {
  /** Address of the array of heads: what other workers must be told to join. */
  readonly heads: Item
  readonly nodes: Zone
  private readonly arena: Arena
  private readonly smr: Smr
  private readonly writers: Lock

  /** Makes the table; with `heads`, joins the one that another worker has made. */
  constructor(arena: Arena, heads?: Item) {
    this.arena = arena
    // Step 1. Whoever comes first creates these, everybody else opens the same ones by name.
    this.smr = arena.smr('prices')
    this.nodes = arena.zone('nodes', { record: Node, smr: this.smr })
    this.writers = arena.lock('prices')
    // Step 2. Heads live as long as the table, so a zone without smr will do for them.
    const arrays = arena.zone('heads', { bytes: CHAINS * BYTES_PER_WORD })
    this.heads = heads ?? arrays.zalloc()
    // Fresh items hold whatever was in them. Nobody else knows the address yet: plain stores will do.
    if (heads === undefined) arena.words.fill(NONE, this.heads, this.heads + CHAINS)
  }

  /** Step 3. Runs `look` on the node with this key, in place; undefined if there is none. */
  lookup<T>(key: number, look: (node: Item) => T): T | undefined {
    const { words } = this.arena
    // From here to the end of the section, no node that we can reach is used for anything else.
    return this.smr.read(() => {
      // Atomic loads of every pointer: each is the other end of the store that published what it
      // points to, so the node's fields, which are read plainly, are seen as they were filled.
      let node = Atomics.load(words, this.head(key)) as Item
      while (node !== NONE) {
        if (Node.get.key(this.arena, node) === key) return look(node)
        // The node may be out of its chain by now. Its `next` still leads on: see step 5.
        node = Atomics.load(words, node + NEXT) as Item
      }
      return undefined
    })
  }

  /** Step 4. Puts a product, in place of the one with the same key if there is one. */
  put(key: number, price: number, stock: number): void {
    const { arena, nodes } = this
    const { words } = arena
    nodes.makeRoom() // After the unlink there is no way back: what can fail must fail now.
    const node = nodes.zallocSmr()
    Node.write(arena, node, { next: NULL_ITEM, key, price, stock, sum: sumOf(key, price, stock) })
    // Writers take turns, readers do not notice. Under the lock nobody else unlinks, so a writer
    // may walk the chain without a section.
    const old = this.writers.withLock(() => {
      const at = this.place(key)
      const found = Atomics.load(words, at) as Item
      const next = found === NONE ? NONE : Atomics.load(words, found + NEXT)
      Atomics.store(words, node + NEXT, next)
      // Publication. A reader that loads the new pointer sees all that was stored before this
      // line; one that loads the old pointer sees the old node, which is still whole.
      //
      //   WRONG   Atomics.store(words, at, node)
      //           Node.write(arena, node, { ... })
      //   Between the two, readers find a node with the key and price of whoever had this memory
      //   before. `words[at] = node` after the write is as wrong: plain stores may be seen in any
      //   order, so the pointer may be seen before the price.
      Atomics.store(words, at, node)
      return found
    })
    if (old !== NONE) nodes.zfreeSmr(old)
  }

  /** Step 5. Takes the product with this key out. Whether there was one. */
  delete(key: number): boolean {
    const { nodes } = this
    const { words } = this.arena
    nodes.makeRoom()
    const old = this.writers.withLock(() => {
      const at = this.place(key)
      const found = Atomics.load(words, at) as Item
      // Who comes later goes around the node. Who stands on it goes on through its `next`, which
      // therefore stays as it is; clearing it would cut off the rest of the chain under his feet.
      if (found !== NONE) Atomics.store(words, at, Atomics.load(words, found + NEXT))
      return found
    })
    if (old === NONE) return false
    // Out of every chain, but not out of sight.
    //
    //   WRONG   nodes.zfree(old), with nodes a zone without smr
    //   The next zalloc hands this memory out while a reader still stands on it. The price that
    //   he reads is another product's, and `next` leads him into another product's chain.
    //
    // Only now, and not before the unlink: the goal must be later than the last moment at which a
    // reader could still come in.
    nodes.zfreeSmr(old)
    return true
  }

  /** All nodes. Only while nobody writes. */
  items(): Item[] {
    const { words } = this.arena
    const found: Item[] = []
    for (let chain = 0; chain < CHAINS; chain++) {
      let node = Atomics.load(words, this.heads + chain)
      for (; node !== NONE; node = Atomics.load(words, node + NEXT)) found.push(node as Item)
    }
    return found
  }

  /** Where the pointer to the key's first node is. Fibonacci hashing: the upper bits are the best. */
  private head(key: number): number {
    return this.heads + (Math.imul(key, 0x9e3779b1) >>> (32 - Math.log2(CHAINS)))
  }

  /** Address of the pointer to the node with this key, or of the null at the end of its chain. */
  private place(key: number): number {
    const { words } = this.arena
    let at = this.head(key)
    for (let node = Atomics.load(words, at); node !== NONE; node = Atomics.load(words, at)) {
      if (Node.get.key(this.arena, node as Item) === key) return at
      at = node + NEXT
    }
    return at
  }
}
