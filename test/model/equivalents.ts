/**
 * Machine-made mutants that survive because they are no bugs, and why. A mutant is named by its key
 * (mutate.ts): file, function, operator and text, no lines. `npm run mutants` fails for a survivor that is
 * not here, and for a line here whose mutant is gone or is caught.
 */

interface Reason {
  readonly why: string
  readonly mutants: readonly string[]
}

const REASONS: readonly Reason[] = [
  {
    why: "Words of the depot's index, with its lock held: nobody else reads them before the lock is free, and whoever takes it after a death or an exception makes all of them anew from owners and goals (`rebuild`).",
    mutants: [
      'zone/depotLists | DepotLists.append | exchange | const tail = this.checked(DepotWords.pendingTail, Owner.pending); this.set(bucket + BucketWords.owner, Owner.pending);',
      'zone/depotLists | DepotLists.append | exchange | this.set(bucket + BucketWords.next, 0); if (tail === 0) this.set(this.at + DepotWords.pendingHead, bucket); else this.set(tail + BucketWords.next, bucket);',
      'zone/depotLists | DepotLists.append | exchange | if (tail === 0) this.set(this.at + DepotWords.pendingHead, bucket); else this.set(tail + BucketWords.next, bucket); this.set(this.at + DepotWords.pendingTail, bucket);',
      'zone/depotLists | DepotLists.append | exchange | this.set(this.at + DepotWords.pendingTail, bucket); this.bump(DepotWords.pendingBuckets, 1);',
      'zone/depotLists | DepotLists.append | exchange | this.bump(DepotWords.pendingBuckets, 1); const items = this.bump(DepotWords.pendingItems, this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.append | exchange | if (items > this.get(this.at + DepotWords.peakPending)) this.set(this.at + DepotWords.peakPending, items); if (tail === 0) this.publishOldest();',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.set(bucket + BucketWords.goal, INVALID); const next = this.get(bucket + BucketWords.next);',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.set(this.at + DepotWords.pendingHead, next); if (next === 0) this.set(this.at + DepotWords.pendingTail, 0);',
      'zone/depotLists | DepotLists.removeFirst | exchange | if (next === 0) this.set(this.at + DepotWords.pendingTail, 0); this.bump(DepotWords.pendingBuckets, -1);',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.bump(DepotWords.pendingBuckets, -1); this.bump(DepotWords.pendingItems, -this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.noteIdle(); this.publishOldest();',
      'zone/depotLists | DepotLists.pushSafe | exchange | this.push(DepotWords.safeHead, bucket); this.bump(DepotWords.safeBuckets, 1);',
      'zone/depotLists | DepotLists.pushSafe | exchange | this.bump(DepotWords.safeBuckets, 1); this.bump(DepotWords.safeItems, this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.popSafe | exchange | this.bump(DepotWords.safeBuckets, -1); this.bump(DepotWords.safeItems, -this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.pushEmpty | exchange | this.push(DepotWords.emptyHead, bucket); this.bump(DepotWords.emptyBuckets, 1);',
      'zone/depotLists | DepotLists.goalBeyond | exchange | items += this.buckets.count(bucket); goal = this.goalOf(bucket);',
    ],
  },
  {
    why: 'Words that a batch is written down in: nobody reads any of them before `step` names the batch.',
    mutants: [
      'zone/kegBatch | KegMoves.take | exchange | this.set(this.keg + KegWords.bucket, bucket); this.set(this.keg + KegWords.stepItems, count + items);',
      'zone/kegBatch | KegMoves.give | exchange | this.set(this.keg + KegWords.bucket, bucket); this.set(this.keg + KegWords.stepItems, keep);',
      'zone/kegBatch | KegMoves.giveCounted | exchange | this.set(this.keg + KegWords.bucket, item); this.set(this.keg + KegWords.tally, tally);',
      'zone/kegBatch | KegMoves.giveCounted | exchange | this.set(this.keg + KegWords.tally, tally); this.memory.pokeFloat(this.keg + KegWords.after, this.memory.peekFloat(tally) + by);',
    ],
  },
  {
    why: '`step` names a take: doing it again sets all of its bits and the count, whichever of them had been set.',
    mutants: [
      'zone/kegBatch | KegMoves.take | exchange | for (let i = count; i < count + items; i++) { this.takeOne(slab, this.addresses.indexOf(slab, this.get(entries + i))); } this.set(bucket + BucketWords.count, count + items);',
    ],
  },
  {
    why: "With the keg's lock held a slab's free bits are the truth: its number of free items, the keg's and the lists are counted and made anew from them after a death or an exception.",
    mutants: [
      'zone/kegBatch | KegMoves.takeOne | exchange | clearFree(this.memory, slab, index); this.recount(slab, -1);',
      'zone/kegBatch | KegMoves.giveOne | exchange | setFree(this.memory, slab, this.addresses.indexOf(slab, item)); this.recount(slab, 1);',
      'zone/kegBatch | KegMoves.recount | exchange | this.set(slab + SlabWords.freeItems, this.get(slab + SlabWords.freeItems) + change); this.lists.count(KegWords.inSlabs, change);',
      'zone/kegBatch | KegMoves.recount | exchange | this.lists.count(KegWords.inSlabs, change); this.lists.relist(slab);',
    ],
  },
  {
    why: "Two words of the worker's own, read one after the other: nobody else writes them meanwhile.",
    mutants: [
      'zone/kegBatch | KegMoves.redo | exchange | const [first, end] = step === KegStep.take ? [0, wanted] : [wanted, this.get(bucket + BucketWords.count)]; const room = this.get(bucket + BucketWords.capacity);',
      'zone/cache | Cache.addCount | exchange | const before = memory.peekFloat(at + CacheWords.before); const count = memory.peek(bucket + BucketWords.count);',
    ],
  },
  {
    why: 'Words that a move is written down in: nobody reads either before `move` names it.',
    mutants: [
      'zone/cache | Cache.move | exchange | memory.poke(at + CacheWords.moved, bucket); memory.pokeFloat(at + CacheWords.before, memory.peekFloat(at + tally));',
    ],
  },
  {
    why: "The bucket is the worker's own, and what stands beyond its count is read by nobody but this worker.",
    mutants: [
      'zone/cache | Cache.unpop | exchange | memory.poke(bucket + BucketWords.entries + count, item); if (memory.peek(bucket + BucketWords.destroyed) <= count) memory.poke(bucket + BucketWords.destroyed, count + 1);',
    ],
  },
  {
    why: 'Hints for print, each possibly a moment old by itself.',
    mutants: [
      'zone/cache | Cache.counts | exchange | const inAlloc = memory.peekRacy(memory.peekRacy(at + CacheWords.alloc) + BucketWords.count); const inFree = memory.peekRacy(memory.peekRacy(at + CacheWords.free) + BucketWords.count);',
    ],
  },
]

const byKey = new Map(REASONS.flatMap(({ why, mutants }) => mutants.map((key) => [key, why])))

export function reasonFor(key: string): string | undefined {
  return byKey.get(key)
}

/** Keys that are listed and name no mutant. */
export function unused(keys: ReadonlySet<string>): readonly string[] {
  return [...byKey.keys()].filter((key) => !keys.has(key))
}
